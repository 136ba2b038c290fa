"""A conversation is the same list of events, whatever runs it and whatever carries it.

RFC 6455 §1.2: "After a successful handshake, clients and servers transfer data back and forth in
conceptual units referred to in this specification as 'messages'." Every conversation here runs with
both session classes, over TCP and TLS, with a server that this project did not write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.protocol.deflate import DeflateOffer
from lomond.session import WebsocketSession
from lomond_gevent import GeventSession
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import converse, ending_of, names_of
from tests.helpers.echo_server import EchoServer
from tests.helpers.protocol import tell_all

MIB = 1 << 20
MESSAGES: list[str | bytes] = [
    "",
    "hi",
    "Grüße, 你好, 🎉",
    b"",
    b"\x00\xff",
    b"x" * 125,
    b"y" * 126,
    "z" * 65_535,
    b"\x01\x02\x03\x04" * 16_384,
    "m" * MIB,
    bytes(range(256)) * 4096,
]

Session = type[WebsocketSession]


@pytest.fixture(params=["tcp", "tls"])
def server(
    request: pytest.FixtureRequest, echo_server: EchoServer, tls_echo_server: EchoServer
) -> EchoServer:
    return echo_server if request.param == "tcp" else tls_echo_server


@pytest.fixture
def connect(
    server: EchoServer, session_class: Session, certificates: Certificates
) -> Iterator[Any]:
    """Make a WebSocket to a path of the server, and connect it."""

    def connect(path: str, **options: Any) -> tuple[WebSocket, Iterator[events.Event]]:
        websocket = WebSocket(server.url_for(path), **trust(certificates, server), **options)
        return websocket, websocket.connect(session_class=session_class, ping_rate=0)

    return connect


def trust(certificates: Certificates, server: EchoServer) -> dict[str, Any]:
    return {"ssl_cafile": certificates.ca_file} if server.url.startswith("wss") else {}


def send(websocket: WebSocket, message: str | bytes) -> None:
    if isinstance(message, str):
        websocket.send_text(message)
    else:
        websocket.send_binary(message)


def send_one_after_the_other(
    websocket: WebSocket, messages: list[str | bytes]
) -> dict[type[events.Event], Any]:
    """Send each message when the one before has come back, and close at the end."""
    left = list(messages)

    def send_next(_event: events.Event) -> None:
        if left:
            send(websocket, left.pop(0))
        else:
            websocket.close()

    return {events.Poll: send_next, events.Text: send_next, events.Binary: send_next}


# ---- messages --------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True, DeflateOffer(client_no_context_takeover=True)])
def test_messages_of_every_size_come_back_as_they_were_sent(connect: Any, compress: Any) -> None:
    websocket, stream = connect("/echo", compress=compress)
    seen = converse(stream, send_one_after_the_other(websocket, MESSAGES))
    echoes = [event[1] for event in tell_all(seen) if event[0] in ("text", "binary")]
    assert echoes == MESSAGES
    assert names_of(seen)[:3] == ["connecting", "connected", "ready"]
    assert tell_all(seen)[-2:] == [("closed", 1000, "goodbye"), ("disconnected", "closed", True)]


def test_one_conversation_is_one_list_of_events_with_both_session_classes(
    server: EchoServer, certificates: Certificates
) -> None:
    told = []
    for session_class in (WebsocketSession, GeventSession):
        websocket = WebSocket(server.url, ["superchat"], **trust(certificates, server))
        stream = websocket.connect(session_class=session_class, ping_rate=0)
        told.append(tell_all(converse(stream, send_one_after_the_other(websocket, MESSAGES))))
    assert told[0] == told[1]


def test_compressed_and_plain_messages_may_alternate(connect: Any) -> None:
    websocket, stream = connect("/echo", compress=True)

    def send_three(_event: events.Event) -> None:
        for compress in (True, False, True):
            websocket.send_text("ha" * 1000, compress=compress)

    seen = []
    for event in stream:
        seen.append(event)
        if event.name == "ready":
            assert event.extensions == {"permessage-deflate"}
            send_three(event)
        elif names_of(seen).count("text") == 3:
            websocket.close()
    assert [event.text for event in seen if isinstance(event, events.Text)] == ["ha" * 1000] * 3


def test_json_comes_back_as_it_was_sent(connect: Any) -> None:
    websocket, stream = connect("/echo")
    seen = converse(
        stream,
        {
            events.Ready: lambda _: websocket.send_json({"price": [1, None, "€"]}),
            events.Text: lambda _: websocket.close(),
        },
    )
    match seen[4]:
        case events.Text(text) as event:
            assert (event.json, text[0]) == ({"price": [1, None, "€"]}, "{")


def test_session_counts_messages_and_bytes_both_ways(connect: Any) -> None:
    websocket, stream = connect("/echo")
    converse(stream, send_one_after_the_other(websocket, ["hi", b"x" * 200]))
    session = websocket.session
    assert (session.messages_sent, session.messages_received) == (2, 2)
    request = len(websocket.build_request())
    # Two masked frames and the Close frame with "goodbye".
    assert session.bytes_sent == request + (6 + 2) + (8 + 200) + (6 + 2 + 7)
    assert session.bytes_received > (2 + 2) + (4 + 200) + (2 + 2 + 7)


# ---- what the server begins ------------------------------------------------------------------


def test_server_that_pushes_and_closes_is_heard_to_its_end(connect: Any) -> None:
    _, stream = connect("/push?n=3")
    seen = tell_all(converse(stream))
    assert seen[3:] == [
        ("poll",),
        ("text", "0"),
        ("text", "1"),
        ("text", "2"),
        ("closing", 1000, ""),
        ("disconnected", "closed", True),
    ]


def test_server_that_closes_is_answered(connect: Any) -> None:
    websocket, stream = connect("/close?code=4001&reason=maintenance")
    seen = converse(stream)
    assert tell_all(seen)[4:] == [
        ("closing", 4001, "maintenance"),
        ("disconnected", "closed", True),
    ]
    end = ending_of(seen)
    assert (end.phase, end.kind, end.code, end.closed_by) == ("closing", "closed", 4001, "server")
    assert (websocket.is_closed, websocket.is_active) == (True, False)


def test_ping_of_the_server_is_answered(connect: Any) -> None:
    _, stream = connect("/ping?data=hello")
    assert tell_all(converse(stream))[4:6] == [("ping", b"hello"), ("text", "pong received")]


def test_ping_of_the_client_is_answered(connect: Any) -> None:
    websocket, stream = connect("/echo")
    actions = {
        events.Ready: lambda _: websocket.send_ping(b"hello"),
        events.Pong: lambda _: websocket.close(),
    }
    assert tell_all(converse(stream, actions))[4] == ("pong", b"hello")


# ---- how the client ends it ------------------------------------------------------------------


def test_client_that_closes_is_answered(connect: Any) -> None:
    websocket, stream = connect("/echo")
    seen = converse(stream, {events.Poll: lambda _: websocket.close(4002, "enough")})
    assert tell_all(seen)[4:] == [("closed", 4002, "enough"), ("disconnected", "closed", True)]
    end = ending_of(seen)
    assert (end.phase, end.kind, end.code, end.closed_by) == ("closing", "closed", 4002, "client")
    assert (end.error, end.retryable, end.bytes_lost) == (None, True, 0)


def test_same_websocket_connects_again(connect: Any, session_class: Session) -> None:
    websocket, stream = connect("/push?n=1")
    first = tell_all(converse(stream))
    second = tell_all(converse(websocket.connect(session_class=session_class, ping_rate=0)))
    assert first == second


# ---- the opening handshake -------------------------------------------------------------------


def test_refusal_has_its_body_and_its_headers(connect: Any) -> None:
    _, stream = connect("/reject?status=503&retry_after=7")
    seen = converse(stream)
    assert names_of(seen) == ["connecting", "connected", "rejected", "disconnected"]
    rejected: Any = seen[2]
    assert rejected.response.status_code == 503
    assert rejected.response.get("retry-after") == "7"
    assert rejected.response.body == b"rejected\n"
    assert rejected.retryable


@pytest.mark.parametrize(
    ("status", "retryable"), [(401, False), (403, False), (404, False), (429, True), (502, True)]
)
def test_refusal_says_whether_to_ask_again(connect: Any, status: int, retryable: bool) -> None:
    websocket, stream = connect(f"/reject?status={status}")
    end = ending_of(converse(stream))
    assert (end.kind, end.phase, end.graceful) == ("rejected", "handshake", False)
    assert end.retryable is retryable
    assert websocket.is_closed


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["superchat", "chat"], "superchat"), (["other"], None), ([], None)]
)
def test_sub_protocol_is_the_one_that_the_server_chose(
    connect: Any, offered: list[str], chosen: str | None
) -> None:
    websocket, stream = connect("/push", protocols=offered)
    ready: Any = converse(stream)[2]
    assert (ready.protocol, websocket.subprotocol) == (chosen, chosen)


def headers_seen(stream: Iterator[events.Event]) -> dict[str, str]:
    seen = converse(stream)
    return {
        name.lower(): value
        for event in seen
        if isinstance(event, events.Text)
        for name, value in event.json
    }


@pytest.mark.parametrize(
    "headers", [{"X-One": "1", "User-Agent": "Me"}, [("X-One", b"1"), (b"User-Agent", "Me")]]
)
def test_headers_reach_the_server(connect: Any, headers: Any) -> None:
    websocket, stream = connect("/headers", headers=headers)
    websocket.add_header(b"X-Later", b"2")
    seen = headers_seen(stream)
    assert (seen["x-one"], seen["user-agent"]) == ("1", "Me")
    assert "x-later" not in seen, "headers count from the next connection on"


def test_headers_from_a_callable_are_fresh_for_each_connection(
    connect: Any, session_class: Session
) -> None:
    tokens = iter(["first", "second"])
    websocket, stream = connect("/headers", headers=lambda: {"X-Token": next(tokens)})
    assert headers_seen(stream)["x-token"] == "first"
    again = websocket.connect(session_class=session_class)
    assert headers_seen(again)["x-token"] == "second"
