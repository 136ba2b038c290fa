"""The client understands, and is understood by, the servers that people run.

RFC 6455 §1.2: "After a successful handshake, clients and servers transfer data back and forth in
conceptual units referred to in this specification as 'messages'." Each of these servers has its own
reading of that; every conversation runs over TCP and TLS, with compression and without.
"""

from __future__ import annotations

import random

import pytest

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import converse, ending_of, names_of
from tests.interop.peers import PEERS, PeerServer

pytestmark = pytest.mark.interop

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
]
# Half of it can be compressed, half cannot.
LARGE = random.Random(16).randbytes(8 * MIB) + bytes(8 * MIB)

Message = str | bytes
Session = type[WebsocketSession]


@pytest.fixture
def websocket(server: PeerServer, certificates: Certificates) -> WebSocket:
    cafile = certificates.ca_file if server.is_secure else None
    # Offered also to those that know no compression: they have to go without.
    return WebSocket(
        server.url, compress=server.is_asked_to_compress, ssl_cafile=cafile, proxies={}
    )


def talk(
    websocket: WebSocket, session_class: Session, messages: list[Message]
) -> list[events.Event]:
    """Send each message when the one before has come back, close, and return what happened."""
    left = list(messages)

    def go_on(_event: events.Event) -> None:
        message = left.pop(0) if left else None
        if message is None:
            websocket.close(3000, "")
        elif isinstance(message, str):
            websocket.send_text(message)
        else:
            websocket.send_binary(message)

    actions = {events.Ready: go_on, events.Text: go_on, events.Binary: go_on}
    return converse(websocket.connect(session_class, ping_rate=0), actions)


def echoes_in(seen: list[events.Event]) -> list[Message]:
    """Return the messages that came."""
    return [
        event.text if isinstance(event, events.Text) else event.data
        for event in seen
        if isinstance(event, (events.Text, events.Binary))
    ]


def test_messages_come_back_as_they_were_sent(websocket: WebSocket, session_class: Session) -> None:
    seen = talk(websocket, session_class, MESSAGES)

    assert echoes_in(seen) == MESSAGES


def test_a_message_of_16_mib_comes_back_as_it_was_sent(
    websocket: WebSocket, session_class: Session
) -> None:
    seen = talk(websocket, session_class, [LARGE])

    assert echoes_in(seen) == [LARGE]


def test_compression_is_what_both_sides_agreed_on(
    websocket: WebSocket, session_class: Session, server: PeerServer
) -> None:
    seen = talk(websocket, session_class, ["ha" * 50_000])

    ready = next(event for event in seen if isinstance(event, events.Ready))
    assert ready.extensions == ({"permessage-deflate"} if server.compresses else set())
    assert (websocket.session.bytes_sent < 10_000) == server.compresses


def test_the_server_answers_our_close(websocket: WebSocket, session_class: Session) -> None:
    seen = talk(websocket, session_class, [])

    # RFC 6455 §5.5.1: "typically echoes the status code it received", which not all of them do.
    assert names_of(seen)[-2:] == ["closed", "disconnected"]
    assert ending_of(seen).graceful


def test_we_answer_the_servers_close(
    websocket: WebSocket, session_class: Session, server: PeerServer
) -> None:
    seen = talk(websocket, session_class, ["close"])

    closing = next(event for event in seen if isinstance(event, events.Closing))
    assert (closing.code, closing.reason) == server.peer.close
    assert ending_of(seen).graceful


def test_the_servers_ping_is_seen_and_answered(
    websocket: WebSocket, session_class: Session
) -> None:
    seen = talk(websocket, session_class, ["ping", "and on it goes"])

    assert [event.data for event in seen if isinstance(event, events.Ping)] == [b"are you there?"]
    assert echoes_in(seen) == ["ping", "and on it goes"]


def test_the_server_answers_our_ping(websocket: WebSocket, session_class: Session) -> None:
    actions = {
        events.Ready: lambda _: websocket.send_ping(b"who is there?"),
        events.Pong: lambda _: websocket.close(3000, ""),
    }
    seen = converse(websocket.connect(session_class, ping_rate=0), actions)

    assert [event.data for event in seen if isinstance(event, events.Pong)] == [b"who is there?"]
    assert ending_of(seen).graceful


def test_a_close_reason_without_a_code_is_a_protocol_error(
    session_class: Session,
) -> None:
    """What `gevent-websocket` answers to a Close with a reason: the reason alone, garbled."""
    peer = next(peer for peer in PEERS if peer.name == "gevent_websocket")
    with PeerServer(peer, None, compress=False) as server:
        websocket = WebSocket(server.url, proxies={})
        actions = {events.Ready: lambda _: websocket.close(3000, "goodbye")}
        seen = converse(websocket.connect(session_class, ping_rate=0), actions)

    assert names_of(seen)[-2:] == ["protocol_error", "disconnected"]
    assert seen[-2].error == "reserved close code (25209)"
