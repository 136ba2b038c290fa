"""Thresholds: what they are written like, and when they are kept."""

from __future__ import annotations

import re

import pytest

from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.report.glossary import COUNTS as COUNT_TERMS
from lomond_gevent.load.report.glossary import HISTOGRAMS as HISTOGRAM_TERMS
from lomond_gevent.load.result import COUNTS, HISTOGRAMS
from lomond_gevent.load.thresholds import parse_threshold
from tests.load_report.synthetic import histogram_of, result_of


@pytest.mark.parametrize(
    ("text", "is_kept", "observed"),
    [
        ("rtt.p50<1.5ms", True, "1.5 ms"),
        ("rtt.p99<50ms", True, "1.99 ms"),
        ("rtt.p99 < 1ms", False, "1.99 ms"),
        ("rtt.p99.9>=1ms", True, "2 ms"),
        ("rtt.max<=1999us", True, "2 ms"),
        ("rtt.min>1ms", False, "1 ms"),
        ("rtt.mean<1500us", True, "1.5 ms"),
        ("rtt.count==1000", True, "1,000"),
        ("connections.opened!=2", False, "2"),
        ("messages.received.rate>400", True, "500"),
        ("messages.received>1_000_000", False, "1,000"),
        ("errors<1", True, "0"),
        ("errors<0.1%", True, "0 %"),
    ],
)
def test_a_threshold_is_compared_with_what_was_measured(
    text: str, is_kept: bool, observed: str
) -> None:
    assert parse_threshold(text).check(result_of()) == (is_kept, observed)


def test_a_share_of_errors_is_one_of_connections_and_messages() -> None:
    result = result_of(
        errors={("request", "timeout"): 1},
        counts={"connections.attempted": 100, "messages.sent": 900},
    )

    assert parse_threshold("errors<0.1%").check(result) == (False, "0.1 %")
    assert parse_threshold("errors<=0.1%").check(result) == (True, "0.1 %")


def test_what_was_never_sent_or_answered_is_in_the_share_of_errors() -> None:
    counts = {"connections.attempted": 10, "messages.sent": 40}
    outage = {"sends.skipped": 30, "sends.behind": 20, "requests.unfinished": 5}

    observed = parse_threshold("errors<0.1%").check(result_of(counts=counts | outage))

    assert observed == (False, "55 %")


def test_a_connection_that_is_cut_off_and_its_answer_are_one_failure() -> None:
    counts = {"connections.attempted": 20, "messages.sent": 180, "requests.unfinished": 2}
    result = result_of(errors={("open", "eof"): 2}, counts=counts | {"connections.cut_off": 2})

    assert parse_threshold("errors<=1%").check(result) == (True, "1 %")


def test_a_rate_is_of_what_came_while_the_load_was_on() -> None:
    result = result_of(counts_in_time={"messages.received": 300})

    assert parse_threshold("messages.received.rate>400").check(result) == (False, "150")


def test_the_share_of_errors_of_fanout_is_one_of_deliveries() -> None:
    plan = Plan(url="ws://127.0.0.1:9/", clients=100, scenario="fanout")
    result = result_of(
        plan,
        errors={("request", "timeout"): 99},
        counts={"connections.attempted": 100, "messages.sent": 10, "requests.timed_out": 99},
        histograms={"delivery": histogram_of(*[1000] * 791)},
    )

    assert parse_threshold("errors<10%").check(result) == (False, "10 %")


def test_a_late_delivery_was_wanted_once() -> None:
    counts = {"connections.attempted": 0, "requests.timed_out": 5, "requests.late": 5}
    result = result_of(
        Plan(url="ws://127.0.0.1:9/", scenario="fanout"),
        errors={("request", "timeout"): 5},
        counts=counts,
        histograms={"delivery": histogram_of(*[1000] * 50)},
    )

    assert parse_threshold("errors<=10%").check(result) == (True, "10 %")


def test_failed_checks_are_no_errors_but_under_checks() -> None:
    result = result_of(errors={("check", "mismatch"): 1}, checks={"polite": (19, 1)})

    assert parse_threshold("errors==0").check(result) == (True, "0")
    assert parse_threshold("errors<=0%").check(result) == (True, "0 %")


def test_a_load_that_never_began_has_no_rate() -> None:
    threshold = parse_threshold("messages.received.rate>1")

    assert threshold.check(result_of(duration=0.0)) == (False, "nothing measured")


def test_checks_are_a_share_of_those_that_held() -> None:
    result = result_of(checks={"polite": (8, 1), "fast": (11, 0)})

    assert parse_threshold("checks>=95%").check(result) == (True, "95 %")
    assert parse_threshold("checks>0.99").check(result) == (False, "95 %")


@pytest.mark.parametrize(
    "text", ["rtt.service.p99<1s", "timer.never.p50<1s", "checks>0%", "errors<1%", "lag.max>=0us"]
)
def test_a_threshold_on_what_was_not_measured_is_crossed(text: str) -> None:
    nothing = result_of(histograms={"lag": Histogram()}, counts={}, checks={})

    assert parse_threshold(text).check(nothing) == (False, "nothing measured")


def test_a_count_of_what_was_not_measured_is_nothing() -> None:
    assert parse_threshold("timer.never.count<1").check(result_of()) == (True, "0")


def test_a_timer_of_the_user_may_have_any_name() -> None:
    result = result_of(histograms={"timer.log in.p99": histogram_of(2000)})

    assert parse_threshold("timer.log in.p99.max<1s").check(result) == (True, "2 ms")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rtt", "is no comparison; write 'rtt.p99<50ms'"),
        ("rtt.p99<", "is no comparison"),
        ("rtt.p99<<5ms", "'<5ms' is not a time"),
        ("rtt.p99<50", "'50' is not a time with its unit, as 50ms"),
        ("rtt.p99<fast", "'fast' is not a time with its unit"),
        ("errors<few", "'few' is not a number"),
        ("errors<few%", "'few%' is not a share, as 0.1%"),
        ("rtt.count<5ms", "'5ms' is not a number"),
        ("errors<nan%", "'nan%' is not a share"),
        ("errors<nan", "'nan' is not a number"),
        ("messages.sent<inf", "'inf' is not a number"),
        ("rtt.p99<nan", "'nan' is not a time"),
        ("checks>=99", "'99' is not a share"),
        ("errors<200%", "'200%' is not a share"),
        ("rtt.p101<5ms", "at most p100"),
        ("rtt<5ms", "is a distribution: say which of its values, as rtt.p99"),
        ("timer.login<5ms", "is a distribution"),
        ("rtx.p99<5ms", "did you mean 'rtt.p99'?"),
        ("http_req_duration<5ms", "there are: errors, checks; connect, connect.dns"),
        ("rtt.rate>5", "unknown metric 'rtt.rate'"),
    ],
)
def test_a_wrong_threshold_is_told_what_is_wrong_with_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_threshold(text)


def test_every_metric_of_a_result_has_a_name_and_a_meaning() -> None:
    assert list(HISTOGRAM_TERMS) == list(HISTOGRAMS)
    assert list(COUNT_TERMS) == list(COUNTS)
