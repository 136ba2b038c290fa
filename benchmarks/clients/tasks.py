"""The works, done by asyncio's tasks on uvloop: one for each connection.

A peer's file brings a coroutine that connects and an object with three verbs (`Connection`). The
same works, done by greenlets, are in `greenlets.py`.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter
from typing import Protocol

import uvloop
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

    async def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send each message once the answer to the last has come; return the last answer.

        `perf_counter()` goes to `times` with each answer.
        """

    async def flood(self, count: int) -> object:
        """Send `GO`, receive so many messages, and return the last."""

    async def rest(self) -> None:
        """Stay connected with nothing to say, until the connection ends."""


Connect = Callable[[Work, str], Awaitable[Connection]]
Act = Callable[[Connection], Awaitable[None]]


class Crowd:
    """Connections, each in a task of its own; all begin to work at the same moment."""

    def __init__(self, connect: Connect, work: Work) -> None:
        self.meter = Meter(work.server_pid)
        self._work = work
        self._connect = connect
        self._turnstile = asyncio.Semaphore(AT_ONCE)
        self._members: list[asyncio.Task[None]] = []
        self._expected = self._connected = 0
        self._complete = asyncio.Event()
        self._start = asyncio.Event()

    async def spawn(self, act: Act, url: str, count: int) -> None:
        """Connect so many times; from `begin` on, each does `act` with its connection."""
        self._expected += count
        self._complete.clear()
        for _ in range(count):
            await self._turnstile.acquire()
            self._members.append(asyncio.ensure_future(self._live(act, url)))

    async def _live(self, act: Act, url: str) -> None:
        try:
            connection = await self._connect(self._work, url)
            self._turnstile.release()
            self._connected += 1
            if self._connected == self._expected:
                self._complete.set()
            await self._start.wait()
            await act(connection)
        except Exception as error:
            fail(repr(error))

    async def begin(self) -> None:
        """Wait until all are connected, and let them work, which is measured."""
        await self._complete.wait()
        self.meter.start()
        self._start.set()

    async def join(self) -> None:
        """Wait until all are done, which ends the measurement."""
        await asyncio.gather(*self._members)
        self.meter.stop()

    async def rest(self, count: int) -> None:
        """Make connections which then rest; the making is measured."""
        self._start.set()
        self.meter.start()
        await self.spawn(rest, self._work.echo_url, count)
        await self._complete.wait()
        self.meter.stop()


async def rest(connection: Connection) -> None:
    """Have one connection at rest for as long as this process lives."""
    await connection.rest()
    fail("a connection that was at rest has ended")


async def measure_echo(connect: Connect, work: Work) -> None:
    """Send messages on each connection, and have them come back."""
    before = read_resident_size()
    crowd = Crowd(connect, work)
    stamps: list[Times] = []
    *_, expected = work.make_messages()

    async def act(connection: Connection) -> None:
        times = array("d", [perf_counter()])
        stamps.append(times)
        if await connection.echo(work.make_messages(), times) != expected:
            fail("the last answer is not what was sent")

    await crowd.spawn(act, work.echo_url, work.connections)
    await crowd.begin()
    await crowd.join()
    resident = (read_resident_size() - before) // work.connections
    finish(crowd.meter, work.connections * work.messages, gaps_between(stamps), resident)


async def measure_flood(connect: Connect, work: Work) -> None:
    """Receive as fast as can be on each connection."""
    crowd = Crowd(connect, work)

    async def act(connection: Connection) -> None:
        if await connection.flood(work.messages) != FLOODED:
            fail("the last message of the flood is not what the server sends")

    await crowd.spawn(act, work.flood_url, work.connections)
    await crowd.begin()
    await crowd.join()
    finish(crowd.meter, work.connections * work.messages)


async def measure_connect(connect: Connect, work: Work) -> None:
    """Make connections, and see what they hold when they are at rest."""
    before = read_resident_size()
    crowd = Crowd(connect, work)
    await crowd.rest(work.connections)
    await asyncio.sleep(SETTLING)
    resident = (read_resident_size() - before) // work.connections
    finish(crowd.meter, work.connections, resident=resident)


async def measure_idle(connect: Connect, work: Work) -> None:
    """Have connections at rest for some time."""
    crowd = Crowd(connect, work)
    await crowd.rest(work.connections)
    await asyncio.sleep(SETTLING)
    crowd.meter.start()
    await asyncio.sleep(work.seconds)
    crowd.meter.stop()
    finish(crowd.meter, work.connections)


async def measure_hub(connect: Connect, work: Work) -> None:
    """See how late a ticker is while all connections echo and one more is flooded."""
    crowd = Crowd(connect, work)
    stamps: list[Times] = []
    lateness: list[float] = []

    async def act(connection: Connection) -> None:
        stamps.append(array("d"))
        await connection.echo(work.make_messages(), stamps[-1])

    async def be_flooded(connection: Connection) -> None:
        fail(await connection.flood(10**9))

    await crowd.spawn(act, work.echo_url, work.connections)
    await crowd.spawn(be_flooded, work.flood_url, 1)
    await crowd.begin()
    end = perf_counter() + work.seconds
    while (start := perf_counter()) < end:
        expect_tick()
        await asyncio.sleep(TICK)
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


async def measure(connect: Connect, work: Work) -> None:
    """Do one work; what is loaded with the first connection is nobody's cost of the next."""
    warm = Crowd(connect, work)
    await warm.rest(1)
    await MEASURES[work.verb](connect, work)


def run(connect: Connect) -> None:
    """Do what the command line asks for, on uvloop."""
    work = Work.from_command_line()
    uvloop.run(measure(connect, work))
