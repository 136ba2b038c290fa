"""RFC 6455 §7.1.1 and §7.1.5: how a connection ends, in every state, and when it may wait no more.

"The underlying TCP connection, in most normal cases, SHOULD be closed first by the server"; "If
_The WebSocket Connection is Closed_ and no Close control frame was received by the endpoint […],
_The WebSocket Connection Close Code_ is considered to be 1006."
"""

from __future__ import annotations

import pytest

from lomond.protocol.connection import Connection
from lomond.protocol.outgoing import Outgoing
from lomond.protocol.settings import Settings
from tests.helpers.protocol import deliver, ending_of, frames_sent, ready_client, tell_all
from tests.helpers.states import (
    EVERY_STATE,
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

# ---- the stream ends -------------------------------------------------------------------------


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


def test_kind_of_an_end_is_known_as_soon_as_it_is_settled() -> None:
    client = close_received()
    assert client.ending.kind is None
    client.acknowledge_close(0.0)
    assert client.ending.kind == "closed"
    assert not client.is_finished


def test_error_behind_an_end_does_not_keep_its_frames() -> None:
    client = opened()
    with pytest.raises(OSError, match="reset") as caught:
        raise OSError("reset")
    client.abort("socket fail; reset", "reset", caught.value)
    assert caught.value.__traceback__ is None


def test_connection_that_received_nothing_has_lost_nothing() -> None:
    connection = Connection(Settings(), Outgoing())
    connection.abort("disconnected; forced", "forced")
    assert connection.ending.tell(0.0).bytes_lost == 0


def test_end_is_told_with_the_time_of_the_telling() -> None:
    client = opened()
    client.abort("disconnected; forced", "forced")
    assert client.ending.tell(77.0).received_time == 77.0


def test_empty_close_ends_with_code_1005() -> None:
    client = close_sent()
    assert deliver(client, b"\x88\x00") == [("closed", None, "")]
    client.end_of_stream()
    assert ending_of(client).code == 1005


# ---- a deadline passes -----------------------------------------------------------------------


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


def test_one_close_may_have_a_timeout_of_its_own() -> None:
    client = opened()
    client.close(1001, b"", 0.0, timeout=1.0)
    client.tick(0.9)
    assert not client.is_finished
    client.tick(1.0)
    assert ending_of(client).kind == "close_timeout"


def test_second_close_may_only_shorten_the_wait() -> None:
    client = close_sent()
    client.close(1001, b"", 0.0, timeout=20.0)
    assert client.next_due <= 10.0
    client.close(1001, b"", 5.0, timeout=1.0)
    client.tick(5.9)
    assert not client.is_finished
    client.tick(6.0)
    assert ending_of(client).kind == "close_timeout"
    assert frames_sent(client) == []


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
