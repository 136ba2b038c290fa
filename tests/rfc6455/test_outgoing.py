"""RFC 6455 §5.5.3: "the endpoint MAY elect to send a Pong frame for only the most recently
processed Ping frame." §5.5.1: "The application MUST NOT send any more data frames after sending a
Close frame." What is written is written in the order in which it was asked for.
"""

from __future__ import annotations

import pytest

from lomond.errors import FrameBuildError
from lomond.protocol import frames
from lomond.protocol.deflate import DeflateParameters, Deflater
from lomond.protocol.opcodes import WHOLE_BINARY, WHOLE_PING
from lomond.protocol.outgoing import LONG, Outgoing
from tests.helpers.frames import parse_client_frames
from tests.helpers.modules import is_compiled
from tests.helpers.protocol import deliver, frames_sent, ready_client

PONG = 0x8A


def taken(outgoing: Outgoing) -> list[tuple[int, bytes]]:
    """Take what is queued."""
    return parse_client_frames(outgoing.take())


# ---- order -----------------------------------------------------------------------------------


def test_queue_begins_empty() -> None:
    assert Outgoing().take() == b""


def test_queue_shows_its_frames_until_they_are_taken() -> None:
    outgoing = Outgoing()
    assert outgoing.frames == []
    outgoing.add(0x89, b"")
    assert len(outgoing.frames) == 1
    outgoing.take()
    assert outgoing.frames == []


def test_queue_does_not_show_a_pong_that_waits() -> None:
    outgoing = Outgoing()
    outgoing.is_congested = True
    outgoing.add_pong(b"")
    assert outgoing.frames == []
    assert taken(outgoing) == [(PONG, b"")]


def test_frames_keep_their_order() -> None:
    outgoing = Outgoing()
    outgoing.add_message(0x81, b"one", compress=True)
    outgoing.add_pong(b"two")
    outgoing.add(0x89, b"three")
    assert taken(outgoing) == [(0x81, b"one"), (PONG, b"two"), (0x89, b"three")]


def test_taking_empties_the_queue() -> None:
    outgoing = Outgoing()
    outgoing.add(0x89, b"one")
    outgoing.take()
    assert outgoing.take() == b""
    outgoing.add(0x89, b"two")
    outgoing.add(0x89, b"three")
    assert taken(outgoing) == [(0x89, b"two"), (0x89, b"three")]
    assert outgoing.take() == b""


def test_bytes_that_are_no_frame_go_out_as_they_are() -> None:
    outgoing = Outgoing()
    outgoing.add_raw(b"GET / HTTP/1.1\r\n\r\n")
    assert outgoing.take() == b"GET / HTTP/1.1\r\n\r\n"


def test_queue_counts_messages_and_bytes() -> None:
    outgoing = Outgoing()
    outgoing.add_raw(b"GET")
    outgoing.add_message(0x81, b"hi", compress=True)
    outgoing.add(0x89, b"")
    # A header of 2 bytes and a key of 4 for each frame.
    assert (outgoing.messages, outgoing.bytes_queued) == (1, 3 + 8 + 6)


# ---- pongs -----------------------------------------------------------------------------------


def test_every_ping_is_answered_while_the_kernel_takes_what_is_written() -> None:
    outgoing = Outgoing()
    outgoing.add_pong(b"1")
    outgoing.add_pong(b"2")
    assert taken(outgoing) == [(PONG, b"1"), (PONG, b"2")]


def test_only_the_newest_pong_is_kept_while_the_kernel_takes_nothing() -> None:
    outgoing = Outgoing()
    outgoing.is_congested = True
    for number in range(1000):
        outgoing.add_pong(b"%d" % number)
    assert taken(outgoing) == [(PONG, b"999")]
    assert outgoing.take() == b""


def test_pongs_that_were_queued_before_are_kept() -> None:
    outgoing = Outgoing()
    outgoing.add_pong(b"before")
    outgoing.is_congested = True
    outgoing.add_pong(b"1")
    outgoing.add_pong(b"2")
    assert taken(outgoing) == [(PONG, b"before"), (PONG, b"2")]


def test_pong_that_waits_does_not_come_behind_a_newer_one() -> None:
    outgoing = Outgoing()
    outgoing.is_congested = True
    outgoing.add_pong(b"older")
    outgoing.is_congested = False
    outgoing.add_pong(b"newer")
    assert taken(outgoing) == [(PONG, b"newer")]


def test_flood_of_pings_does_not_grow_the_queue() -> None:
    client = ready_client()
    client.outgoing.is_congested = True
    deliver(client, b"\x89\x7d" + bytes(125) + b"\x89\x00" * 5_000 + b"\x89\x01!")
    assert frames_sent(client) == [(PONG, b"!")]


# ---- the end ---------------------------------------------------------------------------------


def test_pong_that_waits_is_dropped_for_the_close() -> None:
    outgoing = Outgoing()
    outgoing.is_congested = True
    outgoing.add_pong(b"late")
    outgoing.add_close(b"\x03\xe8")
    assert taken(outgoing) == [(0x88, b"\x03\xe8")]


def test_no_pong_is_queued_behind_the_close() -> None:
    outgoing = Outgoing()
    outgoing.add_pong(b"before")
    outgoing.add_close(b"")
    outgoing.add_pong(b"behind")
    outgoing.is_congested = True
    outgoing.add_pong(b"behind")
    assert taken(outgoing) == [(PONG, b"before"), (0x88, b"")]


# ---- compression -----------------------------------------------------------------------------

# RFC 7692 §7.2.3.1: "Hello", compressed.
HELLO = bytes.fromhex("f248cdc9c90700")


def compressing(window_bits: int = 15) -> Outgoing:
    """Make a queue for a connection with compression."""
    outgoing = Outgoing()
    outgoing.deflater = Deflater(DeflateParameters(client_max_window_bits=window_bits))
    return outgoing


def test_message_is_compressed_where_that_was_agreed_on() -> None:
    outgoing = compressing()
    outgoing.add_message(0x81, b"Hello", compress=True)
    assert taken(outgoing) == [(0xC1, HELLO)]


def test_message_is_not_compressed_where_the_application_says_so() -> None:
    outgoing = compressing()
    outgoing.add_message(0x81, b"Hello", compress=False)
    assert taken(outgoing) == [(0x81, b"Hello")]


def test_message_is_not_compressed_for_a_window_that_zlib_does_not_have() -> None:
    outgoing = compressing(window_bits=8)
    outgoing.add_message(0x82, b"Hello", compress=True)
    assert taken(outgoing) == [(0x82, b"Hello")]


def test_control_frames_are_never_compressed() -> None:
    client = ready_client(deflate="")
    client.send_ping(b"Hello")
    client.close(1000, b"Hello", 0.0)
    assert frames_sent(client) == [(0x89, b"Hello"), (0x88, b"\x03\xe8Hello")]


# ---- long frames ----------------------------------------------------------------------------


def take_all(outgoing: Outgoing) -> bytes:
    return b"".join(iter(outgoing.take, b""))


def test_who_takes_once_gets_a_long_frame_whole() -> None:
    outgoing = Outgoing()
    outgoing.add(WHOLE_BINARY, bytes(2 * LONG))

    assert parse_client_frames(outgoing.take()) == [(0x82, bytes(2 * LONG))]
    assert not outgoing.is_congested


def test_who_asks_for_pieces_gets_them_in_order() -> None:
    outgoing = Outgoing()
    outgoing.gives_pieces = True
    payload = bytes(range(256)) * (2 * LONG // 256) + b"rest"
    outgoing.add(WHOLE_BINARY, payload)
    outgoing.add(WHOLE_PING, b"behind")

    first = outgoing.take()
    assert LONG < len(first) < LONG + 15
    assert parse_client_frames(first + take_all(outgoing)) == [(0x82, payload), (0x89, b"behind")]


def test_a_piece_that_was_interrupted_is_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    if is_compiled(frames):
        pytest.skip("the functions of compiled modules cannot be replaced")
    outgoing = Outgoing()
    outgoing.gives_pieces = True
    outgoing.add(WHOLE_BINARY, bytes(2 * LONG))
    data = outgoing.take()

    def interrupt(*_args: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(frames, "mask_part", interrupt)
        outgoing.take()

    assert parse_client_frames(data + take_all(outgoing)) == [(0x82, bytes(2 * LONG))]


def test_what_may_change_is_masked_at_once() -> None:
    outgoing = Outgoing()
    outgoing.gives_pieces = True
    payload = bytearray(2 * LONG)
    outgoing.add(WHOLE_BINARY, payload)  # type: ignore[arg-type]
    payload[:] = bytes([1]) * len(payload)

    assert parse_client_frames(take_all(outgoing)) == [(0x82, bytes(2 * LONG))]


def test_a_long_control_frame_is_refused() -> None:
    outgoing = Outgoing()
    outgoing.gives_pieces = True

    with pytest.raises(FrameBuildError):
        outgoing.add(WHOLE_PING, bytes(2 * LONG))
