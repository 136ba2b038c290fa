"""A transport without a socket: what it reads and takes is a list, and waiting costs no time.

    channel = FakeChannel(reads=[b"\\x81\\x02hi", None, b"", ConnectionResetError()])

Of `reads` each `receive` returns the next: bytes, None for "nothing yet", `b""` for the end of the
stream; an exception is raised, and a function is called with all that was sent so far. Of `takes`
each `send` takes the next number of bytes, or raises it; once the list is empty, all of them. Or
`room` says how many bytes the kernel takes in all, until a test makes more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, TypeAlias

from greenlet import getcurrent

from lomond.dialing import Address
from lomond.events import Event
from lomond.route import Route
from lomond.session import WebsocketSession
from lomond.transport import ExitEvent, Transport
from lomond.websocket import WebSocket
from tests.helpers.frames import parse_client_frames
from tests.helpers.scripted_server import upgrade_answer

__all__ = [
    "Clock",
    "FakeChannel",
    "FakeTransport",
    "Read",
    "accept",
    "accept_with",
    "frames_behind_request",
    "scripted",
    "start",
]

Read: TypeAlias = bytes | BaseException | Callable[[bytes], bytes] | None


class Clock:
    """A clock that a test sets, in place of `monotonic`."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeChannel:
    """Bytes from a list, and into one."""

    def __init__(
        self,
        reads: Iterable[Read] = (),
        takes: Iterable[int | BaseException] = (),
        room: float = inf,
    ) -> None:
        self.is_ready = False
        self.room = room
        self.reads: deque[Read] = deque(reads)
        self.takes = deque(takes)
        self.sent = bytearray()
        self.calls: list[str] = []

    def receive(self, missing: int = 0) -> bytes | None:
        """Return the next of `reads`."""
        read = self.reads.popleft() if self.reads else None
        if isinstance(read, BaseException):
            raise read
        return read(bytes(self.sent)) if callable(read) else read

    def send(self, data: bytes | memoryview) -> int:
        """Take as much as the next of `takes` says."""
        size = self.takes.popleft() if self.takes else min(len(data), self.room)
        if isinstance(size, BaseException):
            raise size
        taken = bytes(data[: int(size)])
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def flush(self) -> bool:
        """Keep nothing back."""
        return True

    def unread(self, data: bytes) -> None:
        """Return this before the rest of `reads`."""
        self.reads.appendleft(data)

    def close(self) -> None:
        """Note it."""
        self.calls.append("close")

    def frames(self) -> list[tuple[int, bytes]]:
        """Return the frames that were sent: first bytes and payloads."""
        return parse_client_frames(self.sent)


class FakeTransport(Transport):
    """A transport on a fake channel.

    A greenlet that waits hands over to its parent, which wakes it by `switch`. Whoever waits
    outside of greenlets is woken at once: by the next read, or else at the deadline, which `clock`
    is then set to.
    """

    def __init__(
        self,
        exit_event: ExitEvent | None = None,
        *,
        channel: FakeChannel | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(exit_event)
        self.fake = FakeChannel() if channel is None else channel
        self.channel = self.fake
        self.clock = clock
        self.waits: list[tuple[Any, ...]] = []
        self.calls = self.fake.calls
        self.is_time = False
        """What a wait of the loop returns."""

    def connect(self, route: Route, deadline: float) -> None:
        """Be connected already."""
        self.timings = {"tcp": 0.25}

    def look_up(self, host: str, port: int, deadline: float) -> list[Address]:
        """Never be asked."""
        raise NotImplementedError

    make_socket = look_up

    def wait(self, deadline: float, readable: bool = True, writable: bool = False) -> bool:
        """Wait, as the loop does."""
        self.waits.append(("wait", deadline, readable, writable))
        self._wait(deadline)
        return self.is_time

    def wait_to_send(self, deadline: float, readable: bool = False) -> None:
        """Wait, as a sender does."""
        self.waits.append(("wait_to_send", deadline, readable))
        self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        parent = getcurrent().parent
        if parent is not None:
            parent.switch()
        elif not self.fake.reads or self.fake.reads[0] is None:
            assert self.clock is not None, "nothing more is read: this would wait for ever"
            assert deadline < inf, "nothing is due: this would wait for ever"
            self.clock.now = max(self.clock.now, deadline)

    def wake(self) -> None:
        """Note it."""
        self.calls.append("wake")

    def shut_down(self) -> None:
        """Note it."""
        self.calls.append("shut_down")

    def close(self, reset: bool = False) -> None:
        """Note it, once."""
        if "close" not in self.calls and "reset" not in self.calls:
            self.calls.append("reset" if reset else "close")


def accept(sent: bytes) -> bytes:
    """Answer the upgrade request, as one of a channel's reads."""
    return upgrade_answer(sent)


def accept_with(*extra_headers: str, rest: bytes = b"") -> Callable[[bytes], bytes]:
    """Make an answer with further headers, and frames behind it."""
    return lambda sent: upgrade_answer(sent, *extra_headers) + rest


def scripted(
    *reads: Read, takes: Iterable[int | BaseException] = ()
) -> tuple[type[WebsocketSession], FakeChannel]:
    """Make a session class that reads this, and the channel that it writes to."""
    channel = FakeChannel(reads, takes)

    class ScriptedSession(WebsocketSession):
        transport_class = staticmethod(
            lambda exit_event: FakeTransport(exit_event, channel=channel)
        )

    return ScriptedSession, channel


def start(
    websocket: WebSocket, *reads: Read, until: str = "ready", **options: Any
) -> tuple[Any, FakeChannel, list[Event]]:
    """Connect to a server that sends `reads`, and go on up to an event.

    Return the iterator, the channel, and the events so far.
    """
    session_class, channel = scripted(*reads)
    run = websocket.connect(session_class=session_class, **options)
    seen: list[Event] = []
    for event in run:
        seen.append(event)
        if event.name == until:
            return run, channel, seen
    raise AssertionError(f"no {until}: {seen}")


def frames_behind_request(channel: FakeChannel) -> list[tuple[int, bytes]]:
    """Return the frames that were sent behind the upgrade request."""
    _, _, frames = bytes(channel.sent).partition(b"\r\n\r\n")
    return parse_client_frames(frames)
