"""Exact response times of WebSocket rows: histograms of microseconds, merged at the master.

Locust itself keeps whole milliseconds, and two digits from 100 ms on. Here each row of a WebSocket
type (`WS`, `WSC`, `WSS`, `WSR`) has three digits, from `events.request`; failed requests included,
as in Locust's own figures. Rows without a time (None) are left out: they have none. How the
figures are shown does not belong here: see `page`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import floor, log10
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from locust import stats

from lomond_gevent.load.histogram import Histogram

if TYPE_CHECKING:
    from locust.env import Environment

PREFIX = "WS"
"""What the types of WebSocket rows begin with."""

Report = list[tuple[str, str, dict[int, int]]]
"""Of each row its type, its name, and counts by bucket, as a worker tells them."""


class Rows:
    """A histogram for each row, by type and name."""

    def __init__(self) -> None:
        self._histograms: dict[tuple[str, str], Histogram] = {}
        self._recorders: dict[tuple[str, str], Callable[[int], None]] = {}

    def __iter__(self) -> Iterator[tuple[str, str, Histogram]]:
        """Go through type, name and histogram of all rows with counts, in alphabetical order."""
        for (kind, name), histogram in sorted(self._histograms.items(), key=lambda item: item[0]):
            if histogram.count:
                yield kind, name, histogram

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        # Named, and not used: a dict of what is left over would cost a third of all this.
        response_length: int = 0,
        exception: object = None,
        context: object = None,
        start_time: object = None,
        url: object = None,
        response: object = None,
        **_: Any,
    ) -> None:
        """Record a row, whose time is in milliseconds: a listener of `events.request`."""
        if response_time is None:
            return
        record = self._recorders.get((request_type, name))
        if record is None:
            if not request_type.startswith(PREFIX):
                return
            record = self._histogram(request_type, name).record
            self._recorders[request_type, name] = record
        record(int(response_time * 1000.0 + 0.5))

    def clear(self) -> None:
        """Forget all rows."""
        self._histograms.clear()
        self._recorders.clear()

    def take(self) -> Report:
        """Return what was recorded since the last time, for the master, and begin anew."""
        return [(kind, name, histogram.take_counts()) for kind, name, histogram in self]

    def add(self, report: Iterable[tuple[str, str, dict[int, int]]]) -> None:
        """Add what a worker has taken."""
        for kind, name, counts in report:
            self._histogram(kind, name).add_counts(counts)

    def total(self, kind: str) -> Histogram:
        """Return all rows of a type together."""
        total = Histogram()
        for each, _, histogram in self:
            if each == kind:
                total.merge(histogram)
        return total

    def _histogram(self, kind: str, name: str) -> Histogram:
        return self._histograms.setdefault((kind, name), Histogram())


_rows: WeakKeyDictionary[Environment, Rows] = WeakKeyDictionary()


def rows_of(environment: Environment) -> Rows:
    """Return the rows of an environment, which has some from now on.

    At a master they are those of all workers, as far as these have reported.
    """
    rows = _rows.get(environment)
    if rows is None:
        rows = _rows[environment] = Rows()
    return rows


def use_fine_buckets() -> None:
    """Have Locust itself keep three digits of all response times, in its own tables too.

    To be called where the locustfile begins, in each process. Locust's web tables, its charts and
    its report then show fractions of a millisecond; its table on the terminal and its CSV cut
    them off as before. A row may take 900 buckets for each power of ten, where it took 90.
    """
    # Annotated as whole numbers there; keys, and what is shown of them, may as well be fractions.
    rounding: Any = _round_to_three_digits
    stats.bucket_response_time = rounding


def _round_to_three_digits(milliseconds: float) -> float:
    if milliseconds < 1.0:
        return round(milliseconds, 3)
    return round(milliseconds, 2 - floor(log10(milliseconds)))
