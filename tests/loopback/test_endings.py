"""However the application leaves a connection, its socket is closed, and there is one ending.

"Every run ends with exactly one terminal event. The socket is closed before that event is yielded,
and also when the loop is left by break, exception, kill or garbage collection." What the peer does
to end a connection is in `test_broken_connections`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from tests.helpers.conversation import (
    Interrupted,
    Wire,
    World,
    converse,
    ending_of,
    make_wire,
    names_of,
    open_sockets_to,
    read_until,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

Session = type[WebsocketSession]

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
CLOSE = server_frame(0x88, close_payload(1000))
# At which event to leave, and what the server has to do for it to come.
SCRIPTS: dict[type[events.Event], list[Any]] = {
    events.Connecting: [Peer.read_until_end],
    events.Connected: [Peer.read_until_end],
    events.Ready: [Peer.accept_upgrade],
    events.Poll: [Peer.accept_upgrade],
    events.Text: [Peer.accept_upgrade, server_frame(0x81, b"hi") * 2],
    events.Binary: [Peer.accept_upgrade, server_frame(0x82, b"hi") * 2],
    events.Ping: [Peer.accept_upgrade, server_frame(0x89, b"hi")],
    events.Pong: [Peer.accept_upgrade, server_frame(0x8A, b"hi")],
    events.Closing: [Peer.accept_upgrade, CLOSE],
    events.Closed: [Peer.accept_upgrade, Peer.read_frame, CLOSE],
    events.ProtocolError: [Peer.accept_upgrade, b"\xff\xff"],
    events.Rejected: [Peer.read_request, REFUSAL],
    events.Unresponsive: [Peer.accept_upgrade, Peer.read_until_end],
    events.Disconnected: [Peer.accept_upgrade, CLOSE],
}
at_every_event = pytest.mark.parametrize("kind", SCRIPTS, ids=lambda kind: kind.name)


def begin(
    wire: Wire, server: ScriptedServer, session_class: Session, kind: type[events.Event]
) -> tuple[WebSocket, Iterator[events.Event]]:
    """Connect so that an event of this class comes soon; all goes well up to there."""
    websocket = wire.websocket(server)
    timeout = 0.1 if kind is events.Unresponsive else None
    stream = websocket.connect(session_class, ping_rate=0, ping_timeout=timeout)
    return websocket, stream


def check_closed(websocket: WebSocket, server: ScriptedServer) -> None:
    assert open_sockets_to(server) == []
    assert (websocket.is_closed, websocket.is_closing) == (True, False)


# ---- leaving the loop ------------------------------------------------------------------------


def leave_at(
    kind: type[events.Event], wire: Wire, server: ScriptedServer, session_class: Session
) -> WebSocket:
    """Break out of the loop at the first event of a class."""
    websocket, stream = begin(wire, server, session_class, kind)
    for event in stream:
        if isinstance(event, kind):
            break
        if isinstance(event, events.Poll) and kind is events.Closed:
            websocket.close()
    return websocket


@at_every_event
def test_break_closes_the_socket(
    tcp: Wire, session_class: Session, kind: type[events.Event]
) -> None:
    with tcp.server(SCRIPTS[kind]) as server:
        check_closed(leave_at(kind, tcp, server, session_class), server)


@pytest.mark.parametrize("kind", [events.Connected, events.Text, events.Closing])
def test_break_closes_the_socket_below_tls(
    certificates: Any, session_class: Session, kind: type[events.Event]
) -> None:
    wire = make_wire("tls", certificates)
    with wire.server(SCRIPTS[kind]) as server:
        check_closed(leave_at(kind, wire, server, session_class), server)


@at_every_event
def test_exception_in_the_handler_closes_the_socket_and_goes_on(
    tcp: Wire, session_class: Session, kind: type[events.Event]
) -> None:
    with tcp.server(SCRIPTS[kind]) as server:
        websocket, stream = begin(tcp, server, session_class, kind)

        def handle(event: events.Event) -> None:
            if isinstance(event, events.Poll) and kind is events.Closed:
                websocket.close()
            if isinstance(event, kind):
                raise LookupError("the handler's own")

        with pytest.raises(LookupError, match="own"):
            for event in stream:
                handle(event)
        del stream
        gc.collect()
        check_closed(websocket, server)


@pytest.mark.parametrize("kind", [events.Connecting, events.Connected, events.Text, events.Closing])
def test_closing_the_iterator_closes_the_socket(
    tcp: Wire, session_class: Session, kind: type[events.Event]
) -> None:
    with tcp.server(SCRIPTS[kind]) as server:
        websocket, stream = begin(tcp, server, session_class, kind)
        for event in stream:
            if isinstance(event, events.Poll) and kind is events.Closed:
                websocket.close()
            if isinstance(event, kind):
                stream.close()
        check_closed(websocket, server)


def test_iterator_in_a_cycle_closes_the_socket_when_collected(
    wire: Wire, session_class: Session
) -> None:
    with wire.server([Peer.accept_upgrade]) as server:
        websocket = wire.websocket(server)
        holder: dict[str, Any] = {"stream": websocket.connect(session_class)}
        holder["itself"] = holder
        read_until(holder["stream"], events.Poll)
        del holder
        gc.collect()
        check_closed(websocket, server)


def test_iterator_that_is_never_begun_connects_to_nothing(
    tcp: Wire, session_class: Session
) -> None:
    with tcp.server([]) as server:
        websocket = tcp.websocket(server)
        websocket.connect(session_class)
        websocket.connect(session_class)
    assert server.peers == []


def test_peer_is_not_told_goodbye_when_the_loop_is_left(tcp: Wire, session_class: Session) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        for event in tcp.websocket(server).connect(session_class, ping_rate=0):
            if isinstance(event, events.Ready):
                break
    assert server.received.endswith(b"\r\n\r\n")


def test_loop_that_is_interrupted_while_it_waits_closes_the_socket(
    tcp: Wire, session_class: Session, world: World
) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        is_ready = world.make_event()
        stream = websocket.connect(session_class, poll=0.2)
        task = world.spawn(converse, stream, {events.Poll: lambda _: is_ready.set()})
        assert is_ready.wait(5)
        task.interrupt()
        with pytest.raises(Interrupted):
            task.result()
        del task, stream
        check_closed(websocket, server)


# ---- ending it from within the loop ----------------------------------------------------------


def test_force_disconnect_ends_it_at_once_and_as_lost(wire: Wire, session_class: Session) -> None:
    with wire.server([Peer.accept_upgrade, server_frame(0x81, b"hi"), Peer.hold]) as server:
        websocket = wire.websocket(server)
        actions = {events.Text: lambda _: websocket.force_disconnect()}
        seen = converse(websocket.connect(session_class, ping_rate=0), actions)
        check_closed(websocket, server)
    end = ending_of(seen)
    assert names_of(seen)[3:] == ["text", "disconnected"]
    assert (end.phase, end.kind, end.graceful, end.code) == ("open", "forced", False, 1006)
    assert (end.closed_by, end.retryable, end.error) == (None, True, None)


def test_close_at_connecting_connects_to_nothing(tcp: Wire, session_class: Session) -> None:
    with tcp.server([]) as server:
        websocket = tcp.websocket(server)
        actions = {events.Connecting: lambda _: websocket.close()}
        seen = converse(websocket.connect(session_class), actions)
        check_closed(websocket, server)
    assert server.peers == []
    end = ending_of(seen)
    assert (end.name, end.kind) == ("connect_fail", "closed")


@pytest.mark.parametrize("way", [WebSocket.close, WebSocket.force_disconnect])
def test_close_at_connected_gives_up_the_upgrade(
    wire: Wire, session_class: Session, way: Any
) -> None:
    with wire.server([Peer.read_until_end]) as server:
        websocket = wire.websocket(server)
        actions = {events.Connected: lambda _: way(websocket)}
        seen = converse(websocket.connect(session_class), actions)
    assert names_of(seen) == ["connecting", "connected", "disconnected"]
    end = ending_of(seen)
    kind = "closed" if way is WebSocket.close else "forced"
    assert (end.phase, end.kind, end.graceful) == ("handshake", kind, False)
    # Nothing but the request, which a reset may overtake.
    assert server.received.endswith(b"\r\n\r\n") or (kind, server.received) == ("forced", b"")


def test_with_statement_ends_the_connection(wire: Wire, session_class: Session) -> None:
    with wire.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        with wire.websocket(server) as websocket:
            stream = websocket.connect(session_class)
            read_until(stream, events.Poll)
        seen = list(stream)
        check_closed(websocket, server)
    assert names_of(seen) == ["disconnected"]


def test_second_connect_within_the_first_loop_ends_it(tcp: Wire, session_class: Session) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        seconds: list[Any] = []
        actions = {events.Poll: lambda _: seconds.append(websocket.connect(session_class))}
        first = converse(websocket.connect(session_class, ping_rate=0), actions)
        read_until(seconds[0], events.Ready)
        websocket.send_text("to the second")
        seconds[0].close()
    assert ending_of(first).kind == "closed"
    assert len(server.peers) == 2


def test_ending_it_twice_or_before_or_after_does_nothing(tcp: Wire, session_class: Session) -> None:
    def end_all(_event: events.Event | None = None) -> None:
        websocket.close()
        websocket.force_disconnect()
        websocket.close()
        if websocket.session is not None:
            websocket.session.close()
            websocket.session.close()

    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        end_all()
        seen = converse(websocket.connect(session_class), {events.Poll: end_all})
        end_all()
    # close() came first, but a connection cannot be closed and lost at once: it was lost.
    assert ending_of(seen).kind == "forced"
