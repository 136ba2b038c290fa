"""What a result comes to: the verdict and the exit status."""

from __future__ import annotations

from typing import Any

import pytest

from lomond_gevent.load.plan import Plan
from lomond_gevent.load.report.findings import Findings, describe_model, heading, traffic_figures
from lomond_gevent.load.report.html import write_html
from tests.load_report.synthetic import result_of, result_with

TIMEOUTS = {("request", "timeout"): 3}
MISMATCH = {("check", "mismatch"): 1}
HEALTHY = {
    "connections.attempted": 2,
    "connections.opened": 2,
    "messages.sent": 100,
    "messages.received": 100,
}


def findings_of(*thresholds: str, **changes: Any) -> Findings:
    """Return the findings of a small result, under thresholds."""
    plan = Plan(url="ws://127.0.0.1:9/", clients=2, thresholds=thresholds)
    return Findings(result_of(plan, **changes))


@pytest.mark.parametrize(
    ("thresholds", "changes", "status"),
    [
        ((), {}, 0),
        (("rtt.p99<50ms",), {}, 0),
        (("rtt.p99<1ms",), {}, 99),
        (("rtt.p99<50ms", "rtt.max<1ms"), {}, 99),
        ((), {"errors": TIMEOUTS}, 1),
        ((), {"checks": {"polite": (5, 1)}}, 1),
        ((), {"counts": HEALTHY | {"connections.lost": 1}}, 1),
        (("rtt.p99<50ms",), {"errors": TIMEOUTS}, 1),
        (("rtt.p99<1ms",), {"errors": TIMEOUTS}, 99),
        (("errors<4",), {"errors": TIMEOUTS}, 0),
        (("errors<1%",), {"errors": TIMEOUTS}, 0),
        (("errors<3",), {"errors": TIMEOUTS}, 99),
        (("errors>2",), {"errors": TIMEOUTS}, 1),
        (("errors<4",), {"errors": TIMEOUTS, "checks": {"polite": (5, 1)}}, 1),
        (("checks>80%",), {"checks": {"polite": (5, 1)}}, 0),
        (("checks>80%",), {"errors": TIMEOUTS, "checks": {"polite": (5, 1)}}, 1),
        (("errors==0", "checks>80%"), {"errors": MISMATCH, "checks": {"polite": (5, 1)}}, 0),
        ((), {"counts": HEALTHY | {"messages.sent": 0}}, 1),
        (("errors<9",), {"counts": HEALTHY | {"messages.received": 0}, "errors": TIMEOUTS}, 1),
        ((), {"counts": HEALTHY | {"sends.behind": 90}}, 0),
        ((), {"counts": HEALTHY | {"sends.behind": 110}}, 1),
    ],
)
def test_exit_status(thresholds: tuple[str, ...], changes: dict[str, Any], status: int) -> None:
    assert findings_of(*thresholds, **changes).exit_status == status


@pytest.mark.parametrize(
    ("thresholds", "changes", "verdict"),
    [
        ((), {}, "nothing failed"),
        (("rtt.p99<50ms",), {}, "all thresholds kept"),
        (("rtt.p99<1ms",), {"errors": TIMEOUTS}, "1 threshold crossed, 3 errors"),
        ((), {"checks": {"polite": (5, 1)}}, "1 failed check"),
        ((), {"counts": HEALTHY | {"connections.lost": 1}}, "connections failed or were lost"),
        ((), {"interrupted": True}, "nothing failed (ended before its time)"),
        ((), {"counts": {"connections.attempted": 5}}, "no connection was opened"),
        ((), {"counts": HEALTHY | {"messages.sent": 0}}, "nothing was sent"),
        ((), {"counts": HEALTHY | {"messages.received": 0}}, "nothing was received"),
        (
            (),
            {"counts": HEALTHY | {"sends.behind": 25}},
            "nothing failed, 20 % of the schedule was not sent",
        ),
        (
            ("errors<9",),
            {"counts": HEALTHY | {"sends.skipped": 300}},
            "75 % of the schedule was not sent, all thresholds kept",
        ),
        (
            (),
            {"interrupted": True, "stopped_because": "the server is gone"},
            "nothing failed (ended before its time: the server is gone)",
        ),
    ],
)
def test_the_verdict_tells_how_it_went(
    thresholds: tuple[str, ...], changes: dict[str, Any], verdict: str
) -> None:
    assert findings_of(*thresholds, **changes).verdict == verdict


def test_the_heading_hides_secrets() -> None:
    plan = Plan(url="ws://user:pass@127.0.0.1/?token=123")

    assert heading(result_of(plan)) == "echo against ws://***@127.0.0.1/?token=***, 2 s"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "closed model: 100 clients; each sends, waits for the answer, sends again"),
        ({"think": 0.5}, "waits for the answer, thinks for 500 ms, sends again"),
        ({"scenario": "idle"}, "closed model: 100 clients; each stays connected and sends pings"),
        ({"scenario": "a.py:f"}, "closed model: 100 clients; each runs a.py:f"),
        ({"stages": ((10.0, 50.0),)}, "closed model: clients by stages; each sends"),
        ({"rate": 20e3}, "open model: messages 20k per second over 100 clients, on a schedule"),
        ({"rate": 1.0, "stages": ((9.0, 50.0),)}, "open model: messages by stages over"),
        ({"arrivals": 5.0}, "open model of arrivals: new clients 5 per second; each sends, waits"),
        ({"arrivals": 5.0}, "sends again, and latency counts from the actual send"),
        ({"arrivals": 5.0, "lifetime": 60.0}, "new clients 5 per second, each for 1m; each"),
        ({"arrivals": 5.0, "scenario": "connect"}, "each connects when its time has come, and"),
    ],
)
def test_the_model_is_named_with_what_it_means(options: dict[str, Any], sentence: str) -> None:
    assert sentence in describe_model(Plan(**options))


@pytest.mark.parametrize(
    ("options", "meaning"),
    [
        ({}, "from sending a message until"),
        ({"arrivals": 5.0}, "from sending a message until"),
        ({"rate": 5.0}, "from the send that the schedule intended until"),
    ],
)
def test_only_with_a_rate_a_round_trip_begins_when_it_was_intended(
    options: dict[str, Any], meaning: str
) -> None:
    findings = Findings(result_of(Plan(**options)))

    assert findings.main is not None
    assert findings.main.meaning.startswith(meaning)
    assert ("from the send that the schedule intended" in write_html(findings)) == (
        "rate" in options
    )


def test_a_load_that_never_began_has_no_rates() -> None:
    details = [figure.detail for figure in traffic_figures(result_of(duration=0.0))]

    assert details == ["–"] * 4


def test_what_tells_most_about_the_server_is_the_round_trip() -> None:
    findings = findings_of()

    assert findings.main is not None
    assert findings.main.name == "rtt"


def test_of_those_who_are_idle_the_ping_tells_more_than_the_first_push() -> None:
    findings = Findings(result_with("connect", "first_message", "ping", scenario="idle"))

    assert findings.main is not None
    assert findings.main.name == "ping"


def test_the_most_frequent_errors_are_first() -> None:
    errors = {("tcp", "refused"): 1, ("open", "reset"): 5, ("open", "eof"): 5}

    assert findings_of(errors=errors).error_rows == [
        ("open", "eof", 5),
        ("open", "reset", 5),
        ("tcp", "refused", 1),
    ]


@pytest.mark.parametrize(
    ("scenario", "counts", "shortfalls"),
    [
        ("idle", {"messages.received": 0, "messages.sent": 0}, []),
        ("connect", {"messages.received": 0, "messages.sent": 0}, []),
        ("flood", {"messages.received": 0, "messages.sent": 0}, ["nothing was received"]),
        ("a.py:f", {"messages.received": 0, "messages.sent": 0}, []),
        ("a.py:f", {"messages.received": 0}, []),
        ("a.py:f", {"messages.received": 0, "requests.unfinished": 1}, ["nothing was received"]),
        ("a.py:f", {"connections.opened": 0}, ["no connection was opened"]),
    ],
)
def test_only_a_scenario_that_needs_messages_falls_short_without_them(
    scenario: str, counts: dict[str, int], shortfalls: list[str]
) -> None:
    plan = Plan(url="ws://127.0.0.1:9/", scenario=scenario)

    assert result_of(plan, counts=HEALTHY | counts).shortfalls == shortfalls


def test_a_scenario_may_measure_something_else_than_connections() -> None:
    plan = Plan(url="ws://127.0.0.1:9/", scenario="a.py:f")

    assert result_of(plan, counts={}, checks={"polite": (1, 0)}).shortfalls == []


def test_rates_are_of_what_came_while_the_load_was_on() -> None:
    result = result_of(counts_in_time={"messages.sent": 1000, "messages.received": 400})

    figures = {figure.name: figure.detail for figure in traffic_figures(result)}

    assert figures["messages sent"] == "500 /s"
    assert figures["messages received"] == "200 /s, 60 % of it late"


def test_each_kind_of_error_has_its_example() -> None:
    errors = {("tcp", "refused"): 1, ("tls", "tls"): 5}
    findings = findings_of(errors=errors, reasons={("tls", "tls"): "self-signed"})

    assert findings.reasons == ["tls: tls, first seen: self-signed"]
    assert "tls: tls, first seen: self-signed" in write_html(findings)
