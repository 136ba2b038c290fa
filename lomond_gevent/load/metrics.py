"""What one process counts and times while it loads, and how that is added up.

`Metrics` is filled by the clients, as cheaply as Python can. Once a second it is emptied into a
`Delta`, plain data that passes through a pipe; `Tally` adds deltas up, whichever process they
come from, without losing a count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from time import monotonic as clock
from types import TracebackType
from typing import Any, TypeAlias

from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.result import COUNTS, HISTOGRAMS

Delta: TypeAlias = dict[str, Any]
"""What has happened since the last one: numbers, texts, dicts and lists of them."""

_COUNTERS = tuple((name, name.replace(".", "_")) for name in COUNTS)
_TIMERS = tuple((name, name.replace(".", "_")) for name in HISTOGRAMS)
# An error that repeats itself is told once, and of different ones not more than this.
MOST_NOTES = 10


class Metrics:
    """Counts and histograms of one process, shared by all of its clients.

    A count or histogram is the attribute of its name in `COUNTS` and `HISTOGRAMS`, with "_" for
    ".": `metrics.messages_sent += 1`, `metrics.rtt.record(350)`.
    """

    __slots__ = (
        *(attribute for _, attribute in _COUNTERS),
        *(attribute for _, attribute in _TIMERS),
        "checks",
        "close_codes",
        "errors",
        "notes",
        "reasons",
        "_counts_at_begin",
        "_counts_in_time",
        "_trip_size",
        "timers",
        "trips",
    )

    bytes_received: int
    bytes_sent: int
    connect: Histogram
    connect_dns: Histogram
    connect_tcp: Histogram
    connect_tls: Histogram
    connect_upgrade: Histogram
    connections_attempted: int
    connections_closed: int
    connections_cut_off: int
    connections_failed: int
    connections_lost: int
    connections_opened: int
    connections_unfinished: int
    delivery: Histogram
    delivery_service: Histogram
    first_message: Histogram
    lag: Histogram
    messages_received: int
    messages_sent: int
    ping: Histogram
    requests_late: int
    requests_timed_out: int
    requests_unfinished: int
    rtt: Histogram
    rtt_service: Histogram
    sends_behind: int
    sends_skipped: int
    session: Histogram

    def __init__(self, trip_size: int = 0) -> None:
        for _, attribute in _COUNTERS:
            setattr(self, attribute, 0)
        self.trips = 0
        """Messages received with one sent at once in return, each of `trip_size` bytes: one
        count in place of four, for the loop that most of a load consists of."""
        self._trip_size = trip_size
        for _, attribute in _TIMERS:
            setattr(self, attribute, Histogram())
        self.timers: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.errors: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.close_codes: defaultdict[int, int] = defaultdict(int)
        # By name: passed, failed.
        self.checks: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.notes: dict[str, None] = {}
        # Of each kind of error that was given one, the first reason.
        self.reasons: dict[tuple[str, str], str] = {}
        # Set while the load is on: what had been counted when it began, or since the last report.
        self._counts_at_begin: dict[str, int] | None = None
        self._counts_in_time: dict[str, int] = {}

    def note_error(self, phase: str, kind: str, count: int = 1, reason: str = "") -> None:
        """Count an error; the first reason of a kind is kept, as an example."""
        self.errors[phase, kind] += count
        if reason and (phase, kind) not in self.reasons:
            self.reasons[phase, kind] = reason

    def begin_load(self) -> None:
        """Count what comes from now on as of the load itself, for rates, until it ends."""
        self._counts_at_begin = self._count()

    def end_load(self) -> None:
        """Count what comes from now on as behind the load."""
        self._counts_in_time = self._count_in_time()
        self._counts_at_begin = None

    def note(self, text: str) -> None:
        """Keep a text for the result's warnings, once."""
        if len(self.notes) < MOST_NOTES:
            self.notes[text] = None

    def take(self) -> Delta:
        """Return what happened since the last call, and begin anew."""
        counts, counts_in_time = self._count(), self._count_in_time()
        histograms = {name: getattr(self, attribute).take_counts() for name, attribute in _TIMERS}
        histograms |= {f"timer.{name}": timer.take_counts() for name, timer in self.timers.items()}
        delta = {
            "counts": {name: count for name, count in counts.items() if count},
            "counts_in_time": {name: count for name, count in counts_in_time.items() if count},
            "histograms": {name: buckets for name, buckets in histograms.items() if buckets},
            "errors": dict(self.errors),
            "close_codes": dict(self.close_codes),
            "checks": {name: tuple(outcome) for name, outcome in self.checks.items()},
            "notes": list(self.notes),
            "reasons": dict(self.reasons),
        }
        for _, attribute in _COUNTERS:
            setattr(self, attribute, 0)
        for mapping in (self.errors, self.close_codes, self.checks):
            mapping.clear()
        self._counts_in_time = {}
        if self._counts_at_begin is not None:
            self._counts_at_begin = dict.fromkeys(counts, 0)
        return delta

    def _count(self) -> dict[str, int]:
        """Return all counts since the last report."""
        trips, self.trips = self.trips, 0
        self.messages_sent += trips
        self.messages_received += trips
        self.bytes_sent += trips * self._trip_size
        self.bytes_received += trips * self._trip_size
        return {name: getattr(self, attribute) for name, attribute in _COUNTERS}

    def _count_in_time(self) -> dict[str, int]:
        """Return what of these came while the load was on."""
        before = self._counts_at_begin
        if before is None:
            return self._counts_in_time
        return {name: count - before[name] for name, count in self._count().items()}


class Timer:
    """Records how long a `with` block takes."""

    __slots__ = ("_histogram", "_started")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def __enter__(self) -> Timer:
        self._started = clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._histogram.record(int((clock() - self._started) * 1e6))


class Tally:
    """The sum of many deltas."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.counts_in_time = dict.fromkeys(COUNTS, 0)
        self.histograms = {name: Histogram() for name in HISTOGRAMS}
        self.errors: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.close_codes: defaultdict[int, int] = defaultdict(int)
        self.checks: dict[str, tuple[int, int]] = {}
        self.notes: dict[str, None] = {}
        self.reasons: dict[tuple[str, str], str] = {}

    def add(self, delta: Delta) -> None:
        """Add what happened in a second of a process."""
        for name, count in delta["counts"].items():
            self.counts[name] += count
        for name, count in delta["counts_in_time"].items():
            self.counts_in_time[name] += count
        for name, buckets in delta["histograms"].items():
            self.histograms.setdefault(name, Histogram()).add_counts(buckets)
        _add(self.errors, delta["errors"])
        _add(self.close_codes, delta["close_codes"])
        for name, (passed, failed) in delta["checks"].items():
            before = self.checks.get(name, (0, 0))
            self.checks[name] = (before[0] + passed, before[1] + failed)
        self.notes |= dict.fromkeys(delta["notes"])
        self.reasons = delta["reasons"] | self.reasons


def _add(total: defaultdict[Any, int], more: Mapping[Any, int]) -> None:
    for key, count in more.items():
        total[key] += count
