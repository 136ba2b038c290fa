"""A client in a greenlet of its own, and what tests want to know of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.event import Event as Signal

from lomond.events import Event
from lomond.websocket import WebSocket
from lomond_gevent import GeventSession, connect
from tests.helpers.conversation import PATIENCE, with_small_buffers

__all__ = ["Client", "ticking", "wait_until"]


class Client:
    """Iterates over a connection in a greenlet; `events` are those that have come so far."""

    def __init__(
        self,
        websocket: WebSocket,
        handler: Callable[[Event], object] | None = None,
        *,
        small_buffers: bool = False,
        **options: Any,
    ) -> None:
        self.websocket = websocket
        self.events: list[Event] = []
        self._handler = handler
        self._came = Signal()
        if small_buffers:
            options["session_class"] = with_small_buffers(GeventSession)
        self._options = options
        self.greenlet = gevent.spawn(self._run)

    @property
    def names(self) -> list[str]:
        """The names of the events so far, without polls."""
        return [event.name for event in self.events if event.name != "poll"]

    def count(self, kind: type[Event]) -> int:
        """Return how many events of this class have come."""
        return sum(isinstance(event, kind) for event in self.events)

    def wait_for(self, kind: type[Event], number: int = 1) -> Any:
        """Wait for the so-manyth event of this class, and return it."""
        wait_until(lambda: self.count(kind) >= number, f"{kind.__name__} in {self.events}")
        return [event for event in self.events if isinstance(event, kind)][number - 1]

    def end(self) -> Any:
        """Wait for the end of the loop; return the last event, or raise what ended it."""
        self.greenlet.get(timeout=PATIENCE)
        return self.events[-1]

    def stop(self) -> None:
        """Close, and wait for the end."""
        self.websocket.close()
        self.end()

    def _run(self) -> None:
        for event in connect(self.websocket, **self._options):
            self.events.append(event)
            if self._handler is not None:
                self._handler(event)


def wait_until(condition: Callable[[], object], what: object = "it") -> None:
    """Let the others go on until something has come true."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        gevent.sleep(0.001)


@contextmanager
def ticking(interval: float = 0.01) -> Iterator[list[float]]:
    """Measure how late a neighbour is woken that sleeps for `interval` again and again.

    Each item is how many seconds a tick was late.
    """
    late: list[float] = []

    def tick() -> None:
        while True:
            due = time.monotonic() + interval
            gevent.sleep(interval)
            late.append(time.monotonic() - due)

    ticker = gevent.spawn(tick)
    gevent.sleep(0)
    try:
        yield late
    finally:
        ticker.kill()
