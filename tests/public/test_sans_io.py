"""A WebSocket without a socket: `build_request`, `feed`, `on_response` and their like.

"feed(data): Feed with data from the socket, and yield any events." Whoever feeds has the socket;
what is to be written is handed to the session's `send(opcode, payload)`.
"""

from __future__ import annotations

import threading
import zlib
from typing import Any

import pytest

from lomond.errors import (
    CompressionParameterError,
    HandshakeError,
    TransportFail,
    WebSocketClosed,
    WebSocketUnavailable,
)
from lomond.protocol.handshake import accept_for
from lomond.response import Response
from lomond.websocket import WebSocket
from tests.helpers.protocol import tell, tell_all
from tests.helpers.scripted_server import upgrade_answer

URL = "ws://example.org/"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


class Pen:
    """A session that writes down what it is asked to send."""

    def __init__(self, websocket: WebSocket) -> None:
        self.written: list[tuple[str, int, bytes]] = []
        self.calls: list[str] = []
        self.session_time = 7.5

    def run(self, *args: Any, **options: Any) -> None:
        """Leave the reading to the test."""

    def send(self, opcode: int, payload: bytes) -> None:
        self.written.append(("plain", opcode, payload))

    def send_compressed(self, opcode: int, payload: bytes) -> None:
        self.written.append(("compressed", opcode, payload))

    def close(self) -> None:
        self.calls.append("close")

    def force_disconnect(self) -> None:
        self.calls.append("force_disconnect")


def connected(**options: Any) -> tuple[WebSocket, Pen]:
    """Make a WebSocket whose session reads nothing."""
    websocket = WebSocket(URL, **options)
    assert websocket.connect(session_class=Pen) is None
    return websocket, websocket.session


def ready(*headers: str, **options: Any) -> tuple[WebSocket, Pen]:
    """Make one that was answered."""
    websocket, pen = connected(**options)
    [event] = websocket.feed(upgrade_answer(websocket.build_request(), *headers))
    assert event.name == "ready"
    return websocket, pen


def response_to(websocket: WebSocket, *headers: str) -> Response:
    return Response(upgrade_answer(websocket.build_request(), *headers))


# ---- feed ---------------------------------------------------------------------------------------


def test_feed_yields_ready_and_what_comes_behind_it_but_no_polls() -> None:
    websocket, _ = connected()
    answer = upgrade_answer(websocket.build_request())

    told = tell_all(websocket.feed(answer + b"\x81\x02hi\x89\x01p\x8a\x00\x82\x01b"))

    assert told == [
        ("ready", 101, None, set()),
        ("text", "hi"),
        ("ping", b"p"),
        ("pong", b""),
        ("binary", b"b"),
    ]


def test_feed_takes_any_pieces() -> None:
    websocket, _ = connected()
    data = upgrade_answer(websocket.build_request()) + b"\x81\x02hi"

    told = [tell(e)[0] for at in range(len(data)) for e in websocket.feed(data[at : at + 1])]

    assert told == ["ready", "text"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_feed_takes_anything_that_holds_bytes(kind: Any) -> None:
    websocket, _ = ready()

    assert tell_all(websocket.feed(kind(b"\x81\x02hi"))) == [("text", "hi")]


def test_feed_works_without_a_session() -> None:
    websocket = WebSocket(URL)

    events = websocket.feed(upgrade_answer(websocket.build_request()) + b"\x81\x02hi")

    assert [event.name for event in events] == ["ready", "text"]


def test_more_events_than_fit_one_batch_all_come() -> None:
    websocket, _ = ready()

    assert len(list(websocket.feed(b"\x81\x01x" * 2500))) == 2500


def test_pings_are_left_to_the_session() -> None:
    websocket, pen = ready()

    list(websocket.feed(b"\x89\x01p"))

    assert pen.written == []


def test_the_servers_close_frame_is_answered_at_the_step_behind_closing() -> None:
    websocket, pen = ready()
    events = websocket.feed(b"\x88\x05\x03\xe8bye")

    closing = next(events)
    assert (tell(closing), pen.written) == (("closing", 1000, "bye"), [])
    websocket.send_text("last words")

    assert list(events) == []
    assert pen.written == [("plain", 1, b"last words"), ("plain", 8, b"\x03\xe8bye")]
    assert websocket.is_closing


def test_an_empty_close_frame_is_answered_by_an_empty_one() -> None:
    websocket, pen = ready()

    assert tell_all(websocket.feed(b"\x88\x00")) == [("closing", None, "")]
    assert pen.written == [("plain", 8, b"")]


def test_the_answer_to_our_close_frame_closes() -> None:
    websocket, pen = ready()
    websocket.close(1001, "away")

    told = tell_all(websocket.feed(b"\x81\x02hi\x88\x02\x03\xe9\x81\x02no"))

    assert told == [("text", "hi"), ("closed", 1001, "")]
    assert pen.written == [("plain", 8, b"\x03\xe9away")]
    assert (websocket.is_closed, websocket.is_closing) == (True, False)
    assert websocket.sent_close_time == 7.5


def test_nothing_comes_once_it_is_closed() -> None:
    websocket, _ = ready()
    websocket.on_disconnect()

    assert list(websocket.feed(b"\x81\x02hi")) == []


def test_events_stop_where_the_connection_was_lost_between_them() -> None:
    websocket, _ = ready()
    events = websocket.feed(b"\x81\x01a\x81\x01b")

    assert tell(next(events)) == ("text", "a")
    websocket.on_disconnect()

    assert list(events) == []


def test_a_violation_is_told_and_ends_the_session() -> None:
    websocket, pen = ready()
    events = websocket.feed(b"\x83\x00\x81\x02hi")

    error = next(events)
    assert tell(error) == ("protocol_error", "reserved opcode (3)", False)
    assert pen.calls == []
    assert list(events) == []

    assert pen.calls == ["force_disconnect"]
    assert pen.written == [("plain", 8, b"\x03\xeareserved opcode (3)")]


def test_a_rejection_closes_the_session_before_it_is_told() -> None:
    websocket, pen = connected()
    events = websocket.feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")

    rejected = next(events)

    assert tell(rejected) == ("rejected", 404, "Websocket upgrade failed (code=404)")
    assert rejected.response.body == b"no"
    assert (pen.calls, websocket.is_closed) == (["close"], True)
    assert list(events) == []


def test_a_head_over_the_limit_is_a_critical_error() -> None:
    websocket, _ = connected()

    [event] = websocket.feed(b"HTTP/1.1 101 X\r\nA: " + b"x" * 20_000)

    assert (event.name, event.critical) == ("protocol_error", True)


# ---- sending through a session ------------------------------------------------------------------


def test_messages_are_handed_to_the_session_as_opcode_and_payload() -> None:
    websocket, pen = ready()

    websocket.send_text("hü")
    websocket.send_binary(bytearray(b"b"))
    websocket.send_json(a=1)
    websocket.send_ping(b"p")
    websocket.send_pong(b"q")

    assert pen.written == [
        ("plain", 1, b"h\xc3\xbc"),
        ("plain", 2, b"b"),
        ("plain", 1, b'{"a": 1}'),
        ("plain", 9, b"p"),
        ("plain", 10, b"q"),
    ]
    assert all(type(payload) is bytes for _, _, payload in pen.written)


def test_sending_without_a_session_is_unavailable() -> None:
    websocket = WebSocket(URL)
    list(websocket.feed(upgrade_answer(websocket.build_request())))

    with pytest.raises(WebSocketUnavailable, match="not connected"):
        websocket.send_text("hi")


@pytest.mark.parametrize("frame", [b"\x88\x02\x03\xe8", b"\x83\x00"])
def test_a_close_frame_for_which_there_is_no_session_is_no_exception(frame: bytes) -> None:
    websocket = WebSocket(URL)
    list(websocket.feed(upgrade_answer(websocket.build_request())))

    [event] = websocket.feed(frame)

    assert event.name in ("closing", "protocol_error")


def test_sending_before_the_answer_is_unavailable() -> None:
    websocket, pen = connected()

    with pytest.raises(WebSocketUnavailable, match="not connected: wait for the Ready event"):
        websocket.send_text("hi")

    assert pen.written == []


@pytest.mark.parametrize("error", [TransportFail, WebSocketUnavailable, WebSocketClosed])
def test_what_the_session_raises_reaches_the_sender_of_a_message(error: type[Exception]) -> None:
    websocket, pen = ready()

    def fail(opcode: int, payload: bytes) -> None:
        raise error("socket fail; gone")

    pen.send = fail

    with pytest.raises(error, match="socket fail; gone"):
        websocket.send_text("hi")


@pytest.mark.parametrize("error", [TransportFail, WebSocketUnavailable, WebSocketClosed])
def test_what_the_session_raises_for_a_close_frame_is_swallowed(error: type[Exception]) -> None:
    websocket, pen = ready()

    def fail(opcode: int, payload: bytes) -> None:
        raise error("socket fail; gone")

    pen.send = fail
    websocket.close()

    assert websocket.is_closing


def test_closing_before_the_answer_sends_nothing() -> None:
    websocket, pen = connected()

    websocket.close()

    assert (pen.written, websocket.is_closed) == ([], True)
    assert websocket.sent_close_time is None


def test_closing_twice_sends_one_close_frame() -> None:
    websocket, pen = ready()

    websocket.close(1000, "a")
    websocket.close(1000, "b")

    assert pen.written == [("plain", 8, b"\x03\xe8a")]


def test_forcing_the_end_is_left_to_the_session() -> None:
    websocket, pen = ready()

    websocket.force_disconnect()

    assert pen.calls == ["force_disconnect"]


# ---- compression --------------------------------------------------------------------------------


def test_messages_are_compressed_where_that_was_agreed_on() -> None:
    websocket, pen = ready(DEFLATE, compress=True)

    websocket.send_text("Hello")
    websocket.send_text("Hello")
    websocket.send_text("plain", compress=False)

    assert pen.written == [
        ("compressed", 1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
        ("compressed", 1, b"\xf2\x00\x11\x00\x00"),
        ("plain", 1, b"plain"),
    ]


def test_compressed_messages_are_inflated() -> None:
    websocket, _ = ready(DEFLATE, compress=True)

    told = tell_all(
        websocket.feed(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00")
    )

    assert told == [("text", "Hello"), ("text", "Hello")]


def test_compressed_messages_are_sent_in_the_order_of_their_making() -> None:
    websocket, pen = ready(DEFLATE, compress=True)
    other = threading.Thread(target=websocket.send_text, args=("two one two",))
    send, done = pen.send_compressed, threading.Event()

    def send_late(opcode: int, payload: bytes) -> None:
        if not other.ident:
            other.start()
            # Time enough to pass by, if nothing keeps the other thread from it.
            done.wait(0.05)
        send(opcode, payload)
        done.set()

    pen.send_compressed = send_late
    websocket.send_text("one one one")
    other.join()

    inflater = zlib.decompressobj(wbits=-15)
    texts = [inflater.decompress(data + b"\0\0\xff\xff") for _, _, data in pen.written]
    assert texts == [b"one one one", b"two one two"]


# ---- the parts of the handshake -----------------------------------------------------------------


def test_a_response_is_judged_against_the_request() -> None:
    websocket = WebSocket(URL, ["chat"], compress=True)

    agreed = websocket.on_response(
        response_to(
            websocket, "Sec-WebSocket-Protocol: chat", f"{DEFLATE}; server_max_window_bits=10"
        )
    )

    assert agreed == ("chat", {"permessage-deflate"})


def test_a_response_without_extras_agrees_on_nothing() -> None:
    websocket = WebSocket(URL)

    assert websocket.on_response(response_to(websocket)) == (None, set())


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "Websocket upgrade failed (code=200)"),
        (b"", "Websocket upgrade failed (code=None)"),
        (b"HTTP/1.1 101 X\r\n\r\n", "Can't upgrade to <header missing>"),
        (b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n", "Can't upgrade to h2c"),
        (b"HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\n\r\n", "No Sec-WebSocket-Accept header"),
        (
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "Sec-WebSocket-Accept challenge failed",
        ),
    ],
)
def test_a_response_that_is_not_acceptable_is_a_handshake_error(head: bytes, reason: str) -> None:
    with pytest.raises(HandshakeError) as raised:
        WebSocket(URL).on_response(Response(head))

    assert str(raised.value) == reason


def test_an_accept_of_another_case_is_not_ours() -> None:
    websocket = WebSocket(URL)
    accept = accept_for(websocket.state.key)
    head = response_to(websocket).raw.replace(accept.encode(), accept.swapcase().encode())

    with pytest.raises(HandshakeError, match="challenge failed"):
        websocket.on_response(Response(head))


def test_extensions_are_processed_and_compression_begins() -> None:
    websocket = WebSocket(URL, compress=True)
    assert websocket.supports_compression is False

    assert websocket.process_extensions(["permessage-deflate"]) == {"permessage-deflate"}

    assert websocket.supports_compression is True


def test_no_extensions_are_in_use_where_the_server_names_none() -> None:
    assert WebSocket(URL, compress=True).process_extensions([]) == set()


def test_an_extension_that_was_not_offered_is_a_handshake_error() -> None:
    with pytest.raises(HandshakeError, match="'permessage-deflate' was not offered"):
        WebSocket(URL).process_extensions(["permessage-deflate"])


@pytest.mark.parametrize(
    "extension",
    [
        "permessage-deflate; server_max_window_bits=99",
        "permessage-deflate; server_max_window_bits=x",
        "permessage-deflate; unknown",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
    ],
)
def test_bad_parameters_of_compression_are_their_own_error(extension: str) -> None:
    with pytest.raises(CompressionParameterError):
        WebSocket(URL, compress=True).process_extensions([extension])


# ---- losing the connection ----------------------------------------------------------------------


def test_a_lost_connection_is_closed_and_so_is_its_session() -> None:
    websocket, pen = ready()
    websocket.close()

    websocket.on_disconnect()
    websocket.on_disconnect()

    assert (websocket.is_closed, websocket.is_closing, websocket.is_active) == (True, False, False)
    assert pen.calls == ["close", "close"]


def test_a_connection_can_be_lost_before_anything_came() -> None:
    websocket = WebSocket(URL)

    websocket.on_disconnect()

    assert (websocket.is_closed, websocket.is_closing) == (True, False)


def test_a_reset_forgets_what_was_agreed_on_and_takes_a_new_key() -> None:
    websocket, _ = ready(DEFLATE, "Sec-WebSocket-Protocol: chat", protocols=["chat"], compress=True)
    key = websocket.state.key

    websocket.reset()

    assert (websocket.subprotocol, websocket.supports_compression) == (None, False)
    assert (websocket.session, websocket.is_closed) == (None, False)
    assert websocket.state.key != key
    [event] = websocket.feed(
        upgrade_answer(websocket.build_request(), DEFLATE, "Sec-WebSocket-Protocol: chat")
    )
    assert event.name == "ready"
