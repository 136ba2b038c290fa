"""RFC 6455 §5.4: fragmentation.

"A fragmented message consists of a single frame with the FIN bit clear and an opcode other than
0, followed by zero or more frames with the FIN bit clear and the opcode set to 0, and terminated
by a single frame with the FIN bit set and an opcode of 0."
"""

from __future__ import annotations

import random
import tracemalloc

import pytest

from lomond.events import Binary
from lomond.protocol.messages import ROOM, SMALL, MessageBuilder
from tests.helpers.frames import server_frame
from tests.helpers.protocol import deliver, ending_of, frames_sent, ready_client, tell_all


def test_fragments_become_one_text() -> None:
    client = ready_client()
    assert deliver(client, b"\x01\x03Hel\x80\x02lo") == [("text", "Hello")]


def test_fragments_become_one_binary() -> None:
    client = ready_client()
    assert deliver(client, b"\x02\x01\x00\x00\x01\xff\x80\x01\x00") == [("binary", b"\x00\xff\x00")]


def test_fragments_may_be_empty() -> None:
    client = ready_client()
    assert deliver(client, b"\x01\x00\x00\x00\x80\x00") == [("text", "")]


def test_fragments_may_come_in_reads_of_their_own() -> None:
    client = ready_client()
    assert deliver(client, b"\x01\x03Hel") == []
    assert deliver(client, b"\x00\x01l") == []
    assert deliver(client, b"\x80\x01o") == [("text", "Hello")]


def test_message_may_follow_a_fragmented_one() -> None:
    client = ready_client()
    data = b"\x01\x01a\x80\x01b\x81\x01c\x02\x01d\x80\x01e"
    assert deliver(client, data) == [("text", "ab"), ("text", "c"), ("binary", b"de")]


def test_control_frames_may_come_between_fragments() -> None:
    # "Control frames MAY be injected in the middle of a fragmented message."
    client = ready_client()
    data = b"\x01\x03Hel\x89\x01!\x8a\x00\x80\x02lo"
    assert deliver(client, data) == [("ping", b"!"), ("pong", b""), ("text", "Hello")]


def test_close_may_come_between_fragments() -> None:
    client = ready_client()
    assert deliver(client, b"\x01\x03Hel\x88\x00") == [("closing", None, "")]


def test_control_frame_may_not_come_within_a_frame() -> None:
    client = ready_client()
    assert deliver(client, b"\x82\x04ab") == []
    assert deliver(client, b"\x89\x00") == [("binary", b"ab\x89\x00")]


def test_continuation_of_nothing_is_a_violation() -> None:
    client = ready_client()
    text = "continuation frame without a message to continue"
    assert deliver(client, b"\x80\x00") == [("protocol_error", text, False)]


def test_continuation_behind_a_finished_message_is_a_violation() -> None:
    client = ready_client()
    text = "continuation frame without a message to continue"
    assert deliver(client, b"\x01\x01a\x80\x01b\x00\x01c") == [
        ("text", "ab"),
        ("protocol_error", text, False),
    ]


def test_message_within_a_message_is_a_violation() -> None:
    client = ready_client()
    text = "new message begins before the last one has ended"
    assert deliver(client, b"\x01\x01a\x81\x01b") == [("protocol_error", text, False)]


def test_as_many_fragments_as_allowed_are_a_message() -> None:
    client = ready_client(max_fragments=3)
    assert deliver(client, b"\x01\x01a\x00\x01b\x80\x01c") == [("text", "abc")]


def test_fragments_are_counted_anew_for_each_message() -> None:
    client = ready_client(max_fragments=3)
    data = b"\x01\x01a\x00\x01b\x80\x01c" * 2
    assert deliver(client, data) == [("text", "abc"), ("text", "abc")]


def test_one_fragment_more_than_allowed_is_too_large() -> None:
    client = ready_client(max_fragments=3)
    deliver(client, b"\x01\x00\x00\x00\x00\x00")
    text = "message has more than 3 fragments"
    assert deliver(client, b"\x80\x00") == [("protocol_error", text, False)]
    assert frames_sent(client) == [(0x88, b"\x03\xf1" + text.encode())]


def test_fragments_that_add_up_to_the_limit_are_a_message() -> None:
    client = ready_client(max_message_size=5)
    assert deliver(client, b"\x01\x03Hel\x80\x02lo") == [("text", "Hello")]


def test_fragments_over_the_limit_are_refused_before_their_payload() -> None:
    client = ready_client(max_message_size=5)
    # The last frame is only a header, and a second message would fit.
    text = "message is over the limit of 5 bytes"
    assert deliver(client, b"\x02\x03abc\x80\x03") == [("protocol_error", text, False)]
    assert frames_sent(client) == [(0x88, b"\x03\xf1" + text.encode())]


def test_limit_counts_what_has_come_of_a_frame_and_what_is_missing() -> None:
    client = ready_client(max_message_size=5)
    deliver(client, b"\x02\x02ab")
    assert deliver(client, b"\x80\x03c") == []
    assert deliver(client, b"de") == [("binary", b"abcde")]
    deliver(client, b"\x02\x02ab")
    assert [event[0] for event in deliver(client, b"\x80\x04cd")] == ["protocol_error"]


def test_limit_counts_each_message_anew() -> None:
    client = ready_client(max_message_size=5)
    data = b"\x01\x02He\x80\x03llo" * 2
    assert deliver(client, data) == [("text", "Hello"), ("text", "Hello")]


def test_kind_of_an_exceeded_limit_is_limit() -> None:
    client = ready_client(max_fragments=1)
    deliver(client, b"\x01\x00\x80\x00")
    client.end_of_stream()
    assert ending_of(client).kind == "limit"


def test_bytes_of_an_unfinished_message_are_counted_as_lost() -> None:
    client = ready_client()
    deliver(client, b"\x01\x03Hel\x00\x05lo")
    client.end_of_stream()
    assert ending_of(client).bytes_lost == 5


def test_65536_fragments_are_within_the_limit() -> None:
    client = ready_client()
    data = b"\x02\x01x" + b"\x00\x01x" * 65_534 + b"\x80\x01x"
    assert deliver(client, data) == [("binary", b"x" * 65_536)]


def test_flood_of_empty_fragments_ends() -> None:
    client = ready_client(max_fragments=1000)
    told = tell_all(client.receive(b"\x01\x00" + b"\x00\x00" * 2000, 0.0, 0.0))
    assert told == [("protocol_error", "message has more than 1000 fragments", False)]


def test_large_message_may_come_in_many_reads() -> None:
    client = ready_client()
    data = server_frame(0x82, bytes(range(256)) * 1024)
    told = [
        event for at in range(0, len(data), 1000) for event in deliver(client, data[at : at + 1000])
    ]
    assert told == [("binary", bytes(range(256)) * 1024)]


@pytest.mark.parametrize(("size", "times"), [(1000, 1), (SMALL, 1), (SMALL + 1, ROOM)])
def test_announced_length_takes_no_memory_until_it_comes(size: int, times: int) -> None:
    builder = MessageBuilder(1 << 30, 10, None)
    beginning = bytes(size)
    tracemalloc.start()
    try:
        builder.add(0x82, beginning, (1 << 30) - size, 0.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * times * size


def test_long_frames_in_pieces_and_short_ones_become_one_message() -> None:
    payload = random.Random(6455).randbytes(300_000)
    builder = MessageBuilder(1 << 20, 10, None)

    for frame, first in ((payload[:200_000], 0x02), (payload[200_000:], 0x00)):
        for start in range(0, len(frame), 700):
            builder.add(first, frame[start : start + 700], max(0, len(frame) - start - 700), 0.0)
    message = builder.add(0x80, b"end", 0, 0.0)

    assert isinstance(message, Binary)
    assert message.data == payload + b"end"
