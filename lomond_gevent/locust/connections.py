"""How many WebSockets are open: counted in each process, summed at the master.

The socket of a user calls `opened()` and `closed()`. What is shown of it is in `page`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypedDict
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from locust.env import Environment


class Report(TypedDict):
    """What a worker tells: how many are open, and how many opened and closed since the last."""

    open: int
    opened: int
    closed: int


class Gauge:
    """Open sockets of a process and, at the master, of its workers as they told last."""

    def __init__(self) -> None:
        self.opened = 0
        """How many were opened since the statistics began, here and at the workers."""
        self.closed = 0
        """How many of them, or of those that were open before, have ended."""
        self._open = 0
        self._open_at: dict[str, int] = {}

    @property
    def open(self) -> int:
        """Return how many are open now."""
        return self._open + sum(self._open_at.values())

    def count_opened(self) -> None:
        """Count a socket of this process that is open from now on."""
        self._open += 1
        self.opened += 1

    def count_closed(self) -> None:
        """Count a socket of this process that is no longer open."""
        self._open -= 1
        self.closed += 1

    def reset(self) -> None:
        """Begin the totals anew; what is open stays open."""
        self.opened = self.closed = 0

    def take(self) -> Report:
        """Return what to tell the master, and begin the totals anew."""
        report = Report(open=self._open, opened=self.opened, closed=self.closed)
        self.reset()
        return report

    def add(self, worker: str, report: Report) -> None:
        """Add what a worker told."""
        self._open_at[worker] = report["open"]
        self.opened += report["opened"]
        self.closed += report["closed"]

    def keep(self, workers: Collection[str]) -> None:
        """Forget what is open at all other workers: they are gone."""
        for worker in self._open_at.keys() - set(workers):
            del self._open_at[worker]


_gauges: WeakKeyDictionary[Environment, Gauge] = WeakKeyDictionary()


def gauge_of(environment: Environment) -> Gauge:
    """Return the gauge of an environment, which has one from now on."""
    gauge = _gauges.get(environment)
    if gauge is None:
        gauge = _gauges[environment] = Gauge()
    return gauge


def opened(environment: Environment) -> None:
    """Count a WebSocket whose upgrade has succeeded; `closed` is owed for it, once."""
    gauge_of(environment).count_opened()


def closed(environment: Environment) -> None:
    """Count the end, of whatever kind, of a WebSocket that was counted by `opened`."""
    gauge_of(environment).count_closed()
