"""What was received comes out in batches with a bound, and in an order that is safe to act upon.

RFC 6455 §5.5.1: "If an endpoint receives a Close frame and did not previously send a Close frame,
the endpoint MUST send a Close frame in response." An application that closes on a message must not
find itself answering a Close that it has not seen: a batch ends before anything that changes the
state of the connection.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.frames import server_frame
from tests.helpers.protocol import (
    ANSWER,
    connecting_client,
    deliver,
    drain,
    ending_of,
    frames_sent,
    ready_client,
    tell_all,
)

MIB = 1 << 20


def batch_sizes(*reads: bytes, **settings: Any) -> list[int]:
    """Deliver the reads one by one; return how many events each batch has."""
    client = ready_client(**settings)
    sizes = []
    for data in reads:
        sizes.append(len(client.receive(data, 0.0, 0.0)))
        while client.has_more:
            sizes.append(len(client.receive_more(0.0)))
    return sizes


# ---- a batch is bounded ----------------------------------------------------------------------


def test_batch_has_at_most_1000_events() -> None:
    assert batch_sizes(b"\x81\x01x" * 2500) == [1000, 1000, 500]


def test_batch_that_is_just_full_may_be_followed_by_an_empty_one() -> None:
    assert batch_sizes(b"\x81\x01x" * 1000) == [1000, 0]


def test_pings_count_as_events() -> None:
    assert batch_sizes(b"\x89\x00\x81\x00" * 750) == [1000, 500]


def test_fragmented_messages_count_as_events() -> None:
    assert batch_sizes(b"\x01\x00\x80\x00" * 1500) == [1000, 500]


def test_order_is_kept_across_batches() -> None:
    client = ready_client()
    told = deliver(client, b"".join(b"\x81\x04%04d" % number for number in range(2100)))
    assert told == [("text", f"{number:04d}") for number in range(2100)]


def test_batch_is_made_of_at_most_1_mib() -> None:
    frame = server_frame(0x82, bytes(100_000))
    # The last of the frames that begin in a MiB ends in the next.
    assert batch_sizes(frame * 25) == [10, 10, 5]


def test_one_message_may_be_larger_than_a_batch() -> None:
    client = ready_client()
    assert deliver(client, server_frame(0x82, bytes(3 * MIB))) == [("binary", bytes(3 * MIB))]


def test_batch_ends_behind_1_mib_of_fragmented_messages() -> None:
    # Most of a message may have come long before it ends.
    client = ready_client()
    assert deliver(client, server_frame(0x02, bytes(MIB))) == []
    assert len(client.receive(b"\x80\x01x\x81\x00", 0.0, 0.0)) == 1
    assert client.has_more
    assert tell_all(client.receive_more(0.0)) == [("text", "")]


def test_nothing_is_lost_where_a_batch_is_full_and_bytes_are_left_over() -> None:
    client = ready_client()
    # More than a MiB, so that it is read in two parts, and the first ends within a frame.
    data = b"\x81\x64" + b"x" * 100
    assert deliver(client, data * 12_000) == [("text", "x" * 100)] * 12_000
    assert client.messages_received == 12_000


@pytest.mark.parametrize("size", [10, MIB, 2 * MIB])
def test_bytes_that_come_early_do_not_overtake_those_that_are_not_read(size: int) -> None:
    client = ready_client()
    told = tell_all(client.receive(b"\x81\x01x" * 1500 + server_frame(0x82, bytes(size)), 0, 0))
    told += tell_all(client.receive(b"\x81\x01y" * 1500, 0.0, 0.0)) + drain(client)
    assert told == [("text", "x")] * 1500 + [("binary", bytes(size))] + [("text", "y")] * 1500


def test_bytes_of_batches_that_are_not_read_are_lost() -> None:
    client = ready_client()
    client.receive(b"\x81\x02hi" * 400_000, 0.0, 0.0)
    client.abort("disconnected; forced", "forced")
    assert ending_of(client).bytes_lost == 4 * 399_000


def test_nothing_is_left_when_everything_was_read() -> None:
    client = ready_client()
    client.receive(b"\x81\x01x", 0.0, 0.0)
    assert not client.has_more
    assert client.receive_more(0.0) == []


def test_all_events_of_a_read_carry_its_time() -> None:
    client = ready_client()
    batch = client.receive(b"\x89\x00" * 600 + b"\x81\x00" * 600, 5.5, 0.0)
    batch += client.receive_more(0.0)
    assert {event.received_time for event in batch} == {5.5}


# ---- a batch ends before what changes the state ----------------------------------------------


def test_close_comes_in_a_batch_of_its_own() -> None:
    client = ready_client()
    assert tell_all(client.receive(b"\x81\x02hi\x88\x00", 0.0, 0.0)) == [("text", "hi")]
    assert client.can_send_data
    assert client.has_more
    assert tell_all(client.receive_more(0.0)) == [("closing", None, "")]
    assert not client.has_more


def test_violation_comes_in_a_batch_of_its_own() -> None:
    client = ready_client()
    assert tell_all(client.receive(b"\x81\x02hi\x83\x00", 0.0, 0.0)) == [("text", "hi")]
    assert frames_sent(client) == []
    assert tell_all(client.receive_more(0.0)) == [("protocol_error", "reserved opcode (3)", False)]
    assert not client.has_more


def test_pong_goes_out_with_the_batch_before_a_close() -> None:
    client = ready_client()
    client.receive(b"\x89\x01!\x88\x00", 0.0, 0.0)
    assert frames_sent(client) == [(0x8A, b"!")]


def test_application_may_close_on_a_message_with_a_close_behind_it() -> None:
    client = ready_client()
    client.receive(b"\x81\x02hi\x88\x02\x03\xe9", 0.0, 0.0)
    client.close(1000, b"", 0.0)
    assert drain(client) == [("closed", 1001, "")]
    client.end_of_stream()
    assert (ending_of(client).graceful, ending_of(client).closed_by) == (True, "client")


def test_application_may_close_on_a_message_with_a_violation_behind_it() -> None:
    client = ready_client()
    client.receive(b"\x81\x02hi\x83\x00", 0.0, 0.0)
    client.close(1000, b"", 0.0)
    assert drain(client) == [("protocol_error", "reserved opcode (3)", False)]
    assert frames_sent(client) == [(0x88, b"\x03\xe8")]


def test_nothing_comes_behind_a_close() -> None:
    client = ready_client()
    data = b"\x88\x00\x81\x02hi\x83\x00"
    assert deliver(client, data) == [("closing", None, "")]
    assert deliver(client, b"\x81\x02hi") == []


@pytest.mark.parametrize("wrong", [b"\x83\x00", b"\x81\x01\xff", b"\x82\xfe"])
def test_nothing_comes_behind_a_violation(wrong: bytes) -> None:
    client = ready_client()
    assert [event[0] for event in deliver(client, wrong + b"\x81\x02hi")] == ["protocol_error"]
    assert deliver(client, b"\x81\x02hi") == []


def test_connection_that_was_given_up_has_nothing_more() -> None:
    client = ready_client()
    client.receive(b"\x81\x02hi\x88\x00", 0.0, 0.0)
    client.abort("disconnected; forced", "forced")
    assert not client.has_more
    assert drain(client) == []


def test_client_that_is_not_ready_has_nothing_more() -> None:
    client = connecting_client()
    assert not client.has_more
    assert (client.messages_received, client.bytes_unfinished) == (0, 0)


# ---- what is counted -------------------------------------------------------------------------


def test_messages_are_counted_without_pings_and_pongs() -> None:
    client = ready_client()
    deliver(client, b"\x81\x00\x89\x00\x82\x00\x8a\x00\x01\x00\x80\x00\x88\x00")
    assert client.messages_received == 3


def test_pings_before_a_violation_are_not_counted_as_messages() -> None:
    client = ready_client()
    deliver(client, b"\x81\x00\x89\x00\x8a\x00\x83\x00")
    assert client.messages_received == 1


def test_bytes_are_counted_from_the_answer_on() -> None:
    client = ready_client()
    before = client.bytes_received
    deliver(client, b"\x81\x02hi")
    assert (before, client.bytes_received) == (129, 133)


@pytest.mark.parametrize(
    ("data", "lost"),
    [
        (b"\x81\x02hi", 0),
        (b"\x81\x02hi\x81", 1),  # half a header
        (b"\x81\x02hi\x81\x05Hel", 3),  # half a payload
        (b"\x81\x02hi\x89\x05Hel", 5),  # half a control frame, with its header
        (b"\x81\x02hi\x01\x03Hel\x81", 4),
        (b"\x81\x02hi\x83\x00", 2),
    ],
)
def test_bytes_of_what_is_not_complete_are_lost(data: bytes, lost: int) -> None:
    client = ready_client()
    deliver(client, data)
    client.end_of_stream()
    assert ending_of(client).bytes_lost == lost


@pytest.mark.parametrize("last", [b"\x88\x00", b"\x83\x00"])
def test_what_ends_a_connection_carries_the_time_of_its_bytes(last: bytes) -> None:
    client = connecting_client()
    batch = client.receive(ANSWER + b"\x81\x00" + last, 5.5, 0.0)
    while client.has_more:
        batch += client.receive_more(0.0)
    assert [event.received_time for event in batch] == [5.5] * 4
