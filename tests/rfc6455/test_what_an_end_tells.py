"""RFC 6455 §7.1.7: what an end that is none of ours tells the application, and what it leaves.

An application logs the reason, decides by the kind, and looks into the error that is behind both.
"""

from __future__ import annotations

import pytest

from lomond.errors import CriticalProtocolError, PayloadTooLarge, ProtocolError, WebSocketClosed
from tests.helpers.protocol import (
    ANSWER,
    connecting_client,
    deliver,
    ending_of,
    frames_sent,
    ready_client,
)
from tests.helpers.states import close_sent, connecting, opened

VIOLATIONS = [
    (b"\x83\x00", "protocol", ProtocolError, "disconnected; reserved opcode (3)"),
    (b"\x88\x01x", "protocol", ProtocolError, "disconnected; close frame has a payload of 1 byte"),
    (b"\x81\x01\xff", "protocol", CriticalProtocolError, "disconnected; text is not valid UTF-8"),
    (b"\x82\x7e\x00\x7e", "limit", PayloadTooLarge, "disconnected; frame of 126 bytes is over"),
]


@pytest.mark.parametrize(("data", "kind", "error", "reason"), VIOLATIONS)
def test_a_violation_is_the_reason_and_the_error_of_the_end(
    data: bytes, kind: str, error: type[Exception], reason: str
) -> None:
    client = ready_client(max_message_size=100)
    deliver(client, data)
    client.end_of_stream()
    told = ending_of(client)
    assert (told.kind, type(told.error)) == (kind, error)
    assert told.reason.startswith(reason)


def test_an_answer_over_its_limit_is_the_reason_and_the_error_of_the_end() -> None:
    client = connecting()
    client.receive(b"HTTP/1.1 101 Yes\r\nX: " + b"x" * 100_000, 0.0, 0.0)
    told = ending_of(client)
    assert (told.kind, type(told.error), told.phase) == (
        "limit",
        CriticalProtocolError,
        "handshake",
    )
    assert told.reason == f"disconnected; {told.error}"


def test_behind_a_violation_the_connection_is_closed_for_those_who_send() -> None:
    client = opened()
    client.receive(b"\x83\x00", 0.0, 7.0)
    assert client.is_closed
    assert client.ending.sent_close_time == 7.0
    with pytest.raises(WebSocketClosed):
        client.send_text("too late")


def test_a_closing_handshake_that_we_began_ends_with_the_reason_closed() -> None:
    client = close_sent()
    deliver(client, b"\x88\x02\x03\xe8")
    client.end_of_stream()
    assert ending_of(client).reason == "closed"


def test_a_close_that_is_not_answered_is_told_with_the_time_it_was_given() -> None:
    client = opened()
    client.close(1000, b"", 100.0)
    client.tick(110.0)
    assert ending_of(client).reason.endswith("respond to close packet within 10.0s")


def test_an_end_of_the_stream_may_be_repaired_unless_the_transport_says_no() -> None:
    error = OSError("the certificate has changed")
    ours, theirs = opened(), opened()
    ours.end_of_stream()
    theirs.end_of_stream("socket fail", "tls", error, retryable=False)
    assert (ending_of(ours).retryable, ending_of(ours).error) == (True, None)
    assert (ending_of(theirs).retryable, ending_of(theirs).error) == (False, error)


def test_before_the_upgrade_nothing_is_agreed_on_and_nothing_can_be_read() -> None:
    client = connecting()
    assert (client.subprotocol, client.extensions, client.ready_time) == (None, set(), None)
    assert client.receive_more(0.0) == []
    assert client.has_more is False


def test_an_upgrade_at_any_time_begins_the_pings() -> None:
    client = connecting_client(deadline=2000.0, ping_rate=30.0, ping_timeout=60.0)
    client.receive(ANSWER, 0.0, 1000.0)
    assert (0x89, b"") in frames_sent(client)
    assert [event.name for event in client.tick(1060.0)][-1] == "unresponsive"


def test_a_peer_that_was_asked_late_has_no_longer_than_one_that_was_asked_in_time() -> None:
    client = ready_client(poll=1000.0, ping_rate=30.0, ping_timeout=31.0)
    deliver(client, b"\x8a\x00", now=1.0)
    assert client.tick(100.0) == []
    assert [event.name for event in client.tick(101.0)] == ["unresponsive"]
