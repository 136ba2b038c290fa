"""RFC 7692 §6 and §7.2: compressed messages, as a client receives and sends them.

"An endpoint MUST NOT set the 'Per-Message Compressed' bit of control frames and non-first
fragments of a data message. An endpoint receiving such a frame MUST _Fail the WebSocket
Connection_." Limits count what comes out, and hold while it comes out.
"""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest

from lomond.protocol.client import ClientProtocol
from tests.helpers.frames import parse_client_frames, server_frame
from tests.helpers.protocol import deliver, ending_of, frames_sent, ready_client

MIB = 1 << 20
# RFC 7692 §7.2.3.1: "Hello", compressed; and again, with what the first left in the window.
HELLO = bytes.fromhex("f248cdc9c90700")
HELLO_AGAIN = bytes.fromhex("f200110000")


def deflate(*payloads: bytes, mem_level: int = 8, window_bits: int = 15) -> list[bytes]:
    """Compress messages as a server with context takeover does."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -window_bits, mem_level)
    return [
        (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        for payload in payloads
    ]


def in_fragments(first: int, payload: bytes, size: int) -> bytes:
    """Send a message as frames of at most `size` bytes."""
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    opcodes = [first, *[0x00] * (len(pieces) - 1)]
    opcodes[-1] |= 0x80
    return b"".join(map(server_frame, opcodes, pieces))


def incompressible(size: int) -> bytes:
    """Return bytes that deflate only makes longer."""
    return random.Random(7692).randbytes(size)


# ---- the examples of §7.2.3 ------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("c107f248cdc9c90700"),  # §7.2.3.1: one block of compressed data
        bytes.fromhex("4103f248cd 8004c9c90700"),  # §7.2.3.1: the same in two frames
        bytes.fromhex("c10b000500faff48656c6c6f00"),  # §7.2.3.3: a block without compression
        bytes.fromhex("c108f348cdc9c9070000"),  # §7.2.3.4: a block with BFINAL set
        bytes.fromhex("c10df248050000 00ffffcac9c90700"),  # §7.2.3.5: two blocks
    ],
    ids=["one block", "two frames", "stored", "final", "two blocks"],
)
def test_examples_of_the_rfc_are_inflated(data: bytes) -> None:
    client = ready_client(deflate="")
    assert deliver(client, data) == [("text", "Hello")]


def test_second_message_may_refer_to_the_first() -> None:
    client = ready_client(deflate="")
    data = server_frame(0xC1, HELLO) + server_frame(0xC1, HELLO_AGAIN)
    assert deliver(client, data) == [("text", "Hello"), ("text", "Hello")]


@pytest.mark.parametrize("empty", [b"\xc1\x01\x00", b"\xc1\x00", b"\x41\x00\x80\x01\x00"])
def test_empty_message_is_inflated(empty: bytes) -> None:
    client = ready_client(deflate="")
    assert deliver(client, empty + b"\xc1\x07" + HELLO) == [("text", ""), ("text", "Hello")]


# ---- where RSV1 may be -----------------------------------------------------------------------


def test_message_need_not_be_compressed() -> None:
    client = ready_client(deflate="")
    data = b"\x81\x05Hello\xc1\x07" + HELLO + b"\x82\x02hi\x01\x01a\x80\x01b"
    assert deliver(client, data) == [
        ("text", "Hello"),
        ("text", "Hello"),
        ("binary", b"hi"),
        ("text", "ab"),
    ]


@pytest.mark.parametrize("first", [0xC0, 0x40])
def test_rsv1_on_a_later_fragment_is_a_violation(first: int) -> None:
    client = ready_client(deflate="")
    text = f"reserved bits are set (first byte {first:#04x})"
    data = b"\x41\x03\xf2\x48\xcd" + bytes([first, 4]) + HELLO[3:]
    assert deliver(client, data) == [("protocol_error", text, False)]


@pytest.mark.parametrize("first", [0xC8, 0xC9, 0xCA])
def test_rsv1_on_a_control_frame_is_a_violation(first: int) -> None:
    client = ready_client(deflate="")
    text = f"reserved bits are set (first byte {first:#04x})"
    assert deliver(client, bytes([first, 0])) == [("protocol_error", text, False)]


def test_rsv1_is_a_violation_where_compression_was_not_agreed_on() -> None:
    client = ready_client()
    text = "reserved bits are set (first byte 0xc1)"
    assert deliver(client, b"\xc1\x07" + HELLO) == [("protocol_error", text, False)]


# ---- in parts --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_compressed_message_may_be_fragmented(size: int) -> None:
    client = ready_client(deflate="")
    (payload,) = deflate(b"fragments of a message" * 10)
    assert deliver(client, in_fragments(0x42, payload, size)) == [
        ("binary", b"fragments of a message" * 10)
    ]


def test_compressed_message_may_come_byte_by_byte() -> None:
    client = ready_client(deflate="")
    payloads = deflate(b"one message", b"another message")
    data = b"".join(server_frame(0xC1, payload) for payload in payloads)
    told = [event for byte in data for event in deliver(client, bytes([byte]))]
    assert told == [("text", "one message"), ("text", "another message")]


def test_control_frames_may_come_between_compressed_fragments() -> None:
    client = ready_client(deflate="")
    data = b"\x41\x03" + HELLO[:3] + b"\x89\x01!\x8a\x00\x80\x04" + HELLO[3:]
    assert deliver(client, data) == [("ping", b"!"), ("pong", b""), ("text", "Hello")]


def test_empty_fragments_of_a_compressed_message_are_nothing() -> None:
    client = ready_client(deflate="")
    data = b"\x41\x00\x00\x03" + HELLO[:3] + b"\x00\x00\x00\x04" + HELLO[3:] + b"\x80\x00"
    assert deliver(client, data) == [("text", "Hello")]


def test_character_may_be_cut_by_compressed_fragments() -> None:
    client = ready_client(deflate="")
    (payload,) = deflate("κόσμε 😀".encode())
    assert deliver(client, in_fragments(0x41, payload, 1)) == [("text", "κόσμε 😀")]


# ---- what is wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("fragment", [1, 100])
def test_compressed_text_that_is_not_utf8_is_answered_with_1007(fragment: int) -> None:
    client = ready_client(deflate="")
    (payload,) = deflate(b"Hello\xff")
    text = "text is not valid UTF-8: invalid start byte"
    told = deliver(client, in_fragments(0x41, payload, fragment))
    assert told == [("protocol_error", text, True)]
    assert frames_sent(client) == [(0x88, b"\x03\xef" + text.encode())]


@pytest.mark.parametrize("fragment", [1, 100])
def test_compressed_text_that_ends_within_a_character_is_refused(fragment: int) -> None:
    client = ready_client(deflate="")
    (payload,) = deflate(b"Hello\xe2\x82")
    ((name, _, critical),) = deliver(client, in_fragments(0x41, payload, fragment))
    assert (name, critical) == ("protocol_error", True)


@pytest.mark.parametrize("data", [b"\xc2\x01\x07", b"\x42\x01\x07\x80\x00", b"\xc2\x02\xff\xff"])
def test_data_that_cannot_be_inflated_are_answered_with_1007(data: bytes) -> None:
    client = ready_client(deflate="")
    ((name, text, critical),) = deliver(client, data)
    assert (name, critical) == ("protocol_error", True)
    assert str(text).startswith("compressed message is corrupt")
    assert frames_sent(client) == [(0x88, b"\x03\xef" + str(text).encode()[:123])]


def test_message_that_refers_to_a_window_that_was_given_up_is_refused() -> None:
    client = ready_client(deflate="; server_no_context_takeover")
    data = server_frame(0xC1, HELLO) + server_frame(0xC1, HELLO_AGAIN)
    told = deliver(client, data)
    assert [event[0] for event in told] == ["text", "protocol_error"]


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fragment", [1, 5, 1000])
@pytest.mark.parametrize("first", [0x41, 0x42])
def test_message_of_exactly_the_limit_is_inflated(first: int, fragment: int) -> None:
    client = ready_client(deflate="", max_message_size=1000)
    (payload,) = deflate(b"x" * 1000)
    ((_, content),) = deliver(client, in_fragments(first, payload, fragment))
    assert len(content) == 1000  # type: ignore[arg-type]


@pytest.mark.parametrize("fragment", [1, 5, 1000])
@pytest.mark.parametrize("first", [0x41, 0x42])
def test_message_of_one_byte_over_the_limit_is_refused(first: int, fragment: int) -> None:
    client = ready_client(deflate="", max_message_size=1000)
    (payload,) = deflate(b"x" * 1001)
    ((name, _, critical),) = deliver(client, in_fragments(first, payload, fragment))
    assert (name, critical) == ("protocol_error", False)
    ((close, reason),) = frames_sent(client)
    assert (close, reason[:2]) == (0x88, b"\x03\xf1")


@pytest.mark.parametrize("size", [1, 10, 125, 1000, 65_536])
@pytest.mark.parametrize("mem_level", [1, 9])
def test_incompressible_message_of_the_limit_is_inflated(size: int, mem_level: int) -> None:
    client = ready_client(deflate="", max_message_size=size)
    message = incompressible(size)
    (payload,) = deflate(message, mem_level=mem_level, window_bits=9)
    assert len(payload) > size
    assert deliver(client, server_frame(0xC2, payload)) == [("binary", message)]


def test_incompressible_message_of_the_limit_may_be_fragmented() -> None:
    client = ready_client(deflate="", max_message_size=1000)
    message = incompressible(1000)
    (payload,) = deflate(message, mem_level=1)
    data = b"\x42\x00" + server_frame(0x80, payload)
    assert deliver(client, data) == [("binary", message)]


def test_limit_counts_what_came_out_of_earlier_fragments() -> None:
    client = ready_client(deflate="", max_message_size=9)
    stored = b"\x00\x05\x00\xfa\xffHello"
    data = server_frame(0x42, stored) + server_frame(0x00, stored) + b"\x80\x01\x00"
    assert [event[0] for event in deliver(client, data)] == ["protocol_error"]


def test_limit_counts_what_comes_out_at_the_end() -> None:
    client = ready_client(deflate="", max_message_size=5)
    # The last block announces 4 bytes without them: the octets that we append are taken for them.
    data = server_frame(0x42, b"\x00\x02\x00\xfd\xffHe") + server_frame(
        0x80, b"\x00\x04\x00\xfb\xff"
    )
    assert [event[0] for event in deliver(client, data)] == ["protocol_error"]


def test_limit_counts_each_compressed_message_anew() -> None:
    client = ready_client(deflate="", max_message_size=1000)
    data = b"".join(server_frame(0xC2, payload) for payload in deflate(b"x" * 900, b"y" * 900))
    assert [event[0] for event in deliver(client, data)] == ["binary", "binary"]


def test_compressed_frame_is_refused_by_its_header_where_it_cannot_fit() -> None:
    client = ready_client(deflate="", max_message_size=1000)
    told = deliver(client, b"\xc2\x7f\x00\x00\x00\x01\x00\x00\x00\x00")
    assert [event[0] for event in told] == ["protocol_error"]
    client.end_of_stream()
    assert ending_of(client).kind == "limit"


def bomb(size: int) -> bytes:
    """Return a compressed message of zeros, a thousandth of its size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [compressor.compress(bytes(MIB)) for _ in range(size // MIB)]
    return (b"".join(pieces) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


BOMB = bomb(64 * MIB)


@pytest.mark.parametrize("fragment", [1 << 30, 10_000], ids=["one frame", "fragments"])
def test_bomb_is_refused_before_it_has_taken_memory(fragment: int) -> None:
    client = ready_client(deflate="", max_message_size=MIB)
    data = in_fragments(0x42, BOMB, fragment)
    tracemalloc.start()
    told = deliver(client, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [event[0] for event in told] == ["protocol_error"]
    assert peak < 3 * MIB


def test_batch_of_bombs_below_the_limit_comes_one_by_one() -> None:
    client = ready_client(deflate="", max_message_size=4 * MIB)
    payloads = deflate(*[bytes(3 * MIB)] * 3)
    data = b"".join(server_frame(0xC2, payload) for payload in payloads)
    sizes = [len(client.receive(data, 0.0, 0.0))]
    while client.has_more:
        sizes.append(len(client.receive_more(0.0)))
    assert sizes == [1, 1, 1, 0]


# ---- what we send ----------------------------------------------------------------------------


def inflated(client: ClientProtocol) -> list[tuple[int, bytes]]:
    """Take what is to be written, inflated as a server with context takeover does."""
    decompressor = zlib.decompressobj(-15)
    return [
        (first, decompressor.decompress(payload + b"\x00\x00\xff\xff"))
        for first, payload in parse_client_frames(client.outgoing.take())
    ]


def test_our_messages_are_compressed() -> None:
    client = ready_client(deflate="")
    client.send_text("Hello")
    assert frames_sent(client) == [(0xC1, HELLO)]


def test_our_messages_share_a_window() -> None:
    client = ready_client(deflate="")
    client.send_text("Hello")
    client.send_binary(b"Hello")
    client.send_text("")
    assert inflated(client) == [(0xC1, b"Hello"), (0xC2, b"Hello"), (0xC1, b"")]


def test_our_messages_do_not_share_a_window_that_the_server_gives_up() -> None:
    client = ready_client(deflate="; client_no_context_takeover")
    client.send_text("Hello")
    client.send_text("Hello")
    assert frames_sent(client) == [(0xC1, HELLO), (0xC1, HELLO)]


def test_application_may_send_a_message_as_it_is() -> None:
    client = ready_client(deflate="")
    client.send_text("Hello", compress=False)
    client.send_binary(b"Hello", compress=False)
    assert frames_sent(client) == [(0x81, b"Hello"), (0x82, b"Hello")]


def test_our_messages_go_out_as_they_are_where_the_server_has_a_window_of_256_bytes() -> None:
    client = ready_client(deflate="; client_max_window_bits=8")
    client.send_text("Hello")
    assert frames_sent(client) == [(0x81, b"Hello")]


def test_extension_in_use_is_told() -> None:
    client = ready_client(deflate="; server_max_window_bits=10")
    assert client.extensions == {"permessage-deflate"}
