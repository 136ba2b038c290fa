"""A loop that waits ends at once when another thread or greenlet ends its connection.

RFC 6455 §7.1.2 and §7.1.7: an endpoint may start the closing handshake, or fail the connection, at
any time. Whoever does need not be the one who reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from tests.helpers.conversation import (
    LATE,
    Stopwatch,
    Task,
    Wire,
    World,
    converse,
    ending_of,
    open_sockets_to,
    patch_resolver,
    read_until,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

Session = type[WebsocketSession]

CLOSE = server_frame(0x88, close_payload(1000))


def check_closed(websocket: WebSocket, server: ScriptedServer) -> None:
    assert open_sockets_to(server) == []
    assert (websocket.is_closed, websocket.is_closing) == (True, False)


def run_beside(
    world: World, stream: Iterator[events.Event], kind: type[events.Event]
) -> tuple[Task, Any]:
    """Run the loop beside the test; return it, and an event that tells of its first `kind`."""
    has_come = world.make_event()
    return world.spawn(converse, stream, {kind: lambda _: has_come.set()}), has_come


@pytest.mark.parametrize(
    ("way", "kind", "graceful"),
    [
        (lambda websocket: websocket.close(), "closed", True),
        (lambda websocket: websocket.force_disconnect(), "forced", False),
        (lambda websocket: websocket.session.close(), "closed", False),
        (lambda websocket: websocket.__exit__(), "closed", False),
    ],
    ids=["close", "force_disconnect", "session.close", "with"],
)
def test_loop_that_waits_ends_at_once_when_another_ends_it(
    wire: Wire, session_class: Session, world: World, way: Any, kind: str, graceful: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        if graceful:
            assert peer.read_frame() == (0x88, close_payload(1000, "goodbye"))
            peer.send(CLOSE)
        else:
            assert peer.read_until_end() == b""

    with wire.server(script) as server:
        websocket = wire.websocket(server)
        loop, has_come = run_beside(
            world, websocket.connect(session_class, ping_rate=0), events.Poll
        )
        assert has_come.wait(5)
        stopwatch = Stopwatch()
        way(websocket)
        seen = loop.result()
        assert stopwatch.seconds < LATE
        check_closed(websocket, server)
    end = ending_of(seen)
    assert (end.kind, end.graceful) == (kind, graceful)


@pytest.mark.parametrize("way", [WebSocket.close, WebSocket.force_disconnect])
@pytest.mark.parametrize(("phase", "scheme"), [("dns", "ws"), ("tls", "wss"), ("handshake", "ws")])
def test_connecting_ends_at_once_when_another_ends_it(
    session_class: Session,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    way: Any,
    phase: str,
    scheme: str,
) -> None:
    is_reached, is_over = world.make_event(), world.make_event()
    patch_resolver(monkeypatch, lambda *_: is_reached.set() or (is_over.wait() and []))

    def script(peer: Peer) -> None:
        # Whoever has sent something has left the phase before behind.
        peer.receive()
        is_reached.set()
        peer.read_until_end()

    with ScriptedServer(script) as server:
        host = "slow.example.org" if phase == "dns" else f"127.0.0.1:{server.port}"
        websocket = WebSocket(f"{scheme}://{host}")
        loop = world.spawn(list, websocket.connect(session_class))
        while not is_reached.is_set():
            world.sleep(0.01)
        stopwatch = Stopwatch()
        way(websocket)
        seen = loop.result()
        seconds = stopwatch.seconds
        is_over.set()
        check_closed(websocket, server)
    end = ending_of(seen)
    # The first word counts; before there is a connection there is nothing to be forced.
    expected = "forced" if phase == "handshake" and way is WebSocket.force_disconnect else "closed"
    assert (end.phase, end.kind) == (phase, expected)
    assert seconds < LATE


def test_second_connect_ends_the_first(wire: Wire, session_class: Session, world: World) -> None:
    with wire.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(session_class, ping_rate=0)
        loop, has_come = run_beside(world, stream, events.Poll)
        assert has_come.wait(5)
        second = websocket.connect(session_class, ping_rate=0)
        first_seen = loop.result()
        read_until(second, events.Poll)
        assert websocket.is_active
        assert len(open_sockets_to(server)) == 1
        second.close()
    end = ending_of(first_seen)
    assert (end.kind, end.graceful) == ("closed", False)
