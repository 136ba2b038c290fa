"""When nothing may be sent, and what never may: errors in the caller's line, nothing on the wire.

RFC 6455 §5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
Before the opening handshake is done there is no WebSocket connection yet (§4.1).
"""

from __future__ import annotations

from typing import Any

import pytest

from lomond import events
from lomond.errors import WebSocketClosed, WebSocketClosing, WebSocketUnavailable
from lomond.session import WebsocketSession
from tests.helpers.conversation import Wire, converse, error_of
from tests.helpers.frames import close_payload, parse_client_frames, server_frame
from tests.helpers.scripted_server import Peer

Session = type[WebsocketSession]

SENDS = {
    "text": lambda websocket: websocket.send_text("hi"),
    "binary": lambda websocket: websocket.send_binary(b"hi"),
    "ping": lambda websocket: websocket.send_ping(b"hi"),
    "pong": lambda websocket: websocket.send_pong(b"hi"),
    "json": lambda websocket: websocket.send_json(a=1),
}


def read_to_close(peer: Peer) -> None:
    while peer.read_frame()[0] != 0x88:
        continue


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_send_raises_except_between_ready_and_our_close_frame(
    tcp: Wire, session_class: Session, send: Any
) -> None:
    script = [Peer.accept_upgrade, server_frame(0x88, close_payload(1000)), read_to_close]
    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        raised = {"before": error_of(send, websocket)}
        for event in websocket.connect(session_class, ping_rate=0):
            raised[event.name] = error_of(send, websocket)
            if event.name == "closing":
                websocket.close()
                raised["after close"] = error_of(send, websocket)
    assert {name: type(error) for name, error in raised.items()} == {
        "before": WebSocketUnavailable,
        "connecting": WebSocketUnavailable,
        "connected": WebSocketUnavailable,
        "ready": type(None),
        "poll": type(None),
        "closing": type(None),
        "after close": WebSocketClosing,
        "disconnected": WebSocketClosed,
    }
    # What was refused was not sent either: the Close frame is the last one.
    received = server.peers[0].received.split(b"\r\n\r\n", 1)[1]
    assert [first for first, _ in parse_client_frames(received)][3:] == [0x88]


def test_send_raises_closed_at_a_rejection(tcp: Wire, session_class: Session) -> None:
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    with tcp.server([Peer.read_request, refusal]) as server:
        websocket = tcp.websocket(server)
        errors = [
            error_of(websocket.send_text, "hi")
            for event in websocket.connect(session_class)
            if isinstance(event, events.Rejected)
        ]
    assert [type(error) for error in errors] == [WebSocketClosed]


def test_wrong_arguments_raise_in_the_callers_line_and_nothing_is_sent(
    tcp: Wire, session_class: Session
) -> None:
    def make_mistakes(_event: events.Event) -> None:
        errors.append(error_of(websocket.send_text, b"hi"))
        errors.append(error_of(websocket.send_binary, "hi"))
        errors.append(error_of(websocket.send_text, "\ud800"))
        errors.append(error_of(websocket.send_ping, b"x" * 126))
        errors.append(error_of(websocket.close, 1005))
        websocket.close()

    errors: list[Exception | None] = []
    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, ping_rate=0, close_timeout=0.1)
        converse(stream, {events.Ready: make_mistakes})
    kinds = [TypeError, TypeError, UnicodeEncodeError, ValueError, ValueError]
    assert [type(error) for error in errors] == kinds
    received = server.peers[0].received.split(b"\r\n\r\n", 1)[1]
    assert parse_client_frames(received) == [(0x88, close_payload(1000, "goodbye"))]
