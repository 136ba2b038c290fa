"""An exchange on a transport without a socket, whose loop and senders are greenlets.

They hand over to the test wherever they wait, and the test has them go on when it likes:

    world = World(room=5)
    sender = world.send("hello")  # waits: the kernel has taken 5 bytes
    world.channel.room = inf
    sender.finish()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent, greenlet

from lomond.exchange import Exchange
from tests.helpers.fake_transport import Clock, FakeChannel, FakeTransport, Read
from tests.helpers.protocol import ready_client, tell_all

__all__ = ["BROKEN", "RESET", "TEXT", "Task", "World", "use_fake_clock"]

TEXT = b"\x81\x02hi"
RESET = ConnectionResetError(104, "Connection reset by peer")
BROKEN = BrokenPipeError(32, "Broken pipe")


class Lock:
    """The state lock, which knows whether it is held."""

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *exception: object) -> None:
        self.depth -= 1


class Gate:
    """What a sender waits on for its turn."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_open = False
        self.timeout: float | None = None

    def set(self) -> None:
        self.is_open = True

    def wait(self, timeout: float | None = None) -> bool:
        assert self._world.lock.depth == 0, "the lock is held while waiting"
        self.timeout = timeout
        getcurrent().parent.switch()
        return self.is_open


class World:
    """An exchange on a transport without a socket, at `Ready` at 0.0 unless told otherwise."""

    # Set by `use_fake_clock`.
    clock: Clock

    def __init__(
        self,
        reads: Iterable[Read] = (),
        takes: Iterable[int | BaseException] = (),
        room: float = inf,
        send_timeout: float | None = 30.0,
        client: Any = None,
        **settings: Any,
    ) -> None:
        self.lock = Lock()
        self.client = ready_client(**settings) if client is None else client
        self.channel = FakeChannel(reads, takes, room)
        self.transport = FakeTransport(channel=self.channel, clock=self.clock)
        self.gates: list[Gate] = []
        self.exchange = Exchange(
            self.client, self.transport, send_timeout, self.lock, self.make_gate
        )

    def make_gate(self) -> Gate:
        self.gates.append(Gate(self))
        return self.gates[-1]

    def spawn(self, function: Callable[..., Any], *args: Any) -> Task:
        """Run a function up to the first place where it waits."""
        task = Task(self, function, args)
        task.resume()
        return task

    def send(self, text: str) -> Task:
        """Have a greenlet send a text."""
        return self.spawn(self.exchange.send, self.client.send_text, text)

    def read(self) -> list[tuple[object, ...]]:
        """Read once, in no greenlet: a wait ends by itself."""
        return tell_all(self.exchange.read())

    def read_to_end(self) -> list[tuple[object, ...]]:
        told: list[tuple[object, ...]] = []
        while not self.exchange.has_ended:
            told += self.read()
        return told


class Task:
    """A function in a greenlet."""

    def __init__(self, world: World, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._world, self._function, self._args = world, function, args
        self._greenlet = greenlet(self._run)
        self.result: Any = None
        self.error: BaseException | None = None

    def _run(self) -> None:
        try:
            self.result = self._function(*self._args)
        except BaseException as error:  # looked at by the test
            self.error = error

    @property
    def is_done(self) -> bool:
        return bool(self._greenlet.dead)

    def resume(self) -> None:
        """Wake it, and let it go on to the next place where it waits."""
        self._greenlet.switch()
        assert self._world.lock.depth == 0, "the lock is held while waiting"

    def finish(self) -> None:
        """Wake it until it is done."""
        for _ in range(9):
            if self.is_done:
                return
            self.resume()
        raise AssertionError("it still waits")

    def kill(self) -> None:
        self._greenlet.throw(GreenletExit)
        assert self.is_done


def use_fake_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the exchanges of one test look at a clock that only waits move."""
    World.clock = Clock()
    monkeypatch.setattr("lomond.exchange.monotonic", World.clock)
