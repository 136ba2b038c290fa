"""What is said about a load from the figures of its seconds."""

from __future__ import annotations

from typing import Any

import pytest

from lomond_gevent.load.collector import Collector, judge
from lomond_gevent.load.metrics import Delta, Metrics, Tally
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.result import Latency


def tally_of(**histograms: list[int]) -> Tally:
    """Return a sum with some distributions, in microseconds."""
    tally = Tally()
    for name, values in histograms.items():
        for value in values:
            tally.histograms[name].record(value)
    return tally


@pytest.mark.parametrize(
    ("lag", "rtt", "said"),
    [
        ([500] * 3000 + [500_000], [300] * 5000 + [600_000], "stalled for 500"),
        ([500] * 3000 + [500_000], [300] * 5000 + [2_000_000], None),
        ([500] * 3000 + [9_000], [300] * 5000 + [9_000], None),
        ([30_000] * 3000, [40_000] * 5000, "late by 30"),
    ],
)
def test_a_client_that_is_late_itself_is_warned_of(
    lag: list[int], rtt: list[int], said: str | None
) -> None:
    warnings = judge(tally_of(lag=lag, rtt=rtt), [])

    assert len(warnings) == (said is not None)
    assert said is None or said in warnings[0]


def delta_of(elapsed: float, since_began: float | None, **more: Any) -> Delta:
    """Return what a process reports after a second."""
    figures = {"clients": 1, "wanted": 1, "lag_max": 0, "cpu_seconds": 0.1, "cpu": 0.1}
    times = {"elapsed": elapsed, "since_began": since_began, "is_last": False}
    return Metrics().take() | figures | times | more


def test_a_second_has_all_latencies_that_were_measured_in_it() -> None:
    metrics, seen = Metrics(), []
    metrics.delivery.record(2000)
    metrics.timers["pay"].record(300, count=9)
    metrics.session.record(1)
    collector = Collector(Plan(), [], lambda second, live: seen.append((second, live)))

    collector.add([delta_of(1.0, 1.0, **metrics.take())])

    (second, live), latency = seen[0], Latency(9, 300, 300, 300, 300)
    assert set(second.latencies) == {"delivery", "timer.pay"}
    assert second.latency("timer.pay") == latency
    assert (second.latency("rtt"), live.main) == (None, "delivery")


def test_the_round_trip_of_a_second_has_its_own_attributes() -> None:
    metrics = Metrics()
    metrics.rtt.record(300, count=9)
    collector = Collector(Plan(), [], None)

    collector.add([delta_of(1.0, 1.0, **metrics.take())])

    second = collector.series[0]
    assert (second.rtt_count, second.rtt_max, second.latencies) == (9, 300, {})
    assert second.latency("rtt") == Latency(9, 300, 300, 300, 300)


def test_how_long_the_load_was_on_is_known_before_its_end() -> None:
    collector = Collector(Plan(clients=2, duration=10.0), [], None)

    collector.add([delta_of(1.0, None)])
    assert (collector.lasted, collector.connecting) == (0.0, 0.0)

    collector.add([delta_of(4.0, 2.5), delta_of(4.0, 2.4)])
    assert (collector.lasted, collector.connecting) == (2.5, 1.5)

    collector.add([delta_of(13.0, 11.5)])
    assert collector.lasted == 10.0
