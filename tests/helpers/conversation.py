"""What a test of a conversation needs in both worlds: others beside the loop, and a record of it.

    world = world_of(session_class)
    sender = world.spawn(websocket.send_text, "hi")
    events = converse(websocket.connect(session_class=session_class), {Ready: say_hello})
    sender.result()

`wire` says how a scripted server is reached, over plain TCP or over TLS.
"""

from __future__ import annotations

import ctypes
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import gevent
import gevent.event
import psutil
import pytest

from lomond.events import Closed, ConnectFail, Connecting, Disconnected, Event, Poll
from lomond.session import WebsocketSession
from lomond.websocket import WebSocket
from lomond_gevent import GeventSession
from tests.helpers.certificates import Certificates
from tests.helpers.scripted_server import Script, ScriptedServer

__all__ = [
    "LATE",
    "PATIENCE",
    "Clock",
    "Interrupted",
    "Stopwatch",
    "Task",
    "Wire",
    "World",
    "converse",
    "ending_of",
    "error_of",
    "is_in_time",
    "make_wire",
    "names_of",
    "open_sockets_to",
    "patch_resolver",
    "read_until",
    "shrink_buffers",
    "with_small_buffers",
    "world_of",
]

# How long anything may take that is not what a test measures, in seconds.
PATIENCE = 20.0
# How much later than its deadline a connection may end, in seconds.
LATE = 0.25


class Interrupted(BaseException):
    """What `Task.interrupt` raises within a thread."""


class Task(Protocol):
    """A function that runs beside the loop."""

    def result(self) -> Any:
        """Wait for its end; return what it returned, or raise what it raised."""

    def interrupt(self) -> None:
        """End it where it stands, by an exception that is no Exception; do not wait for that."""


class World(Protocol):
    """Threads or greenlets: whatever the session class runs on."""

    def spawn(self, function: Callable[..., Any], *args: Any) -> Task:
        """Run a function beside the loop."""

    def sleep(self, seconds: float) -> object:
        """Let the others go on for so long."""

    def make_event(self) -> Any:
        """Make an event that others can wait for."""


class ThreadTask(threading.Thread):
    """A function in a thread."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        super().__init__(daemon=True)
        self._function, self._args = function, args
        self._outcome: tuple[Any, BaseException | None] = (None, None)
        self.start()

    def run(self) -> None:
        try:
            self._outcome = (self._function(*self._args), None)
        except BaseException as error:  # raised again by `result`
            self._outcome = (None, error)

    def result(self) -> Any:
        self.join(PATIENCE)
        assert not self.is_alive(), f"{self._function} still runs after {PATIENCE} s"
        value, error = self._outcome
        if error is not None:
            raise error
        return value

    def interrupt(self) -> None:
        assert self.ident is not None
        raised_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        assert raised_in(ctypes.c_ulong(self.ident), ctypes.py_object(Interrupted)) == 1


class GreenletTask:
    """A function in a greenlet."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._greenlet = gevent.Greenlet(self._run, function, args)
        self._greenlet.start()

    @staticmethod
    def _run(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        # Not raised here: the hub would print it.
        try:
            return function(*args), None
        except BaseException as error:  # raised again by `result`
            return None, error

    def result(self) -> Any:
        value, error = self._greenlet.get(timeout=PATIENCE)
        if error is not None:
            raise error
        return value

    def interrupt(self) -> None:
        self._greenlet.kill(Interrupted, block=False)


class Threads:
    """The world of `WebsocketSession`."""

    spawn = staticmethod(lambda function, *args: ThreadTask(function, args))
    sleep = staticmethod(time.sleep)
    make_event = staticmethod(threading.Event)


class Greenlets:
    """The world of `GeventSession`."""

    spawn = staticmethod(lambda function, *args: GreenletTask(function, args))
    sleep = staticmethod(gevent.sleep)
    make_event = staticmethod(gevent.event.Event)


def world_of(session_class: type[WebsocketSession]) -> World:
    """Return the world that a session class runs in."""
    return Greenlets() if issubclass(session_class, GeventSession) else Threads()


class Wire(NamedTuple):
    """How a client and a scripted server are joined."""

    name: str
    certificates: Certificates | None

    @property
    def options(self) -> dict[str, Any]:
        """What a WebSocket needs to trust the server."""
        return {} if self.certificates is None else {"ssl_cafile": self.certificates.ca_file}

    def server(self, script: Script, **options: Any) -> ScriptedServer:
        """Make a server that does what the script says."""
        context = None if self.certificates is None else self.certificates.server_context()
        return ScriptedServer(script, tls=context, **options)

    def websocket(self, server: ScriptedServer, **options: Any) -> WebSocket:
        """Make a client of it."""
        return WebSocket(server.url, **self.options, **options)


def make_wire(name: str, certificates: Certificates) -> Wire:
    """Make a wire of this name, "tcp" or "tls"."""
    return Wire(name, certificates if name == "tls" else None)


Actions = Mapping[type[Event], Callable[[Event], object]]


def converse(events: Iterable[Event], actions: Actions | None = None) -> list[Event]:
    """Read all events of a connection, and do at each what there is for its class to do."""
    seen = []
    for event in events:
        seen.append(event)
        action = (actions or {}).get(type(event))
        if action is not None:
            action(event)
    return seen


def read_until(events: Iterable[Event], kind: type[Event]) -> Event:
    """Read events up to the first of this class, and return it."""
    for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the connection ended without {kind.__name__}")


def names_of(events: Iterable[Event]) -> list[str]:
    """Return the names of events, without polls: how many there are is a matter of time."""
    return [event.name for event in events if event.name != "poll"]


def ending_of(events: list[Event]) -> Any:
    """Return the terminal event of one connection, which is its only one, and the last."""
    assert isinstance(events[0], Connecting)
    ends = [event for event in events if isinstance(event, (ConnectFail, Disconnected))]
    assert ends == events[-1:], f"not exactly one terminal event, at the end: {events}"
    if any(isinstance(event, Closed) for event in events):
        assert ends[0].graceful, "Closed was seen, but the end is not graceful"
    return ends[0]


def open_sockets_to(server: ScriptedServer) -> list[Any]:
    """Return this process's open sockets that are connected to a server, or connecting."""
    connections = psutil.Process().net_connections(kind="tcp")
    return [connection for connection in connections if connection.raddr == server.address]


class Clock:
    """The events of one connection, and when they came, in seconds since the first."""

    def __init__(self, stream: Iterable[Event], actions: Actions | None = None) -> None:
        self.times: list[float] = []
        started = time.monotonic()

        def note_times() -> Iterator[Event]:
            for event in stream:
                self.times.append(time.monotonic() - started)
                yield event

        self.events = converse(note_times(), actions)

    @property
    def end(self) -> Any:
        """The terminal event."""
        return ending_of(self.events)

    def times_of(self, kind: type[Event]) -> list[float]:
        """Return when events of this class came."""
        pairs = zip(self.events, self.times, strict=True)
        return [time for event, time in pairs if isinstance(event, kind)]

    def until_end(self, kind: type[Event] = Connecting) -> float:
        """Return how long after the first event of this class the end came."""
        return self.times[-1] - self.times_of(kind)[0]

    def check_polls(self, poll: float, late: float = LATE) -> None:
        """Fail unless polls came in step: none early, none late, none missing up to the end."""
        times = self.times_of(Poll)
        expected = round((self.times[-1] - times[0] - late) // poll)
        assert len(times) >= max(2, expected), f"polls are missing: {times}"
        for number, seconds in enumerate(times):
            due = times[0] + number * poll
            assert is_in_time(seconds, due, late), f"poll {number} was due at {due}: {times}"


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long that is ago."""
        return time.monotonic() - self._started


def is_in_time(seconds: float, deadline: float, late: float = LATE) -> bool:
    """Tell whether something came not before its deadline, nor more than `late` after it."""
    # Deadline and stopwatch start a moment apart.
    return deadline - 0.01 <= seconds <= deadline + late


def error_of(function: Callable[..., object], *args: object) -> Exception | None:
    """Call a function, and return what it raises."""
    try:
        function(*args)
    except Exception as error:
        return error
    return None


def shrink_buffers(connected: socket.socket) -> None:
    """Have the kernel keep little, so that who writes has to wait for who reads."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        connected.setsockopt(socket.SOL_SOCKET, option, 64 * 1024)


def with_small_buffers(session_class: type[WebsocketSession]) -> type[WebsocketSession]:
    """Return the session class, but on sockets with small buffers."""

    class SmallTransport(session_class.transport_class):
        def make_socket(self, address: Any) -> socket.socket:
            made: socket.socket = super().make_socket(address)
            shrink_buffers(made)
            return made

    class SmallSession(session_class):
        transport_class = SmallTransport

    return SmallSession


def patch_resolver(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[str, int], list[Any]]
) -> None:
    """Have names looked up by `answer` in both worlds; addresses need no resolver."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: int) -> list[Any]:
        is_literal = len(args) == 4 and args[3] & socket.AI_NUMERICHOST
        return look_up(host, port, *args) if is_literal else answer(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(gevent.get_hub().resolver, "getaddrinfo", getaddrinfo)
