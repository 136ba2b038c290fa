"""What changes over time: how many connections are open, and how long replies take.

The number of samples is bounded: when there are too many, every second one goes, and the next are
as far apart as those that are left.
"""

from __future__ import annotations

from dataclasses import dataclass

from lomond_gevent.load.histogram import Histogram
from lomond_gevent.locust.connections import Gauge
from lomond_gevent.locust.histograms import Rows

MOST = 240
PERCENTILES = (50.0, 95.0, 99.0)
KINDS = ("WSC", "WSR", "WS")
"""Whose times are shown: of these types the first that has any."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment: seconds since the run began, sockets, and microseconds by `PERCENTILES`."""

    time: float
    open: int
    latencies: tuple[float, ...] | None


class Samples:
    """The samples of a run, oldest first."""

    def __init__(self, interval: float) -> None:
        """Take samples no closer than `interval` seconds."""
        self._interval = interval
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Forget all samples: what follows belongs to another run, which begins now."""
        self.points: list[Sample] = []
        self.kind = KINDS[0]
        """The type of the rows whose times the samples have."""
        self.most_open = 0
        """The most connections that were open when one could have been taken."""
        self._began = self._due = now
        self._step = self._interval
        self._earlier = Histogram()

    def take(self, now: float, rows: Rows, gauge: Gauge) -> None:
        """Take a sample if one is due."""
        self.most_open = max(self.most_open, gauge.open)
        if now < self._due:
            return
        # A sample that is a little late does not make the next one so.
        self._due = now + 0.9 * self._step
        self.points.append(Sample(now - self._began, gauge.open, self._latencies(rows)))
        if len(self.points) > MOST:
            self.points = self.points[::2]
            self._step = (now - self._began) / len(self.points)

    def _latencies(self, rows: Rows) -> tuple[float, ...] | None:
        totals = {kind: rows.total(kind) for kind in KINDS}
        kind = next((kind for kind in KINDS if totals[kind].count), self.kind)
        if kind != self.kind:
            self.kind, self._earlier = kind, Histogram()
        recent = totals[kind].copy()
        recent.subtract(self._earlier)
        self._earlier = totals[kind]
        return tuple(recent.percentiles(PERCENTILES)) if recent.count else None
