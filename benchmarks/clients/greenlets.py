"""The works, done by greenlets: one for each connection, as gevent's users write it.

A peer's file brings a function that connects and an object with three verbs (`Connection`). The
same works, done by asyncio's tasks, are in `tasks.py`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from work import (
    AT_ONCE,
    FLOODED,
    SETTLING,
    TICK,
    Message,
    Meter,
    Times,
    Work,
    expect_tick,
    fail,
    finish,
    gaps_between,
    read_resident_size,
)


class Connection(Protocol):
    """What a peer's file makes of a connection."""

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send each message once the answer to the last has come; return the last answer.

        `perf_counter()` goes to `times` with each answer.
        """

    def flood(self, count: int) -> object:
        """Send `GO`, receive so many messages, and return the last."""

    def rest(self) -> None:
        """Stay connected with nothing to say, until the connection ends."""


Connect = Callable[[Work, str], Connection]
Act = Callable[[Connection], None]


class Crowd:
    """Connections, each in a greenlet of its own; all begin to work at the same moment."""

    def __init__(self, connect: Connect, work: Work) -> None:
        self.meter = Meter(work.server_pid)
        self._work = work
        self._connect = connect
        self._turnstile = Semaphore(AT_ONCE)
        self._members: list[Any] = []
        self._expected = self._connected = 0
        self._complete = Event()
        self._start = Event()

    def spawn(self, act: Act, url: str, count: int) -> None:
        """Connect so many times; from `begin` on, each does `act` with its connection."""
        self._expected += count
        self._complete.clear()
        for _ in range(count):
            self._turnstile.acquire()
            self._members.append(gevent.spawn(self._live, act, url))

    def _live(self, act: Act, url: str) -> None:
        try:
            connection = self._connect(self._work, url)
            self._turnstile.release()
            self._connected += 1
            if self._connected == self._expected:
                self._complete.set()
            self._start.wait()
            act(connection)
        except Exception as error:
            fail(repr(error))

    def begin(self) -> None:
        """Wait until all are connected, and let them work, which is measured."""
        self._complete.wait()
        self.meter.start()
        self._start.set()

    def join(self) -> None:
        """Wait until all are done, which ends the measurement."""
        gevent.joinall(self._members)
        self.meter.stop()

    def rest(self, count: int) -> None:
        """Make connections which then rest; the making is measured."""
        self._start.set()
        self.meter.start()
        self.spawn(rest, self._work.echo_url, count)
        self._complete.wait()
        self.meter.stop()


def rest(connection: Connection) -> None:
    """Have one connection at rest for as long as this process lives."""
    connection.rest()
    fail("a connection that was at rest has ended")


def measure_echo(connect: Connect, work: Work) -> None:
    """Send messages on each connection, and have them come back."""
    before = read_resident_size()
    crowd = Crowd(connect, work)
    stamps: list[Times] = []
    *_, expected = work.make_messages()

    def act(connection: Connection) -> None:
        times = array("d", [perf_counter()])
        stamps.append(times)
        if connection.echo(work.make_messages(), times) != expected:
            fail("the last answer is not what was sent")

    crowd.spawn(act, work.echo_url, work.connections)
    crowd.begin()
    crowd.join()
    resident = (read_resident_size() - before) // work.connections
    finish(crowd.meter, work.connections * work.messages, gaps_between(stamps), resident)


def measure_flood(connect: Connect, work: Work) -> None:
    """Receive as fast as can be on each connection."""
    crowd = Crowd(connect, work)

    def act(connection: Connection) -> None:
        if connection.flood(work.messages) != FLOODED:
            fail("the last message of the flood is not what the server sends")

    crowd.spawn(act, work.flood_url, work.connections)
    crowd.begin()
    crowd.join()
    finish(crowd.meter, work.connections * work.messages)


def measure_connect(connect: Connect, work: Work) -> None:
    """Make connections, and see what they hold when they are at rest."""
    before = read_resident_size()
    crowd = Crowd(connect, work)
    crowd.rest(work.connections)
    gevent.sleep(SETTLING)
    resident = (read_resident_size() - before) // work.connections
    finish(crowd.meter, work.connections, resident=resident)


def measure_idle(connect: Connect, work: Work) -> None:
    """Have connections at rest for some time."""
    crowd = Crowd(connect, work)
    crowd.rest(work.connections)
    gevent.sleep(SETTLING)
    crowd.meter.start()
    gevent.sleep(work.seconds)
    crowd.meter.stop()
    finish(crowd.meter, work.connections)


def measure_hub(connect: Connect, work: Work) -> None:
    """See how late a ticker is while all connections echo and one more is flooded."""
    crowd = Crowd(connect, work)
    stamps: list[Times] = []
    lateness: list[float] = []

    def act(connection: Connection) -> None:
        stamps.append(array("d"))
        connection.echo(work.make_messages(), stamps[-1])

    crowd.spawn(act, work.echo_url, work.connections)
    crowd.spawn(lambda connection: fail(connection.flood(10**9)), work.flood_url, 1)
    crowd.begin()
    end = perf_counter() + work.seconds
    while (start := perf_counter()) < end:
        expect_tick()
        gevent.sleep(TICK)
        lateness.append(max(0.0, perf_counter() - start - TICK))
    crowd.meter.stop()
    finish(crowd.meter, sum(map(len, stamps)), sorted(lateness))


MEASURES = {
    "echo": measure_echo,
    "flood": measure_flood,
    "connect": measure_connect,
    "idle": measure_idle,
    "hub": measure_hub,
}


def run(connect: Connect) -> None:
    """Do what the command line asks for."""
    work = Work.from_command_line()
    # What is only loaded or made with the first connection is nobody's cost of the next.
    warm = Crowd(connect, work)
    warm.rest(1)
    MEASURES[work.verb](connect, work)
