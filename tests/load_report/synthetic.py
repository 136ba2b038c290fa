"""Results that were never measured: what reports are tried with."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache
from typing import Any

from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.result import COUNTS, HISTOGRAMS, Latency, Result, Second

STALL = 40


def histogram_of(*microseconds: int) -> Histogram:
    """Return a histogram of some values."""
    histogram = Histogram()
    for value in microseconds:
        histogram.record(value)
    return histogram


def result_of(plan: Plan | None = None, **changes: Any) -> Result:
    """Return a small result in which nothing went wrong, with some of its attributes changed."""
    plan = plan or Plan(url="ws://127.0.0.1:9/echo", clients=2, duration=2.0)
    filled = {
        "connect": histogram_of(900, 1100),
        "rtt": histogram_of(*range(1000, 2000)),
    }
    counted = {
        "connections.attempted": 2,
        "connections.opened": 2,
        "connections.closed": 2,
        "messages.sent": 1000,
        "messages.received": 1000,
        "bytes.sent": 64_000,
        "bytes.received": 64_000,
    }
    result = Result(
        plan=plan,
        model=plan.model,
        started=1_800_000_000.0,
        duration=2.0,
        interrupted=False,
        histograms={name: filled.get(name, Histogram()) for name in HISTOGRAMS},
        counts={name: counted.get(name, 0) for name in COUNTS},
        errors={},
        close_codes={1000: 2},
        checks={},
        series=[second_of(1.0), second_of(2.0)],
        warnings=[],
        machine={"system": "Linux"},
        cpu_seconds=0.5,
        peak_memory=50 * 1024 * 1024,
    )
    # Unless a test says otherwise, all of it came while the load was on.
    changed = replace(result, **changes)
    return (
        changed if "counts_in_time" in changes else replace(changed, counts_in_time=changed.counts)
    )


def second_of(time: float, **changes: Any) -> Second:
    """Return a second in which all was well."""
    second = Second(
        time=time,
        clients=2,
        opened=0,
        failed=0,
        lost=0,
        sent=500,
        received=500,
        bytes_sent=32_000,
        bytes_received=32_000,
        errors=0,
        rtt_count=500,
        rtt_p50=1500,
        rtt_p90=1900,
        rtt_p99=1990,
        rtt_max=1999,
        lag_max=300,
        cpu=0.25,
    )
    return replace(second, **changes)


LATENCY = Latency(count=40, p50=2000, p90=3000, p99=4000, max=5000)


def result_with(*names: str, scenario: str = "fanout") -> Result:
    """Return a result in which these were measured in its second second, and no round trip."""
    nothing = {"rtt_count": 0, "rtt_p50": None, "rtt_p90": None, "rtt_p99": None, "rtt_max": None}
    latencies = dict.fromkeys(names, LATENCY)
    return result_of(
        Plan(url="ws://127.0.0.1:9/", clients=2, duration=2.0, scenario=scenario),
        histograms={name: histogram_of(2000, 5000) for name in names},
        series=[second_of(1.0, **nothing), second_of(2.0, **nothing, latencies=latencies)],
    )


@cache
def eventful_result() -> Result:
    """Return two minutes of the open model, in which the server stalls and some clients fail."""
    seconds = 120
    plan = Plan(
        url="wss://load.example.org/echo?token=secret",
        clients=5000,
        ramp=30.0,
        duration=seconds - 30.0,
        rate=20_000.0,
        size=128,
        headers=(("Authorization", "Bearer secret"), ("X-Run", "<7>")),
        thresholds=("rtt.p99<50ms", "errors<0.1%"),
    )
    random_numbers = random.Random(7)
    series = [eventful_second(plan, time, random_numbers) for time in range(1, seconds + 1)]
    sent, received = sum(s.sent for s in series), sum(s.received for s in series)
    return result_of(
        plan,
        duration=float(seconds),
        histograms={name: eventful_histogram(name, random_numbers) for name in HISTOGRAMS},
        counts={name: 0 for name in COUNTS}
        | {
            "connections.attempted": 5012,
            "connections.opened": 5000,
            "connections.failed": 12,
            "connections.lost": 3,
            "connections.closed": 4997,
            "messages.sent": sent,
            "messages.received": received,
            "bytes.sent": sent * 128,
            "bytes.received": received * 128,
            "requests.timed_out": 41,
            "requests.late": 7,
        },
        errors={
            ("request", "timeout"): 41,
            ("handshake", "rejected 503"): 9,
            ("tcp", "refused"): 3,
            ("open", "closed 1011"): 3,
        },
        close_codes={1000: 4997, 1011: 3},
        checks={"greeting is polite": (4990, 10), "answer is <b>bold</b>": (5000, 0)},
        series=series,
        warnings=["hub lag reached 31 ms: latencies below that are as much the client's as theirs"],
        cpu_seconds=seconds * 0.71,
        peak_memory=120 * 1024 * 1024,
    )


def eventful_second(plan: Plan, time: int, random_numbers: random.Random) -> Second:
    """Return one second of `eventful_result`."""
    stalled = 1.0 if time == STALL else 0.0
    noise = random_numbers.uniform(0.9, 1.3)
    sent = int(plan.course.at(time) * random_numbers.uniform(0.995, 1.0))
    base = 800 + 4 * time
    return second_of(
        float(time),
        clients=min(5000, int(time / 30 * 5000)) - (3 if time > STALL else 0),
        opened=167 if time <= 30 else 0,
        failed=3 if time in (12, 13, 14, 15) else 0,
        lost=3 if time == STALL else 0,
        sent=sent,
        received=int(sent * (1 - 0.9 * stalled)),
        bytes_sent=sent * 128,
        bytes_received=int(sent * (1 - 0.9 * stalled)) * 128,
        errors=44 if stalled else 3 if time in (12, 13, 14, 15) else 0,
        rtt_count=sent,
        rtt_p50=int(base * noise + 400_000 * stalled),
        rtt_p90=int(base * 2.1 * noise + 800_000 * stalled),
        rtt_p99=int(base * 6 * noise + 900_000 * stalled),
        rtt_max=int(base * 14 * noise * random_numbers.uniform(1, 2) + 1_000_000 * stalled),
        lag_max=int(random_numbers.uniform(300, 4000) + (27_000 if time == 30 else 0)),
        cpu=min(1.0, 0.1 + sent / 20_000 * 0.62 * noise),
    )


def eventful_histogram(name: str, random_numbers: random.Random) -> Histogram:
    """Return a plausible distribution for a name; empty for what was not measured."""
    medians = {"connect": 21_000, "connect.dns": 150, "connect.tcp": 900, "connect.tls": 18_000}
    medians |= {"connect.upgrade": 1_600, "rtt": 1_200, "rtt.service": 1_050, "ping": 1_000}
    medians |= {"session": 95_000_000, "lag": 400}
    histogram = Histogram()
    if name not in medians:
        return histogram
    for _ in range(2000):
        value = medians[name] * math.exp(random_numbers.gauss(0, 0.45))
        histogram.record(int(value), 1000 if name.startswith("rtt") else 2)
    if name == "rtt":
        histogram.record(700_000, 9_000)
    return histogram
