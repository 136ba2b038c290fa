"""RFC 6455 §5.4 and §10.7 on a real socket: frames do not follow packets, nor the other way round.

A peer may cut its bytes as it likes, and TCP cuts them again: what the application sees is the
same. The server here is a script, so that each write of it is known.
"""

from __future__ import annotations

import pytest

from lomond import events
from lomond.session import WebsocketSession
from tests.helpers.conversation import Wire, World, converse, ending_of, names_of
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.protocol import tell_all
from tests.helpers.scripted_server import Peer, upgrade_answer

Session = type[WebsocketSession]

HELLO, GOODBYE = server_frame(0x81, b"hello"), server_frame(0x88, close_payload(1000, "bye"))
PING = server_frame(0x89, b"?")
IN_PIECES = server_frame(0x01, "grü".encode()[:3]) + PING + server_frame(0x80, b"\xbc\xc3\x9fe")
CONVERSATION = [
    ("ready", 101, None, set()),
    ("poll",),
    ("text", "hello"),
    ("ping", b"?"),
    ("text", "grüße"),
    ("closing", 1000, "bye"),
    ("disconnected", "closed", True),
]


def converse_with(wire: Wire, session_class: Session, script: object) -> list[tuple[object, ...]]:
    with wire.server(script) as server:
        stream = wire.websocket(server).connect(session_class=session_class, ping_rate=0)
        return tell_all(converse(stream))[2:]


def answer_close(peer: Peer) -> None:
    """Read the pong and the answer to our Close frame, and nothing behind it."""
    assert peer.read_frame() == (0x8A, b"?")
    assert peer.read_frame() == (0x88, close_payload(1000, "bye"))
    peer.stream.finish()
    assert peer.read_until_end() == b""


def test_all_in_one_packet_with_the_answer_to_the_upgrade(
    wire: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.send(upgrade_answer(peer.read_request()) + HELLO + IN_PIECES + GOODBYE)
        answer_close(peer)

    assert converse_with(wire, session_class, script) == CONVERSATION


def test_each_byte_in_a_packet_of_its_own(wire: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.send_slowly(upgrade_answer(peer.read_request()) + HELLO + IN_PIECES + GOODBYE)
        answer_close(peer)

    assert converse_with(wire, session_class, script) == CONVERSATION


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 E\r\nX: 1\r\n\r\n"]
)
def test_interim_answers_come_before_the_answer(
    wire: Wire, session_class: Session, interim: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.send(interim + upgrade_answer(peer.read_request()) + HELLO + IN_PIECES + GOODBYE)
        answer_close(peer)

    assert converse_with(wire, session_class, script) == CONVERSATION


def test_application_that_closes_on_a_message_may_answer_a_close_it_has_not_seen(
    tcp: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(HELLO + GOODBYE)
        assert peer.read_frame() == (0x88, close_payload(1001, "goodbye"))

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class=session_class, ping_rate=0)
        seen = converse(stream, {events.Text: lambda _: websocket.close(1001)})
    assert names_of(seen)[-3:] == ["text", "closed", "disconnected"]
    assert ending_of(seen).closed_by == "client"


def test_messages_behind_our_close_frame_come_before_closed(
    wire: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        assert peer.read_frame() == (0x88, close_payload(1000, "goodbye"))
        peer.send(HELLO + HELLO + GOODBYE + HELLO)

    with wire.server(script) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(session_class=session_class, ping_rate=0)
        seen = converse(stream, {events.Poll: lambda _: websocket.close()})
    assert names_of(seen)[3:] == ["text", "text", "closed", "disconnected"]


def test_message_may_still_be_sent_at_closing_and_goes_before_our_close_frame(
    wire: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(GOODBYE)
        assert peer.read_frame() == (0x81, b"one more thing")
        assert peer.read_frame() == (0x88, close_payload(1000, "bye"))

    with wire.server(script) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(session_class=session_class, ping_rate=0)
        actions = {events.Closing: lambda _: websocket.send_text("one more thing")}
        assert ending_of(converse(stream, actions)).graceful


def test_close_without_a_code_is_answered_by_one_without_a_code(
    wire: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x88))
        assert peer.read_frame() == (0x88, b"")

    with wire.server(script) as server:
        stream = wire.websocket(server).connect(session_class=session_class, ping_rate=0)
        seen = converse(stream)
    assert tell_all(seen)[4] == ("closing", None, "")
    assert (ending_of(seen).code, ending_of(seen).graceful) == (1005, True)


def test_violation_is_answered_with_its_close_code(wire: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(HELLO + b"\x83\x00" + HELLO)
        first_byte, payload = peer.read_frame()
        assert (first_byte, payload[:2]) == (0x88, b"\x03\xea")

    with wire.server(script) as server:
        stream = wire.websocket(server).connect(session_class=session_class, ping_rate=0)
        seen = converse(stream)
    assert names_of(seen)[3:] == ["text", "protocol_error", "disconnected"]
    end = ending_of(seen)
    assert (end.kind, end.graceful, end.closed_by) == ("protocol", False, "client")


def test_message_over_the_limit_is_refused_by_its_header(
    wire: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(b"\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00")
        first_byte, payload = peer.read_frame()
        assert (first_byte, payload[:2]) == (0x88, b"\x03\xf1")

    with wire.server(script) as server:
        stream = wire.websocket(server, max_message_size=1000).connect(session_class, ping_rate=0)
        assert ending_of(converse(stream)).kind == "limit"


def test_redirect_is_not_followed(wire: Wire, session_class: Session) -> None:
    def redirect(peer: Peer) -> None:
        peer.read_request()
        location = f"Location: {elsewhere.url}".encode()
        peer.send(b"HTTP/1.1 302 Found\r\n" + location + b"\r\nContent-Length: 2\r\n\r\nno")

    with wire.server([]) as elsewhere, wire.server(redirect) as server:
        seen = converse(wire.websocket(server).connect(session_class=session_class))
    assert names_of(seen) == ["connecting", "connected", "rejected", "disconnected"]
    rejected = seen[2]
    assert isinstance(rejected, events.Rejected)
    assert rejected.response.get("location") == elsewhere.url
    assert rejected.response.body == b"no"
    assert elsewhere.peers == []


def test_ipv6_address_is_reached(wire: Wire, session_class: Session, world: World) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in peer.request

    with wire.server(script, host="::1") as server:
        seen = converse(wire.websocket(server).connect(session_class=session_class))
    assert names_of(seen)[:3] == ["connecting", "connected", "ready"]
