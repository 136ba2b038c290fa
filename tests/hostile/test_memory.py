"""RFC 6455 §10.4: limits protect the client, whatever a peer sends and however it sends it.

Each attack meets a client in a process of its own, whose resident set is measured. What `grown`
is held against is the limit in question, and `SLACK`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import zlib

import pytest

from lomond.session import WebsocketSession
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer
from tests.hostile.victims import attack

Session = type[WebsocketSession]

MIB = 1 << 20
SLACK = 8 * MIB
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"

TOO_LARGE = struct.pack("!H", 1009)


def mebibyte_of_zeros() -> bytes:
    """Return a mebibyte, compressed to about a KiB that can stand any number of times."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(bytes(MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)


ZEROS = mebibyte_of_zeros()
BOMB = ZEROS * 1024 + b"\x00"  # a GiB in 1.06 MB; each message ends with an empty block
MEMBER = zlib.compress(bytes(MIB), 9)[2:-4]  # its only block is the last of a stream


def in_fragments(payload: bytes, count: int) -> bytes:
    """Cut a compressed message into so many frames."""
    size = len(payload) // count + 1
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    heads = [0x42, *[0x00] * (len(pieces) - 2), 0x80]
    return b"".join(server_frame(head, piece) for head, piece in zip(heads, pieces, strict=True))


BOMBS = {
    "whole": server_frame(0xC2, BOMB),
    "in 10 fragments": in_fragments(BOMB, 10),
    "many streams": server_frame(0xC2, MEMBER * 1024),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("limit", [64 * MIB, MIB])
def test_decompression_bomb_is_answered_with_1009(
    session_class: Session, bomb: str, limit: int
) -> None:
    frames = []

    def script(peer: Peer) -> None:
        peer.accept_upgrade(DEFLATE)
        peer.send(BOMBS[bomb])
        while (frame := peer.read_frame())[0] != 0x88:
            continue
        frames.append(frame[1])

    (result,) = attack(session_class, script, compress=True, max_message_size=limit)
    assert result["names"][-2:] == ["protocol_error", "disconnected"]
    assert (result["kind"], [payload[:2] for payload in frames]) == ("limit", [TOO_LARGE])
    assert result["grown"] < limit + SLACK


@pytest.mark.parametrize(("size", "is_delivered"), [(MIB, True), (MIB + 1, False)])
def test_limit_is_exact_for_what_is_inflated(
    session_class: Session, size: int, is_delivered: bool
) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = deflate.compress(bytes(size)) + deflate.flush(zlib.Z_SYNC_FLUSH)[:-4]

    def script(peer: Peer) -> None:
        peer.accept_upgrade(DEFLATE)
        peer.send(server_frame(0xC2, payload) + server_frame(0x88, close_payload(1000)))
        peer.read_until_end()

    (result,) = attack(session_class, script, compress=True, max_message_size=MIB)
    assert result["lengths"] == ([size] if is_delivered else [])
    assert result["kind"] == ("closed" if is_delivered else "limit")


@pytest.mark.parametrize("size", [2**63 - 1, 2**63 - 6, 2**40, 64 * MIB + 1])
def test_length_is_refused_by_its_header(session_class: Session, size: int) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(b"\x82\x7f" + struct.pack("!Q", size))
        # No byte of the payload is sent: who waits for one would wait for ever.
        while (frame := peer.read_frame())[0] != 0x88:
            continue
        assert frame[1][:2] == TOO_LARGE

    (result,) = attack(session_class, script)
    assert (result["names"][-2:], result["kind"]) == (["protocol_error", "disconnected"], "limit")
    assert result["grown"] < SLACK


def test_length_with_its_first_bit_set_is_a_violation(session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(b"\x82\x7f" + struct.pack("!Q", 2**63 + 5))
        while (frame := peer.read_frame())[0] != 0x88:
            continue
        assert frame[1][:2] == struct.pack("!H", 1002)

    (result,) = attack(session_class, script)
    assert (result["kind"], result["grown"] < SLACK) == ("protocol", True)


ENDLESS_HEADS = {
    "one line": (b"HTTP/1.1 101 X\r\nA: ", b"b" * 65536),
    "many lines": (b"HTTP/1.1 101 X\r\n", b"A: b\r\n" * 8192),
    "status line": (b"HTTP/1.1 101 ", b"b" * 65536),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2048),
}


@pytest.mark.parametrize("kind", ENDLESS_HEADS)
def test_endless_head_is_read_up_to_its_limit(session_class: Session, kind: str) -> None:
    head, block = ENDLESS_HEADS[kind]
    sent = []

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(head)
        sent.append(peer.flood(block))

    (result,) = attack(session_class, script)
    assert result["names"][-1] == "disconnected"
    assert result["kind"] in ("limit", "rejected")
    assert result["grown"] < SLACK
    # Far from 100 MB, which the kernel's buffers have no room for.
    assert max(sent) < 32 * MIB


BODIES = {
    "10 GB": (b"Content-Length: 10000000000\r\n\r\n", b"x" * 65536),
    "negative": (b"Content-Length: -1\r\n\r\n", b"x" * 65536),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
    "one chunk": (b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", b"x" * 65536),
    "no length": (b"\r\n", b"x" * 65536),
}


@pytest.mark.parametrize("kind", BODIES)
def test_endless_body_is_read_up_to_its_limit(session_class: Session, kind: str) -> None:
    head, block = BODIES[kind]
    sent = []

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 403 Forbidden\r\n" + head)
        sent.append(peer.flood(block))

    (result,) = attack(session_class, script)
    assert result["names"] == ["connecting", "connected", "rejected", "disconnected"]
    assert result["grown"] < SLACK
    assert max(sent) < 32 * MIB


def test_frame_in_small_reads_takes_less_than_twice_its_size(session_class: Session) -> None:
    size = 24 * MIB

    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send_slowly(b"\x82\x7f" + struct.pack("!Q", size) + bytes(size), piece=5000)
        peer.send(server_frame(0x88, close_payload(1000)))
        peer.read_until_end()

    (result,) = attack(session_class, script)
    assert (result["lengths"], result["kind"]) == ([size], "closed")
    # What is handed out is bytes, and was a growing buffer before.
    assert result["grown"] < 2 * size + SLACK


FRAGMENTS = 2_000_000
PONGS = 200_000
# Fragments between two pings of the flood, and bytes of one write.
BATCH = 10_000


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["empty", "of one byte"])
@pytest.mark.parametrize("ping", [b"", b"\x89\x00"], ids=["", "with pings"])
def test_flood_of_fragments_ends_at_the_limit(
    session_class: Session, payload: bytes, ping: bytes
) -> None:
    closes = []

    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x01, payload))
        # The client hangs up long before the last one.
        with contextlib.suppress(ConnectionError):
            for _ in range(FRAGMENTS // BATCH):
                peer.send(server_frame(0x00, payload) * BATCH + ping)
        closes.append(TOO_LARGE in bytes(peer.received))

    (result,) = attack(session_class, script)
    assert (result["kind"], result["names"][-2:]) == ("limit", ["protocol_error", "disconnected"])
    assert result["grown"] < SLACK


def test_two_million_fragments_take_no_more_memory_than_their_bytes(session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x01))
        for _ in range(FRAGMENTS // BATCH):
            peer.send(server_frame(0x00, b"x") * BATCH)
        peer.send(server_frame(0x80) + server_frame(0x88, close_payload(1000)))
        peer.read_until_end()

    (result,) = attack(session_class, script, max_fragments=FRAGMENTS + 2)
    assert (result["lengths"], result["kind"]) == ([FRAGMENTS], "closed")
    assert result["grown"] < 2 * FRAGMENTS + SLACK


def test_fragments_take_time_in_proportion(session_class: Session) -> None:
    def send(peer: Peer, batches: int) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x01))
        for _ in range(batches):
            peer.send(server_frame(0x00, b"x") * BATCH)
        peer.send(server_frame(0x80) + server_frame(0x88, close_payload(1000)))
        peer.read_until_end()

    short, long = attack(
        session_class,
        lambda peer: send(peer, 20),
        lambda peer: send(peer, 160),
        max_fragments=FRAGMENTS,
    )
    assert long["lengths"] == [8 * short["lengths"][0]]
    # Eight times as many; sixty-four would be what grows with the square.
    assert long["worked"] < 20 * short["worked"]


def test_pings_of_a_peer_that_never_reads_are_not_kept(session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(2 * PONGS // 1000):
            peer.send(server_frame(0x89, b"p" * 125) * 1000)
        peer.send(server_frame(0x81, b"data still flows"))

    (result,) = attack(session_class, script, connect={"ping_rate": 0})
    assert (result["lengths"], result["names"][-2:]) == ([16], ["text", "disconnected"])
    assert result["grown"] < SLACK


def test_pongs_that_nobody_asked_for_are_not_kept(session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        for _ in range(PONGS // 1000):
            peer.send(server_frame(0x8A, b"p" * 125) * 1000)
        peer.send(server_frame(0x81, b"data still flows"))

    (result,) = attack(session_class, script, connect={"ping_rate": 0})
    assert (result["lengths"], result["names"][-2:]) == ([16], ["text", "disconnected"])
    assert result["grown"] < SLACK
