"""RFC 6455 §5.5.1 and §7.1: the closing handshake, by the columns of the state table.

"If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint
MUST send a Close frame in response"; "The application MUST NOT send any more data frames after
sending a Close frame"; §1.4: "After both sending and receiving a Close message, an endpoint
considers the WebSocket connection closed". How it ends is in `test_closing_ends`, what a Close
frame says in `test_close_codes`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lomond.errors import WebSocketClosed, WebSocketClosing, WebSocketUnavailable
from lomond.protocol.client import ClientProtocol
from tests.helpers.protocol import ANSWER, deliver, frames_sent, tell_all
from tests.helpers.states import (
    AFTER_READY,
    State,
    close_answered,
    close_received,
    close_sent,
    closed,
    connecting,
    each,
    finished,
    opened,
)

SENDS: dict[str, Callable[[ClientProtocol], None]] = {
    "text": lambda client: client.send_text("hi"),
    "binary": lambda client: client.send_binary(b"hi"),
    "ping": lambda client: client.send_ping(b"hi"),
    "pong": lambda client: client.send_pong(b"hi"),
}


# ---- the questions ---------------------------------------------------------------------------


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


@each(
    (connecting, False),
    (opened, False),
    (close_sent, False),
    (close_received, True),
    (close_answered, False),
    (closed, False),
    (finished, False),
)
def test_close_of_the_server_waits_for_an_answer(state: State, expected: bool) -> None:
    assert state().awaits_acknowledgement is expected


# ---- bytes in --------------------------------------------------------------------------------


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


# ---- the application sends -------------------------------------------------------------------


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


# ---- the application closes ------------------------------------------------------------------


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
