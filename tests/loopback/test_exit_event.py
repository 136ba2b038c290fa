"""`exit_event` ends all of it: the wait at once, a live connection by Close 1001, within a second.

RFC 6455 §7.4.1: "1001 indicates that an endpoint is "going away", such as a server going down or a
browser having navigated away from a page."
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent.event
import pytest

from lomond import WebSocket, events
from lomond.persist import persist
from lomond.session import WebsocketSession
from lomond_gevent import GeventSession
from tests.helpers.conversation import (
    LATE,
    Stopwatch,
    Wire,
    World,
    converse,
    names_of,
    open_sockets_to,
    patch_resolver,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer

Session = type[WebsocketSession]

CLOSE = server_frame(0x88, close_payload(1000))
SERVE = [Peer.accept_upgrade, server_frame(0x81, b"hi") + CLOSE, Peer.read_frame]
LONG = {"min_wait": 60, "max_wait": 60}


def take(stream: Iterator[events.Event], kind: type[events.Event], count: int) -> list[Any]:
    """Read until there were so many events of a class, and return all events."""
    seen: list[Any] = []
    while sum(isinstance(event, kind) for event in seen) < count:
        seen.append(next(stream))
    return seen


@pytest.fixture(params=[threading.Event, gevent.event.Event], ids=["threading", "gevent"])
def exit_event(request: pytest.FixtureRequest) -> Any:
    return request.param()


def set_soon(world: World, exit_event: Any, condition: Callable[[], bool] = lambda: True) -> Any:
    """Set the event from beside the loop, once a condition holds; return the stopwatch's task."""

    def set_it() -> Stopwatch:
        while not condition():
            world.sleep(0.01)
        world.sleep(0.05)
        exit_event.set()
        return Stopwatch()

    return world.spawn(set_it)


def seen_within(exit_event: Any) -> float:
    """Return how long it takes until the event is seen: gevent's calls, threading's is asked."""
    return 0.0 if hasattr(exit_event, "rawlink") else 0.25


# gevent's event is for greenlets: what sets it in another thread does not wake this one.
beside = pytest.mark.parametrize(
    ("session_class", "exit_event"),
    [
        (WebsocketSession, threading.Event),
        (GeventSession, threading.Event),
        (GeventSession, gevent.event.Event),
    ],
    indirect=["exit_event"],
)


def test_exit_event_that_is_set_before_tries_nothing(
    tcp: Wire, session_class: Session, exit_event: Any
) -> None:
    exit_event.set()
    with tcp.server([]) as server:
        stream = persist(tcp.websocket(server), exit_event=exit_event, session_class=session_class)
        assert list(stream) == []
    assert server.peers == []


@pytest.mark.parametrize("kind", [events.Connecting, events.Connected])
def test_exit_event_set_while_connecting_gives_up(
    tcp: Wire, session_class: Session, exit_event: Any, kind: type[events.Event]
) -> None:
    with tcp.server([Peer.read_until_end]) as server:
        stream = persist(tcp.websocket(server), exit_event=exit_event, session_class=session_class)
        seen = converse(stream, {kind: lambda _: exit_event.set()})
        assert open_sockets_to(server) == []
    assert isinstance(seen[-1], (events.ConnectFail, events.Disconnected))
    assert seen[-1].kind == "closed"
    assert isinstance(seen[-2], kind)


def test_exit_event_set_at_an_event_closes_with_going_away(
    wire: Wire, session_class: Session, exit_event: Any
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        assert peer.read_frame() == (0x88, close_payload(1001))
        peer.send(server_frame(0x88, close_payload(1001)))

    with wire.server(script) as server:
        stream = persist(
            wire.websocket(server),
            ping_rate=0,
            exit_event=exit_event,
            session_class=session_class,
        )
        seen: list[Any] = converse(stream, {events.Ready: lambda _: exit_event.set()})
    assert names_of(seen)[2:] == ["ready", "closed", "disconnected"]
    assert (seen[-1].graceful, seen[-1].code, seen[-1].closed_by) == (True, 1001, "client")


def end_while_live(
    wire: Wire, session_class: Session, world: World, exit_event: Any, script: Any
) -> tuple[list[Any], float]:
    """Set the event while a connection is ready; return all events, and how long it took."""
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        stream = persist(websocket, exit_event=exit_event, session_class=session_class, ping_rate=0)
        setter = set_soon(
            world, exit_event, lambda: websocket.session and websocket.session.session_time > 0
        )
        seen = list(stream)
        return seen, setter.result().seconds


@beside
def test_exit_event_ends_a_live_connection(
    tcp: Wire, session_class: Session, world: World, exit_event: Any
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(*peer.read_frame()))

    seen, seconds = end_while_live(tcp, session_class, world, exit_event, script)
    assert names_of(seen)[-2:] == ["closed", "disconnected"]
    assert seen[-1].graceful
    assert seconds <= seen_within(exit_event) + LATE


def test_exit_event_gives_a_server_that_does_not_answer_a_second(
    tcp: Wire, session_class: Session, world: World
) -> None:
    script = [Peer.accept_upgrade, Peer.read_until_end]
    exit_event = world.make_event()
    seen, seconds = end_while_live(tcp, session_class, world, exit_event, script)
    assert (seen[-1].name, seen[-1].kind) == ("disconnected", "close_timeout")
    assert 1.0 <= seconds <= 1.0 + seen_within(exit_event) + LATE


@beside
def test_exit_event_ends_a_wait(
    tcp: Wire, session_class: Session, world: World, exit_event: Any
) -> None:
    with tcp.server(SERVE) as server:
        websocket = tcp.websocket(server)
        stream = persist(websocket, exit_event=exit_event, session_class=session_class, **LONG)
        seen = take(stream, events.BackOff, 1)
        setter = set_soon(world, exit_event)
        rest = list(stream)
        seconds = setter.result().seconds
    assert (seen[-1].delay, rest) == (60, [])
    assert seconds <= seen_within(exit_event) + LATE


@beside
def test_exit_event_ends_a_look_up(
    session_class: Session, world: World, exit_event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = world.make_event()
    patch_resolver(monkeypatch, lambda *_: is_over.wait() and [])
    websocket = WebSocket("ws://slow.example.org")
    stream = persist(websocket, exit_event=exit_event, session_class=session_class)
    setter = set_soon(world, exit_event)
    seen: list[Any] = list(stream)
    seconds = setter.result().seconds
    is_over.set()
    assert names_of(seen) == ["connecting", "connect_fail"]
    assert (seen[-1].phase, seen[-1].kind) == ("dns", "closed")
    assert seconds <= seen_within(exit_event) + LATE


def test_exit_event_set_at_back_off_ends_it(
    tcp: Wire, session_class: Session, exit_event: Any
) -> None:
    with tcp.server(SERVE) as server:
        websocket = tcp.websocket(server)
        stream = persist(websocket, exit_event=exit_event, session_class=session_class, **LONG)
        seen = converse(stream, {events.BackOff: lambda _: exit_event.set()})
    assert names_of(seen)[-2:] == ["disconnected", "back_off"]
