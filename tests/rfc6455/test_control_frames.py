"""RFC 6455 §5.5: Ping and Pong, and what holds for all control frames.

"All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented";
"Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already
received a Close frame"; "A Pong frame sent in response to a Ping frame must have identical
'Application data'".
"""

from __future__ import annotations

import pytest

from tests.helpers.protocol import deliver, frames_sent, ready_client


@pytest.mark.parametrize("payload", [b"", b"!", b"\x00\xff", b"x" * 125])
def test_ping_is_answered_with_its_payload(payload: bytes) -> None:
    client = ready_client()
    data = b"\x89" + bytes([len(payload)]) + payload
    assert deliver(client, data) == [("ping", payload)]
    assert frames_sent(client) == [(0x8A, payload)]


def test_pings_are_answered_in_order() -> None:
    client = ready_client()
    deliver(client, b"\x89\x011\x89\x012\x89\x013")
    assert frames_sent(client) == [(0x8A, b"1"), (0x8A, b"2"), (0x8A, b"3")]


def test_ping_is_not_answered_without_auto_pong() -> None:
    client = ready_client(auto_pong=False)
    assert deliver(client, b"\x89\x011") == [("ping", b"1")]
    assert frames_sent(client) == []


def test_ping_is_not_answered_behind_our_close() -> None:
    client = ready_client()
    client.close(1000, b"", 0.0)
    assert deliver(client, b"\x89\x011") == [("ping", b"1")]
    assert frames_sent(client) == [(0x88, b"\x03\xe8")]


@pytest.mark.parametrize("payload", [b"", b"x" * 125])
def test_pong_is_an_event_whether_asked_for_or_not(payload: bytes) -> None:
    client = ready_client()
    data = b"\x8a" + bytes([len(payload)]) + payload
    assert deliver(client, data) == [("pong", payload)]
    assert frames_sent(client) == []


@pytest.mark.parametrize("first", [0x88, 0x89, 0x8A])
@pytest.mark.parametrize("length", [b"\x7e\x00\x7e", b"\x7f", b"\x7e"])
def test_control_frame_longer_than_125_bytes_is_a_violation(first: int, length: bytes) -> None:
    client = ready_client()
    text = "control frame is longer than 125 bytes"
    assert deliver(client, bytes([first]) + length) == [("protocol_error", text, False)]


@pytest.mark.parametrize(("first", "opcode"), [(0x08, 8), (0x09, 9), (0x0A, 10)])
def test_fragmented_control_frame_is_a_violation(first: int, opcode: int) -> None:
    client = ready_client()
    text = f"control frame is fragmented (opcode {opcode})"
    assert deliver(client, bytes([first, 0])) == [("protocol_error", text, False)]


def test_control_frame_is_delivered_once_it_is_whole() -> None:
    client = ready_client()
    assert deliver(client, b"\x89\x05Hel") == []
    assert deliver(client, b"lo") == [("ping", b"Hello")]


@pytest.mark.parametrize("payload", [b"", b"x" * 125])
def test_application_may_send_a_ping(payload: bytes) -> None:
    client = ready_client()
    client.send_ping(payload)
    assert frames_sent(client) == [(0x89, payload)]


@pytest.mark.parametrize("payload", [b"", b"x" * 125])
def test_application_may_send_a_pong_nobody_asked_for(payload: bytes) -> None:
    client = ready_client()
    client.send_pong(payload)
    assert frames_sent(client) == [(0x8A, payload)]
