"""RFC 6455 §5.2 and §5.7: the base framing protocol, bit by bit.

"All frames sent from client to server have this bit set to 1" (the mask); "The length of the
payload data, in bytes: if 0-125, that is the payload length. If 126, the following 2 bytes
interpreted as a 16-bit unsigned integer are the payload length. If 127, the following 8 bytes
[…] (the most significant bit MUST be 0)".
"""

from __future__ import annotations

import pytest

from lomond.errors import FrameBuildError, PayloadTooLarge, ProtocolError
from lomond.events import Event
from lomond.protocol.frames import FrameReader, build_frame
from tests.helpers.protocol import deliver, frames_sent, ready_client, tell, tell_all

MIB = 1 << 20
# The key of the examples in RFC 6455 §5.7.
KEY = bytes.fromhex("37fa213d")

# Lengths on both sides of where the encoding of the length changes.
LENGTHS = [
    (0, b"\x00"),
    (1, b"\x01"),
    (125, b"\x7d"),
    (126, b"\x7e\x00\x7e"),
    (127, b"\x7e\x00\x7f"),
    (65_535, b"\x7e\xff\xff"),
    (65_536, b"\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
]
by_length = pytest.mark.parametrize(("size", "encoded"), LENGTHS)


def read(data: bytes, max_payload: int = MIB, *, compressed: bool = False) -> list[object]:
    """Read all that can be read: events as tuples, pieces as they are."""
    reader = FrameReader(max_payload, compressed)
    reader.feed(data)
    return read_on(reader)


def read_on(reader: FrameReader) -> list[object]:
    """Read on from what was fed."""
    found: list[object] = []
    piece: object = ()
    while piece is not None:
        events: list[Event] = []
        piece = reader.read(events, 0.0, room=100)
        found += tell_all(events)
        if piece is not None:
            found.append(piece)
    return found


# ---- the examples of §5.7 --------------------------------------------------------------------


def test_single_unmasked_text_of_the_rfc_is_read() -> None:
    assert read(bytes.fromhex("810548656c6c6f")) == [("text", "Hello")]


def test_single_masked_text_of_the_rfc_is_built() -> None:
    assert build_frame(0x81, b"Hello", KEY) == bytes.fromhex("818537fa213d7f9f4d5158")


def test_fragmented_unmasked_text_of_the_rfc_is_read_as_two_pieces() -> None:
    data = bytes.fromhex("010348656c80026c6f")
    assert read(data) == [(0x01, b"Hel", 0), (0x80, b"lo", 0)]


def test_unmasked_ping_of_the_rfc_is_read() -> None:
    assert read(bytes.fromhex("890548656c6c6f")) == [(0x89, b"Hello", 0)]


def test_masked_pong_of_the_rfc_is_built() -> None:
    assert build_frame(0x8A, b"Hello", KEY) == bytes.fromhex("8a8537fa213d7f9f4d5158")


def test_256_unmasked_bytes_of_the_rfc_are_read() -> None:
    assert read(bytes.fromhex("827e0100") + bytes(256)) == [("binary", bytes(256))]


def test_64_kib_unmasked_of_the_rfc_are_read() -> None:
    data = bytes.fromhex("827f0000000000010000") + bytes(65_536)
    assert read(data) == [("binary", bytes(65_536))]


# ---- lengths ---------------------------------------------------------------------------------


@by_length
def test_binary_frame_of_boundary_length_is_read(size: int, encoded: bytes) -> None:
    payload = b"x" * size
    assert read(b"\x82" + encoded + payload) == [("binary", payload)]


@by_length
def test_text_frame_of_boundary_length_is_read(size: int, encoded: bytes) -> None:
    assert read(b"\x81" + encoded + b"x" * size) == [("text", "x" * size)]


@by_length
def test_frame_of_boundary_length_is_built(size: int, encoded: bytes) -> None:
    # A key of zeros leaves the payload as it is; the mask bit is the highest of the length byte.
    masked_length = bytes([encoded[0] | 0x80]) + encoded[1:]
    expected = b"\x82" + masked_length + b"\x00\x00\x00\x00" + b"x" * size
    assert build_frame(0x82, b"x" * size, bytes(4)) == expected


def test_every_frame_gets_a_masking_key_of_its_own() -> None:
    keys = {build_frame(0x81, b"Hello")[2:6] for _ in range(100)}
    assert len(keys) == 100


@pytest.mark.parametrize("length", [0, 1, 125])
def test_length_that_fits_7_bits_may_not_take_16(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"payload length {length} is encoded in 2 bytes"):
        read(b"\x82\x7e\x00" + bytes([length]))


@pytest.mark.parametrize("length", [0, 125, 126, 65_535])
def test_length_that_fits_16_bits_may_not_take_64(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"payload length {length} is encoded in 8 bytes"):
        read(b"\x82\x7f" + length.to_bytes(8, "big"))


def test_length_with_its_most_significant_bit_set_is_refused() -> None:
    with pytest.raises(ProtocolError, match="most significant bit") as caught:
        read(b"\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00")
    assert caught.value.close_code == 1002


# ---- the first two bytes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", [b"\x81\x80", b"\x82\x85", b"\x89\x80", b"\x82\xfe", b"\x82\xff"]
)
def test_masked_frame_from_the_server_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError, match="frame from the server is masked"):
        read(header)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("length", [b"\x00", b"\x7e"])
def test_reserved_opcode_is_refused(opcode: int, length: bytes) -> None:
    with pytest.raises(ProtocolError, match=rf"reserved opcode \({opcode}\)"):
        read(bytes([0x80 | opcode]) + length)


@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10])
@pytest.mark.parametrize("first", [0x81, 0x82, 0x01, 0x80, 0x88, 0x89, 0x8A])
def test_reserved_bit_is_refused_without_an_extension(bit: int, first: int) -> None:
    with pytest.raises(ProtocolError, match=f"reserved bits are set .first byte {first | bit:#x}"):
        read(bytes([first | bit, 0]))


@pytest.mark.parametrize("first", [0xC1, 0xC2, 0x41, 0x42])
def test_rsv1_is_read_on_the_first_frame_of_a_compressed_message(first: int) -> None:
    assert read(bytes([first, 1]) + b"x", compressed=True) == [(first, b"x", 0)]


@pytest.mark.parametrize("first", [0xC0, 0x40, 0xC8, 0xC9, 0xCA, 0xE1, 0xD1, 0xA1, 0x91])
def test_other_reserved_bits_are_refused_with_compression(first: int) -> None:
    with pytest.raises(ProtocolError, match="reserved bits are set"):
        read(bytes([first, 0]), compressed=True)


def test_wrong_first_byte_is_refused_before_the_payload_has_come() -> None:
    with pytest.raises(ProtocolError, match="reserved opcode"):
        read(b"\x83\x05")


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        b"\x82\x7e\x03\xe9",
        b"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00",
        b"\x82\x7f\x7f" + b"\xff" * 7,
    ],
)
def test_frame_over_the_limit_is_refused_by_its_header(header: bytes) -> None:
    with pytest.raises(PayloadTooLarge, match="over the limit of 1000 bytes") as caught:
        read(header, max_payload=1000)
    assert caught.value.close_code == 1009


def test_frame_of_exactly_the_limit_is_read() -> None:
    assert read(b"\x82\x7e\x03\xe8" + bytes(1000), max_payload=1000) == [("binary", bytes(1000))]


def test_limit_below_126_bytes_holds_for_data() -> None:
    with pytest.raises(PayloadTooLarge, match="frame of 11 bytes is over the limit of 10 bytes"):
        read(b"\x82\x0b", max_payload=10)


def test_limit_below_126_bytes_spares_control_frames() -> None:
    data = b"\x89\x7d" + bytes(125)
    assert read(data, max_payload=10) == [(0x89, bytes(125), 0)]


def test_compressed_frame_may_be_longer_than_what_it_inflates_to() -> None:
    # Bytes that do not compress become longer; what counts is what comes out.
    assert read(b"\xc2\x0b" + bytes(11), max_payload=10, compressed=True) == [(0xC2, bytes(11), 0)]


def test_compressed_frame_may_not_be_much_longer_than_the_limit() -> None:
    with pytest.raises(PayloadTooLarge, match="frame of 1127 bytes"):
        read(b"\xc2\x7e\x04\x67", max_payload=1000, compressed=True)


# ---- frames in parts -------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, 10))
def test_header_may_come_in_two_reads(cut: int) -> None:
    data = b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + bytes(65_536)
    reader = FrameReader(MIB, compressed=False)
    reader.feed(data[:cut])
    assert read_on(reader) == []
    reader.feed(data[cut:])
    assert read_on(reader) == [("binary", bytes(65_536))]


def test_payload_is_handed_out_as_it_comes() -> None:
    reader = FrameReader(MIB, compressed=False)
    reader.feed(b"\x82\x05He")
    assert read_on(reader) == [(0x82, b"He", 3)]
    reader.feed(b"l")
    assert read_on(reader) == [(0x82, b"l", 2)]
    reader.feed(b"lo\x81\x00")
    assert read_on(reader) == [(0x82, b"lo", 0), ("text", "")]


def test_header_alone_tells_how_much_is_missing() -> None:
    assert read(b"\x82\x7e\x01\x00") == [(0x82, b"", 256)]


def test_control_frame_is_handed_out_whole() -> None:
    reader = FrameReader(MIB, compressed=False)
    reader.feed(b"\x89\x05Hel")
    assert read_on(reader) == []
    reader.feed(b"lo")
    assert read_on(reader) == [(0x89, b"Hello", 0)]


def test_text_between_fragments_is_not_taken_for_a_message() -> None:
    reader = FrameReader(MIB, compressed=False)
    reader.between_messages = False
    reader.feed(b"\x81\x02hi\x82\x02yo")
    assert read_on(reader) == [(0x81, b"hi", 0), (0x82, b"yo", 0)]


def test_no_more_messages_are_read_than_there_is_room_for() -> None:
    reader = FrameReader(MIB, compressed=False)
    reader.feed(b"\x81\x011\x81\x012\x81\x013")
    events: list[Event] = []
    assert reader.read(events, 0.0, room=2) is None
    assert [tell(event) for event in events] == [("text", "1"), ("text", "2")]
    assert reader.unread == 3


def test_message_carries_the_time_of_its_bytes() -> None:
    reader = FrameReader(MIB, compressed=False)
    reader.feed(b"\x81\x00\x82\x00")
    events: list[Event] = []
    reader.read(events, 12.5, room=9)
    assert [event.received_time for event in events] == [12.5, 12.5]


@pytest.mark.parametrize("wrong", [b"\x83\x00", b"\x82\xfe", b"\x81\x01\xff"])
def test_what_was_read_before_a_violation_is_not_unread(wrong: bytes) -> None:
    reader = FrameReader(MIB, compressed=False)
    reader.feed(b"\x81\x02hi" + wrong)
    with pytest.raises(Exception, match=r"reserved|masked|UTF-8"):
        read_on(reader)
    assert reader.unread == len(wrong)


# ---- what the application sees ---------------------------------------------------------------


def test_violation_is_answered_with_1002_and_its_text() -> None:
    client = ready_client()
    assert deliver(client, b"\x83\x00") == [("protocol_error", "reserved opcode (3)", False)]
    assert frames_sent(client) == [(0x88, b"\x03\xeareserved opcode (3)")]


def test_oversized_frame_is_answered_with_1009() -> None:
    client = ready_client(max_message_size=10)
    text = "frame of 11 bytes is over the limit of 10 bytes"
    assert deliver(client, b"\x81\x0b") == [("protocol_error", text, False)]
    assert frames_sent(client) == [(0x88, b"\x03\xf1" + text.encode())]


def test_control_frame_of_more_than_125_bytes_is_not_built() -> None:
    with pytest.raises(FrameBuildError, match="126 bytes is longer than 125"):
        build_frame(0x89, bytes(126))
