"""Sending at the right moment, for all clients of a process, from one greenlet.

A message that takes long to reach the kernel holds up nobody but its own client: while the
pacer's greenlet waits inside of a send, the hub goes on, and hands the schedule to another
greenlet. What becomes due for a client that is still sending waits in that client's queue, and
counts from the time that it was due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from math import inf
from time import monotonic as clock
from typing import Any, Protocol

import gevent
from gevent import get_hub
from gevent.event import Event

# The hub's timers are no finer than a millisecond. So what is due within the next one is sent
# now, and counts from when it was sent: its latency holds neither that millisecond nor the wait
# for it.
EARLY = 0.001
# After so many sends in a row the answers are read.
LARGEST_GROUP = 50
# Long enough for the hub to look at its sockets.
MOMENT = 1e-6


class Sender(Protocol):
    """A client, as far as the pacer knows it."""

    is_sending: bool

    def send_due(self, due: float) -> None:
        """Send the message that was due then; may wait for the kernel."""


class Agenda:
    """Sends that were asked for one by one: a client's next after its think time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Sender]] = []
        self._order = count()

    @property
    def due(self) -> float:
        """Return when the next is due; inf without one."""
        return self._heap[0][0] if self._heap else inf

    def add(self, due: float, sender: Sender) -> None:
        """Have a client send at a time."""
        heappush(self._heap, (due, next(self._order), sender))

    def take(self) -> Sender | None:
        """Return whose message is due next, and go on to the one after it."""
        return heappop(self._heap)[2]


class Schedule:
    """Sends at a rate that waits for nobody; each connected client has its turn."""

    def __init__(self, times: Iterator[float], on_skip: Callable[[], None], step: int = 1) -> None:
        """Take the times (monotonic), and what to call for one when nobody is connected.

        With a `step` so many messages share the time of the first of them: clients in lockstep.
        """
        self._times = times
        self._on_skip = on_skip
        self._step = step
        self._left = step
        self.taken = 0
        """How many have had their turn, whether or not there was somebody to send them."""
        self._ring: deque[Sender] = deque()
        # Of each in the ring, whether it takes part: who does not is left out when its turn comes,
        # for a search through thousands for each that is lost would hold up the others.
        self._takes_part: dict[Sender, bool] = {}
        self.due = next(times, inf)
        """When the next is due; inf when there are no more."""

    def join(self, sender: Sender) -> None:
        """Let a client take part."""
        if sender not in self._takes_part:
            self._ring.append(sender)
        self._takes_part[sender] = True

    def part(self, sender: Sender) -> None:
        """Leave a client out from now on."""
        if sender in self._takes_part:
            self._takes_part[sender] = False

    def take(self) -> Sender | None:
        """Return whose message is due next, None if nobody is there; go on to the next."""
        self._left -= 1
        self.taken += 1
        due = next(self._times, inf)
        if not self._left or due == inf:
            self._left = self._step
            self.due = due
        while self._ring:
            sender = self._ring.popleft()
            if self._takes_part[sender]:
                self._ring.append(sender)
                return sender
            del self._takes_part[sender]
        self._on_skip()
        return None


class Pacer:
    """Follow an agenda or a schedule."""

    def __init__(self, work: Agenda | Schedule) -> None:
        self.work = work
        # Whoever holds the newest turn sends; others finish what they are at.
        self._turn = 0
        self._is_inside_send = False
        self._is_stopped = True
        self._wake = Event()
        self._wakes_at = -inf
        self._watcher: Any = None
        self._greenlets: set[Any] = set()
        self._queues: dict[Sender, deque[float]] = {}

    def start(self) -> None:
        """Begin, in a greenlet of its own."""
        self._is_stopped = False
        self._watcher = get_hub().loop.prepare(ref=False)
        self._spawn()

    def stop(self) -> int:
        """Send nothing new any more; return how many messages waited behind others."""
        self._is_stopped = True
        self._wake.set()
        return sum(map(len, self._queues.values()))

    def close(self) -> None:
        """Leave nothing behind, also of sends that still wait."""
        self.stop()
        gevent.killall(list(self._greenlets))
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def add(self, due: float, sender: Sender) -> None:
        """Have a client of an agenda send at a time."""
        assert isinstance(self.work, Agenda), "a schedule has its own times"
        self.work.add(due, sender)
        if due < self._wakes_at:
            self._wake.set()

    def _spawn(self) -> None:
        self._turn += 1
        greenlet = gevent.spawn(self._run, self._turn)
        self._greenlets.add(greenlet)
        greenlet.rawlink(self._greenlets.discard)

    def _run(self, turn: int) -> None:
        while not self._is_stopped and self._send_group(turn):
            wait = self.work.due - EARLY - clock()
            if wait <= 0:
                gevent.sleep(MOMENT)
                continue
            self._wakes_at = self.work.due
            self._wake.wait(None if wait == inf else wait)
            self._wake.clear()

    def _send_group(self, turn: int) -> bool:
        """Send what is due; return whether this greenlet is still the one to do so."""
        work, horizon = self.work, clock() + EARLY
        self._watcher.start(self._relieve)
        try:
            for _ in range(LARGEST_GROUP):
                due = work.due
                if due > horizon:
                    break
                sender = work.take()
                if sender is not None and not self._send(sender, due, turn):
                    return False
        finally:
            if turn == self._turn and self._watcher is not None:
                self._watcher.stop()
        return True

    def _send(self, sender: Sender, due: float, turn: int) -> bool:
        if sender.is_sending:
            self._queues.setdefault(sender, deque()).append(due)
            return True
        self._is_inside_send = sender.is_sending = True
        try:
            sender.send_due(due)
            if turn == self._turn:
                self._is_inside_send = False
                return True
            # Somebody else has taken over; what has queued up meanwhile is still this one's.
            queue = self._queues.get(sender, ())
            while queue and not self._is_stopped:
                sender.send_due(queue.popleft())
            return False
        finally:
            sender.is_sending = False
            if turn != self._turn:
                self._queues.pop(sender, None)

    def _relieve(self) -> None:
        # In the hub, which runs only when the sending greenlet waits.
        if self._is_inside_send:
            self._is_inside_send = False
            self._watcher.stop()
            self._spawn()
