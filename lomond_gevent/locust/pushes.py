"""Received messages that are counted, and told to Locust's statistics once a second.

Locust takes 5 to 8 µs for a fired row, which is more than receiving a message takes here. So the
messages of a second are added up by name, and enter the statistics as what a worker reports would:
by `StatsEntry.extend`, which sees to totals, rates and lengths. They have no time, and so no part
in percentiles.
"""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gevent
from locust.stats import StatsEntry

from lomond_gevent.locust.rows import WSR

if TYPE_CHECKING:
    from locust.env import Environment


class Count:
    """Messages of one name that the statistics do not know of yet.

    Whoever receives adds to both numbers, after `begin` where there are none: a method for each
    message would take as long as all the rest of counting it.
    """

    __slots__ = ("_pushes", "bytes", "messages", "name")

    def __init__(self, pushes: Pushes, name: str) -> None:
        self._pushes = pushes
        self.name = name
        self.messages = 0
        self.bytes = 0

    def begin(self) -> None:
        """See to it that what is added up from now on is told when this second is over."""
        self._pushes.expect_flush()


class Pushes:
    """The counts of an environment."""

    def __init__(self, environment: Environment) -> None:
        self._stats = environment.stats
        self._counts: dict[str, Count] = {}
        self._flusher: Any = None
        # When the first of the counted messages came, in seconds since the epoch.
        self._began = 0.0

        def on_stop(**_arguments: object) -> None:
            self.flush()

        def on_spawned(**_arguments: object) -> None:
            if environment.reset_stats:
                # Locust forgets all that was before; these were.
                self._take()

        # Hooks have no annotations.
        events: Any = environment.events
        events.test_stop.add_listener(on_stop)
        events.spawning_complete.add_listener(on_spawned)

    def count_of(self, name: str) -> Count:
        """Return the count of a name, which is one for all sockets."""
        count = self._counts.get(name)
        if count is None:
            count = self._counts[name] = Count(self, name)
        return count

    def expect_flush(self) -> None:
        """See to it that what is counted from now on is told at the end of this second."""
        if self._flusher is None:
            self._began = time()
            # At the turn of the second, so that all of it belongs to one second of the rates.
            self._flusher = gevent.spawn_later(1 - self._began % 1, self.flush)

    def flush(self) -> None:
        """Tell the statistics."""
        second, now = int(self._began), time()
        for name, messages, length in self._take():
            entry = StatsEntry(self._stats, name, WSR)
            entry.num_requests = entry.num_none_requests = messages
            entry.total_content_length = length
            entry.num_reqs_per_sec[second] = messages
            entry.last_request_timestamp = now
            self._stats.entries[name, WSR].extend(entry)
            self._stats.total.extend(entry)

    def _take(self) -> list[tuple[str, int, int]]:
        flusher, self._flusher = self._flusher, None
        if flusher is not None and flusher is not gevent.getcurrent():
            flusher.kill(block=False)
        taken = []
        for count in self._counts.values():
            if count.messages:
                taken.append((count.name, count.messages, count.bytes))
                count.messages = count.bytes = 0
        return taken


_pushes: WeakKeyDictionary[Environment, Pushes] = WeakKeyDictionary()


def pushes_of(environment: Environment) -> Pushes:
    """Return the counts of an environment, which has some from now on."""
    pushes = _pushes.get(environment)
    if pushes is None:
        pushes = _pushes[environment] = Pushes(environment)
    return pushes
