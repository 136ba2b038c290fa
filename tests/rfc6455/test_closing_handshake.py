"""RFC 6455 §5.5.1, §7.1 and §7.4: the closing handshake, and every cell of the state table.

"If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint
MUST send a Close frame in response"; "The application MUST NOT send any more data frames after
sending a Close frame"; §1.4: "After both sending and receiving a Close message, an endpoint
considers the WebSocket connection closed".
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lomond.errors import WebSocketClosed, WebSocketClosing, WebSocketUnavailable
from lomond.protocol.client import ClientProtocol
from lomond.protocol.frames import build_close_payload, parse_close_payload
from lomond.status import Status
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.protocol import (
    ANSWER,
    connecting_client,
    deliver,
    ending_of,
    frames_sent,
    ready_client,
    tell_all,
)


def connecting() -> ClientProtocol:
    """Make a client whose request was sent."""
    return connecting_client(deadline=30.0)


def opened() -> ClientProtocol:
    """Make a client that may send and receive."""
    return ready_client(close_timeout=10.0)


def close_sent() -> ClientProtocol:
    """Make a client that has begun to close."""
    client = opened()
    client.close(1000, b"goodbye", 0.0)
    client.outgoing.take()
    return client


def close_received() -> ClientProtocol:
    """Make a client whose application is looking at the server's Close."""
    client = opened()
    deliver(client, b"\x88\x05\x03\xe9bye")
    return client


def close_answered() -> ClientProtocol:
    """Make a client that has answered the server's Close."""
    client = close_received()
    client.acknowledge_close(0.0)
    client.outgoing.take()
    return client


def closed() -> ClientProtocol:
    """Make a client whose Close was answered: the server has yet to end TCP."""
    client = close_sent()
    deliver(client, b"\x88\x02\x03\xe8")
    return client


def finished() -> ClientProtocol:
    """Make a client for which all is over."""
    client = closed()
    client.end_of_stream()
    return client


BEFORE = [connecting]
AFTER_READY = [opened, close_sent, close_received, close_answered, closed, finished]
EVERY_STATE = [*BEFORE, *AFTER_READY]
SENDS: dict[str, Callable[[ClientProtocol], None]] = {
    "text": lambda client: client.send_text("hi"),
    "binary": lambda client: client.send_binary(b"hi"),
    "ping": lambda client: client.send_ping(b"hi"),
    "pong": lambda client: client.send_pong(b"hi"),
}

State = Callable[[], ClientProtocol]


def each(*cells: tuple[State, object]) -> pytest.MarkDecorator:
    """Parametrize by the rows of the table."""
    names = [state.__name__ for state, _ in cells]
    return pytest.mark.parametrize(("state", "expected"), cells, ids=names)


# ---- the questions ----------------------------------------------------------------------------


@each(
    (connecting, (False, False, False, False)),
    (opened, (True, False, False, False)),
    (close_sent, (False, True, False, False)),
    (close_received, (True, False, False, False)),
    (close_answered, (False, True, False, False)),
    (closed, (False, False, True, False)),
    (finished, (False, False, True, True)),
)
def test_state_answers_questions(state: State, expected: tuple[bool, ...]) -> None:
    client = state()
    asked = (client.can_send_data, client.is_closing, client.is_closed, client.is_finished)
    assert asked == expected


@each(
    (connecting, "handshake"),
    (opened, "open"),
    (close_sent, "closing"),
    (close_received, "closing"),
    (close_answered, "closing"),
    (closed, "closing"),
)
def test_state_has_a_phase(state: State, expected: str) -> None:
    assert state().phase == expected


# ---- bytes in ----------------------------------------------------------------------------------


@each(
    (opened, [("text", "hi")]),
    (close_sent, [("text", "hi")]),
    (close_received, []),
    (close_answered, []),
    (closed, []),
    (finished, []),
)
def test_message_received(state: State, expected: list[tuple[object, ...]]) -> None:
    assert deliver(state(), b"\x81\x02hi") == expected


@each(
    (opened, [("closing", 1001, "bye")]),
    (close_sent, [("closed", 1001, "bye")]),
    (close_received, []),
    (close_answered, []),
    (closed, []),
    (finished, []),
)
def test_close_received(state: State, expected: list[tuple[object, ...]]) -> None:
    client = state()
    client.outgoing.take()
    assert deliver(client, b"\x88\x05\x03\xe9bye") == expected
    # The application comes first: it may still send.
    assert frames_sent(client) == []


@each(
    (opened, [("protocol_error", "reserved opcode (3)", False)]),
    (close_sent, [("protocol_error", "reserved opcode (3)", False)]),
    (close_received, []),
    (close_answered, []),
    (closed, []),
    (finished, []),
)
def test_violation_received(state: State, expected: list[tuple[object, ...]]) -> None:
    assert deliver(state(), b"\x83\x00") == expected


def test_answer_received_while_connecting() -> None:
    client = connecting()
    told = tell_all(client.receive(ANSWER, 0.0, 0.0))
    assert told == [("ready", 101, None, set()), ("poll",)]


@pytest.mark.parametrize("state", [*AFTER_READY, connecting])
def test_nothing_received_is_nothing(state: State) -> None:
    client = state()
    assert deliver(client, b"") == []
    assert client.receive_more(0.0) == []


# ---- the application sends ------------------------------------------------------------------------


@pytest.mark.parametrize("send", SENDS)
@each(
    (connecting, WebSocketUnavailable),
    (close_sent, WebSocketClosing),
    (close_answered, WebSocketClosing),
    (closed, WebSocketClosed),
    (finished, WebSocketClosed),
)
def test_sending_is_refused(state: State, expected: type[Exception], send: str) -> None:
    client = state()
    with pytest.raises(expected) as caught:
        SENDS[send](client)
    assert type(caught.value) is expected
    assert frames_sent(client) == []


@pytest.mark.parametrize("state", [opened, close_received])
@pytest.mark.parametrize(
    ("send", "first"), [("text", 0x81), ("binary", 0x82), ("ping", 0x89), ("pong", 0x8A)]
)
def test_sending_is_allowed(state: State, send: str, first: int) -> None:
    client = state()
    SENDS[send](client)
    assert frames_sent(client) == [(first, b"hi")]


def test_text_that_is_not_unicode_raises_and_sends_nothing() -> None:
    client = opened()
    with pytest.raises(UnicodeEncodeError):
        client.send_text("\ud800")
    assert frames_sent(client) == []


# ---- the application closes -------------------------------------------------------------------------


@each(
    (connecting, []),
    (opened, [(0x88, b"\x03\xe8enough")]),
    (close_sent, []),
    (close_received, [(0x88, b"\x03\xe8enough")]),
    (close_answered, []),
    (closed, []),
    (finished, []),
)
def test_close_called(state: State, expected: list[tuple[int, bytes]]) -> None:
    client = state()
    client.close(1000, b"enough", 0.0)
    assert frames_sent(client) == expected


@each(
    (connecting, (False, False, True, True)),
    (opened, (False, True, False, False)),
    (close_sent, (False, True, False, False)),
    (close_received, (False, True, False, False)),
    (close_answered, (False, True, False, False)),
    (closed, (False, False, True, False)),
    (finished, (False, False, True, True)),
)
def test_close_called_leads_to(state: State, expected: tuple[bool, ...]) -> None:
    client = state()
    client.close(1000, b"enough", 0.0)
    asked = (client.can_send_data, client.is_closing, client.is_closed, client.is_finished)
    assert asked == expected


def test_close_without_a_code_is_an_empty_frame() -> None:
    client = opened()
    client.close(None, b"not sent either", 0.0)
    assert frames_sent(client) == [(0x88, b"")]


def test_time_of_our_close_is_kept() -> None:
    client = opened()
    assert client.ending.sent_close_time is None
    client.close(1000, b"", 7.5)
    assert client.ending.sent_close_time == 7.5


@each(
    (connecting, []),
    (opened, []),
    (close_sent, []),
    (close_received, [(0x88, b"\x03\xe9bye")]),
    (close_answered, []),
    (closed, []),
    (finished, []),
)
def test_close_acknowledged(state: State, expected: list[tuple[int, bytes]]) -> None:
    client = state()
    client.acknowledge_close(0.0)
    assert frames_sent(client) == expected


def test_empty_close_is_answered_by_an_empty_close() -> None:
    client = opened()
    assert deliver(client, b"\x88\x00") == [("closing", None, "")]
    client.acknowledge_close(0.0)
    assert frames_sent(client) == [(0x88, b"")]


def test_pong_goes_out_before_the_answer_to_a_close_behind_its_ping() -> None:
    client = opened()
    deliver(client, b"\x89\x01!\x88\x00")
    client.acknowledge_close(0.0)
    assert frames_sent(client) == [(0x8A, b"!"), (0x88, b"")]


# ---- the stream ends ----------------------------------------------------------------------------------


@each(
    (connecting, (False, "eof", "handshake", None, 1006)),
    (opened, (False, "eof", "open", None, 1006)),
    (close_sent, (False, "eof", "closing", "client", 1006)),
    (close_received, (False, "eof", "closing", "server", 1001)),
    (close_answered, (True, "closed", "closing", "server", 1001)),
    (closed, (True, "closed", "closing", "client", 1000)),
)
def test_stream_ends(state: State, expected: tuple[object, ...]) -> None:
    client = state()
    assert client.end_of_stream() == []
    told = ending_of(client)
    assert (told.graceful, told.kind, told.phase, told.closed_by, told.code) == expected


@pytest.mark.parametrize("state", EVERY_STATE)
def test_connection_that_ended_has_no_deadline(state: State) -> None:
    client = state()
    client.end_of_stream()
    assert client.next_due == float("inf")
    assert client.tick(1e9) == []


def test_end_says_what_the_transport_knew() -> None:
    client = opened()
    client.end_of_stream("socket fail; recv fail; [Errno 104] Connection reset by peer")
    assert ending_of(client).reason.endswith("Connection reset by peer")


def test_first_cause_of_an_end_stays() -> None:
    client = opened()
    error = OSError(104, "Connection reset by peer")
    client.abort("socket fail; reset", "reset", error)
    client.abort("disconnected; forced", "forced")
    told = ending_of(client)
    assert (told.reason, told.kind, told.error) == ("socket fail; reset", "reset", error)


def test_end_is_told_with_the_time_of_the_telling() -> None:
    client = opened()
    client.abort("disconnected; forced", "forced")
    assert client.ending.tell(77.0).received_time == 77.0


def test_empty_close_ends_with_code_1005() -> None:
    client = close_sent()
    assert deliver(client, b"\x88\x00") == [("closed", None, "")]
    client.end_of_stream()
    assert ending_of(client).code == 1005


# ---- a deadline passes ----------------------------------------------------------------------------------


@each(
    (connecting, 30.0),
    (close_sent, 10.0),
    # RFC 6455 §7.1.1: the server ends TCP first, "in abnormal cases […] a client MAY".
    (close_answered, 1.0),
    (closed, 1.0),
)
def test_deadline_is_kept_to(state: State, expected: float) -> None:
    client = state()
    client.tick(expected - 0.01)
    assert not client.is_finished
    client.tick(expected)
    assert client.is_finished


@each(
    (connecting, (False, "timeout", "handshake")),
    (close_sent, (False, "close_timeout", "closing")),
    (close_answered, (True, "closed", "closing")),
    (closed, (True, "closed", "closing")),
)
def test_deadline_passes(state: State, expected: tuple[object, ...]) -> None:
    client = state()
    client.tick(30.0)
    told = ending_of(client)
    assert (told.graceful, told.kind, told.phase) == expected


@pytest.mark.parametrize("state", [opened, close_received])
def test_state_without_a_deadline_stays(state: State) -> None:
    client = state()
    client.tick(1e6)
    assert not client.is_finished


def test_server_that_does_not_answer_our_close_is_named_in_the_reason() -> None:
    client = close_sent()
    client.tick(10.0)
    reason = "disconnected; server didn't respond to close packet within 10.0s"
    assert ending_of(client).reason == reason


def test_close_timeout_may_be_off() -> None:
    client = ready_client(close_timeout=None)
    client.close(1000, b"", 0.0)
    client.tick(1e6)
    assert not client.is_finished


def test_server_gets_a_second_to_end_tcp_without_a_close_timeout() -> None:
    client = ready_client(close_timeout=None)
    deliver(client, b"\x88\x00")
    client.acknowledge_close(5.0)
    client.tick(6.0)
    assert ending_of(client).graceful


def test_server_gets_no_longer_than_the_close_timeout_to_end_tcp() -> None:
    client = ready_client(close_timeout=0.25)
    deliver(client, b"\x88\x00")
    client.acknowledge_close(5.0)
    client.tick(5.25)
    assert ending_of(client).graceful


def test_server_gets_a_second_to_read_why_we_closed() -> None:
    client = opened()
    deliver(client, b"\x83\x00", now=5.0)
    client.tick(5.9)
    assert not client.is_finished
    client.tick(6.0)
    assert ending_of(client).kind == "protocol"


def test_no_ping_is_sent_behind_our_close() -> None:
    client = ready_client(ping_rate=1.0, close_timeout=None)
    client.close(1000, b"", 0.0)
    client.tick(100.0)
    assert [first for first, _ in frames_sent(client)] == [0x88]


def test_silence_is_not_measured_behind_our_close() -> None:
    client = ready_client(ping_timeout=1.0, close_timeout=None)
    client.close(1000, b"", 0.0)
    assert tell_all(client.tick(100.0)) == [("poll",)]


@pytest.mark.parametrize("state", [closed, finished])
def test_no_poll_comes_behind_closed(state: State) -> None:
    client = state()
    assert client.tick(5.0) == []


# ---- codes and reasons --------------------------------------------------------------------------------------

VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4999]
INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", VALID)
def test_valid_code_is_delivered_and_echoed(code: int) -> None:
    client = opened()
    assert deliver(client, server_frame(0x88, close_payload(code))) == [("closing", code, "")]
    client.acknowledge_close(0.0)
    assert frames_sent(client) == [(0x88, close_payload(code))]


@pytest.mark.parametrize("code", INVALID)
def test_invalid_code_is_a_violation(code: int) -> None:
    client = opened()
    text = f"reserved close code ({code})"
    told = deliver(client, server_frame(0x88, close_payload(code)))
    assert told == [("protocol_error", text, False)]
    assert frames_sent(client) == [(0x88, b"\x03\xea" + text.encode())]


def test_payload_of_1_byte_is_a_violation() -> None:
    client = opened()
    text = "close frame has a payload of 1 byte, too short for a close code"
    assert deliver(client, b"\x88\x01\x03") == [("protocol_error", text, False)]


def test_reason_that_is_not_utf8_is_answered_with_1007() -> None:
    client = opened()
    text = "close reason is not valid UTF-8: invalid start byte"
    assert deliver(client, b"\x88\x03\x03\xe8\xff") == [("protocol_error", text, True)]
    assert frames_sent(client) == [(0x88, b"\x03\xef" + text.encode())]


def test_violation_in_the_answer_to_our_close_is_not_answered() -> None:
    client = close_sent()
    deliver(client, b"\x88\x02\x03\xed")
    assert frames_sent(client) == []
    client.end_of_stream()
    told = ending_of(client)
    assert (told.graceful, told.kind, told.closed_by) == (False, "protocol", "client")


def test_every_code_with_a_name_is_accepted() -> None:
    codes = [value for name, value in vars(Status).items() if name.isupper()]
    assert [parse_close_payload(close_payload(code)) for code in codes] == [
        (code, "") for code in codes
    ]


def test_reason_of_123_bytes_is_sent_whole() -> None:
    assert build_close_payload(1000, b"x" * 123) == b"\x03\xe8" + b"x" * 123


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("x" * 124, "x" * 123),
        ("x" * 122 + "é", "x" * 122),  # its second byte would be the 124th
        ("x" * 121 + "€", "x" * 121),
        ("x" * 120 + "😀", "x" * 120),
        ("x" * 119 + "😀" + "y", "x" * 119 + "😀"),
    ],
)
def test_longer_reason_is_cut_at_a_character(reason: str, kept: str) -> None:
    payload = build_close_payload(1000, reason.encode())
    assert payload == b"\x03\xe8" + kept.encode()


def test_longest_reason_of_the_server_is_echoed_whole() -> None:
    client = opened()
    payload = b"\x03\xe8" + "é".encode() * 61 + b"!"
    deliver(client, server_frame(0x88, payload))
    client.acknowledge_close(0.0)
    assert frames_sent(client) == [(0x88, payload)]
