"""What a test of a conversation needs in both worlds: others beside the loop, and a record of it.

    world = world_of(session_class)
    sender = world.spawn(websocket.send_text, "hi")
    events = converse(websocket.connect(session_class=session_class), {Ready: say_hello})
    sender.result()

`wire` says how a scripted server is reached, over plain TCP or over TLS.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import gevent
import gevent.event
import psutil

from lomond.events import Closed, Connecting, ConnectFail, Disconnected, Event
from lomond.session import WebsocketSession
from lomond.websocket import WebSocket
from lomond_gevent import GeventSession
from tests.helpers.certificates import Certificates
from tests.helpers.scripted_server import Script, ScriptedServer

__all__ = [
    "LATE",
    "PATIENCE",
    "Interrupted",
    "Task",
    "Wire",
    "World",
    "converse",
    "ending_of",
    "make_wire",
    "names_of",
    "open_sockets_to",
    "read_until",
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
