"""Seconds into series, series into a result, and what is to be said about it.

The deltas come from one process or from many, all of one second together.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from typing import TypeAlias

import gevent

from lomond import __version__
from lomond_gevent.load.durations import format_duration
from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.metrics import Delta, Tally
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.redaction import hide_in_reasons
from lomond_gevent.load.result import MAIN_LATENCIES, Latency, Live, Result, Second

Observer: TypeAlias = Callable[[Second, Live], object]

# A lag below this is nothing that anybody would notice, in microseconds.
HARMLESS_LAG = 5_000
# The same for a single stall, which every machine has now and then.
HARMLESS_STALL = 10_000
# What of a second no plot shows: a session is longer than that, and the lag has its own figure.
NOT_IN_SERIES = ("session", "lag")
# The share of a core from which on the client is short of time.
BUSY = 0.9


class Collector:
    """Adds a load up, second by second."""

    def __init__(self, plan: Plan, findings: Sequence[str], observer: Observer | None) -> None:
        self.series: list[Second] = []
        self._plan = plan
        self._findings = list(findings)
        self._observer = observer
        self._tally = Tally()
        self._cpu_seconds = 0.0
        self.lasted = 0.0
        """For how many seconds the load was on, as far as was reported."""
        self.connecting = 0.0
        """How long all clients took to connect before that, in seconds."""
        # The share of a core in each second of the load itself.
        self._shares: list[float] = []

    def add(self, deltas: Sequence[Delta]) -> None:
        """Add what all processes have done in one second."""
        interval = Tally()
        for delta in deltas:
            interval.add(delta)
            self._tally.add(delta)
            self._cpu_seconds += delta["cpu_seconds"]
        second = make_second(deltas, interval)
        self.series.append(second)
        began = [delta["since_began"] for delta in deltas if delta["since_began"] is not None]
        if began:
            self.lasted = min(max(self.lasted, *began), self._plan.course.duration)
            self.connecting = max(0.0, second.time - max(began))
        is_last = any(delta["is_last"] for delta in deltas)
        if began and not is_last:
            self._shares.append(second.cpu)
        if self._observer is not None and not is_last:
            self._observer(second, self._make_live(deltas, second, min(began, default=None)))

    def note_error(self, phase: str, kind: str, text: str) -> None:
        """Note an error of the load generator's own, such as a process that died."""
        self._tally.errors[phase, kind] += 1
        self._tally.notes[text] = None

    def make_result(
        self, *, started: float, duration: float, connecting: float, reason: str, peak_memory: int
    ) -> Result:
        """Return the result; `reason` says why it ended early, empty if it did not."""
        tally = self._tally
        return Result(
            plan=self._plan,
            model=self._plan.model,
            started=started,
            duration=duration,
            interrupted=bool(reason),
            histograms=tally.histograms,
            counts=tally.counts,
            errors=dict(tally.errors),
            close_codes=dict(tally.close_codes),
            checks=tally.checks,
            series=self.series,
            warnings=[*self._findings, *tally.notes, *judge(tally, self._shares)],
            machine=describe_machine(),
            cpu_seconds=self._cpu_seconds,
            peak_memory=peak_memory,
            connecting=connecting,
            stopped_because=reason,
            counts_in_time=tally.counts_in_time,
            reasons=hide_in_reasons(tally.reasons, self._plan),
        )

    def _make_live(self, deltas: Sequence[Delta], second: Second, began: float | None) -> Live:
        whole = self._plan.course.duration
        return Live(
            elapsed=second.time,
            remaining=whole if began is None else max(0.0, whole - began),
            clients=second.clients,
            wanted=sum(delta["wanted"] for delta in deltas),
            counts=self._tally.counts,
            rtt=self._tally.histograms["rtt"],
            connect=self._tally.histograms["connect"],
            errors=self._tally.errors,
            lag=second.lag_max,
            cpu=second.cpu,
            main=next((n for n in MAIN_LATENCIES if self._tally.histograms[n].count), "rtt"),
        )


def make_second(deltas: Sequence[Delta], interval: Tally) -> Second:
    """Return the figures of one second."""
    counts = interval.counts
    latencies = {
        name: summarise(histogram)
        for name, histogram in interval.histograms.items()
        if name not in NOT_IN_SERIES and histogram.count
    }
    rtt = latencies.pop("rtt", None)
    return Second(
        time=max(delta["elapsed"] for delta in deltas),
        clients=sum(delta["clients"] for delta in deltas),
        opened=counts["connections.opened"],
        failed=counts["connections.failed"],
        lost=counts["connections.lost"],
        sent=counts["messages.sent"],
        received=counts["messages.received"],
        bytes_sent=counts["bytes.sent"],
        bytes_received=counts["bytes.received"],
        errors=sum(interval.errors.values()),
        rtt_count=rtt.count if rtt else 0,
        rtt_p50=rtt.p50 if rtt else None,
        rtt_p90=rtt.p90 if rtt else None,
        rtt_p99=rtt.p99 if rtt else None,
        rtt_max=rtt.max if rtt else None,
        lag_max=max(delta["lag_max"] for delta in deltas),
        cpu=max(delta["cpu"] for delta in deltas),
        latencies=latencies,
    )


def summarise(histogram: Histogram) -> Latency:
    """Return what the series has of a distribution that is not empty."""
    return Latency(histogram.count, *map(round, histogram.percentiles([50, 90, 99, 100])))


def judge(tally: Tally, shares: Sequence[float]) -> list[str]:
    """Return where the client itself spoils the figures, each with the rule it is judged by."""
    warnings = []
    lag, longest_lag = tally.histograms["lag"].percentiles([99, 100])
    name = next((name for name in MAIN_LATENCIES if tally.histograms[name].count), None)
    latency, longest = tally.histograms[name].percentiles([99, 100]) if name else (0.0, 0.0)
    if name and lag > HARMLESS_LAG and lag > latency / 10:
        warnings.append(
            f"this client was late by {format_duration(lag / 1e6)} itself (99th percentile of "
            f"lag), which is more than a tenth of that of {name}, "
            f"{format_duration(latency / 1e6)}: latencies contain its own queue. Take fewer "
            "clients, a lower rate or more processes"
        )
    elif name and longest_lag > HARMLESS_STALL and longest_lag > longest / 2:
        warnings.append(
            f"this client stalled for {format_duration(longest_lag / 1e6)} itself at worst, which "
            f"is more than half of the longest {name}, {format_duration(longest / 1e6)}: the "
            "highest latencies may be its own"
        )
    busy = sum(share >= BUSY for share in shares)
    if busy and busy * 2 >= len(shares):
        warnings.append(
            f"this client used {BUSY:.0%} of a core or more in {busy} of {len(shares)} seconds: "
            "it may be the bottleneck, not the server. More processes use more cores"
        )
    behind, skipped = tally.counts["sends.behind"], tally.counts["sends.skipped"]
    if behind:
        warnings.append(
            f"{behind:,} messages of the schedule had not left when the load ended: the rate was "
            "more than this client or the server took"
        )
    if skipped:
        warnings.append(
            f"{skipped:,} messages of the schedule were not sent: no client was connected, or it "
            "could not send"
        )
    return warnings


def describe_machine() -> dict[str, str]:
    """Return what the load ran on."""
    return {
        "lomond-gevent": __version__,
        "gevent": gevent.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    }
