"""RFC 6455 §10.4: limits protect the client, whatever a peer sends and however it sends it.

Each attack meets a client in a process of its own, whose resident set is measured. What has
`grown` is held against the limit in question and `SLACK`; time against that of a smaller attack.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import tracemalloc
import zlib
from functools import partial
from typing import Any

import pytest

from lomond import events
from lomond.session import WebsocketSession
from tests.helpers.conversation import Wire, converse, error_of
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer
from tests.hostile.victims import attack, close_of, say_goodbye

Session = type[WebsocketSession]

MIB = 1 << 20
SLACK = 8 * MIB
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
VIOLATION, TOO_LARGE = b"\x03\xea", b"\x03\xf1"

# ---- what inflates ---------------------------------------------------------------------------


def mebibyte_of_zeros() -> bytes:
    """Return a mebibyte, compressed to about a KiB that can stand any number of times."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(bytes(MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)


BOMB = mebibyte_of_zeros() * 1024 + b"\x00"  # a GiB in 1.06 MB, and an empty block at the end
STREAMS = zlib.compress(bytes(MIB), 9)[2:-4] * 1024  # each ends with a block that says so


def in_fragments(payload: bytes, count: int) -> bytes:
    """Cut a compressed message into so many frames."""
    size = len(payload) // count + 1
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    heads = [0x42, *[0x00] * (len(pieces) - 2), 0x80]
    return b"".join(server_frame(head, piece) for head, piece in zip(heads, pieces, strict=True))


@pytest.mark.parametrize("limit", [64 * MIB, MIB])
def test_decompression_bomb_is_answered_with_1009(session_class: Session, limit: int) -> None:
    codes = []

    def script(peer: Peer, bomb: bytes) -> None:
        peer.accept_upgrade(DEFLATE)
        peer.send(bomb)
        codes.append(close_of(peer)[:2])

    bombs = server_frame(0xC2, BOMB), in_fragments(BOMB, 10), server_frame(0xC2, STREAMS)
    scripts = [partial(script, bomb=bomb) for bomb in bombs]
    for result in attack(session_class, *scripts, compress=True, max_message_size=limit):
        assert (result["names"][-2:], result["kind"]) == (
            ["protocol_error", "disconnected"],
            "limit",
        )
        assert result["grown"] < limit + SLACK
    assert codes == [TOO_LARGE] * 3


def test_limit_is_exact_for_what_is_inflated(session_class: Session) -> None:
    def script(peer: Peer, size: int) -> None:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        payload = deflate.compress(bytes(size)) + deflate.flush(zlib.Z_SYNC_FLUSH)[:-4]
        peer.accept_upgrade(DEFLATE)
        peer.send(server_frame(0xC2, payload))
        say_goodbye(peer)

    scripts = partial(script, size=MIB), partial(script, size=MIB + 1)
    just, over = attack(session_class, *scripts, compress=True, max_message_size=MIB)
    assert (just["lengths"], just["kind"]) == ([MIB], "closed")
    assert (over["lengths"], over["kind"]) == ([], "limit")


# ---- what says that it is long ---------------------------------------------------------------


def test_length_is_refused_by_its_header(session_class: Session) -> None:
    codes = []

    def script(peer: Peer, size: int) -> None:
        peer.accept_upgrade()
        peer.send(b"\x82\x7f" + struct.pack("!Q", size))
        # No byte of the payload is sent: who waits for one would wait for ever.
        codes.append(close_of(peer)[:2])

    sizes = 2**63 - 1, 2**63 - 6, 2**40, 64 * MIB + 1, 2**63 + 5, 2**64 - 1
    for result in attack(session_class, *(partial(script, size=size) for size in sizes)):
        assert result["names"][-2:] == ["protocol_error", "disconnected"]
        assert result["grown"] < SLACK
    assert codes == [TOO_LARGE] * 4 + [VIOLATION] * 2


def test_frame_in_small_reads_takes_less_than_twice_its_size(session_class: Session) -> None:
    size = 24 * MIB

    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send_slowly(b"\x82\x7f" + struct.pack("!Q", size) + bytes(size), piece=5000)
        say_goodbye(peer)

    (result,) = attack(session_class, script)
    assert (result["lengths"], result["kind"]) == ([size], "closed")
    # What is handed out is bytes, and was a growing buffer before.
    assert result["grown"] < 2 * size + SLACK


# ---- what does not end -----------------------------------------------------------------------

ENDLESS_HEADS = [
    (b"HTTP/1.1 101 X\r\nA: ", b"b" * 65536),
    (b"HTTP/1.1 101 X\r\n", b"A: b\r\n" * 8192),
    (b"HTTP/1.1 101 ", b"b" * 65536),
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2048),
]
REFUSED = b"HTTP/1.1 403 Forbidden\r\n"
ENDLESS_BODIES = [
    (REFUSED + b"Content-Length: 10000000000\r\n\r\n", b"x" * 65536),
    (REFUSED + b"Content-Length: -1\r\n\r\n", b"x" * 65536),
    (REFUSED + b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
    (REFUSED + b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", b"x" * 65536),
    (REFUSED + b"\r\n", b"x" * 65536),
]


@pytest.mark.parametrize(
    ("answers", "name"),
    [(ENDLESS_HEADS[:3], "protocol_error"), (ENDLESS_HEADS[3:] + ENDLESS_BODIES, "rejected")],
    ids=["heads", "bodies"],
)
def test_endless_answer_is_read_up_to_its_limit(
    session_class: Session, answers: list[tuple[bytes, bytes]], name: str
) -> None:
    sent = []

    def script(peer: Peer, begin: bytes, block: bytes) -> None:
        peer.read_request()
        peer.send(begin)
        sent.append(peer.flood(block))

    scripts = [partial(script, begin=begin, block=block) for begin, block in answers]
    for result in attack(session_class, *scripts):
        assert result["names"] == ["connecting", "connected", name, "disconnected"]
        assert result["grown"] < SLACK
    # Far from 100 MB; what the buffers of two kernels' sockets hold counts as sent.
    assert len(sent) == len(answers)
    assert max(sent) < 32 * MIB


# ---- what comes in great numbers -------------------------------------------------------------

BATCH = 10_000


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["empty", "of one byte"])
def test_flood_of_fragments_ends_at_the_limit(session_class: Session, payload: bytes) -> None:
    def script(peer: Peer, between: bytes) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x01, payload))
        # The client may hang up before the last one.
        with contextlib.suppress(ConnectionError):
            for _ in range(2_000_000 // BATCH):
                peer.send(server_frame(0x00, payload) * BATCH + between)

    scripts = partial(script, between=b""), partial(script, between=b"\x89\x00")
    for result in attack(session_class, *scripts):
        assert result["kind"] == "limit"
        assert result["names"][-2:] == ["protocol_error", "disconnected"]
        assert result["grown"] < SLACK


def test_a_million_fragments_take_time_in_proportion_and_no_memory_but_their_bytes(
    session_class: Session,
) -> None:
    def script(peer: Peer, count: int) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x01))
        for _ in range(count // BATCH):
            peer.send(server_frame(0x00, b"x") * BATCH)
        peer.send(server_frame(0x80))
        say_goodbye(peer)

    scripts = partial(script, count=100_000), partial(script, count=1_000_000)
    few, many = attack(session_class, *scripts, max_fragments=1_000_002)
    assert (few["lengths"], many["lengths"]) == ([100_000], [1_000_000])
    assert many["grown"] < 2 * 1_000_000 + SLACK
    # Ten times as many; a hundred would be what grows with the square.
    assert many["worked"] < 25 * few["worked"]


@pytest.mark.parametrize("first", [0x89, 0x8A], ids=["pings", "pongs"])
def test_flood_of_a_peer_that_never_reads_is_not_kept(session_class: Session, first: int) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(400):
            peer.send(server_frame(first, b"p" * 125) * 1000)
        peer.send(server_frame(0x81, b"data still flows"))

    (result,) = attack(session_class, script, connect={"ping_rate": 0})
    assert (result["lengths"], result["names"][-2:]) == ([16], ["text", "disconnected"])
    # What waits to be sent would be 50 MB.
    assert result["grown"] < SLACK


def test_data_behind_the_close_frame_is_neither_delivered_nor_kept(session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x88, close_payload(1000)))
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                peer.send(server_frame(0x82, bytes(65536)) * 4)

    (result,) = attack(session_class, script)
    assert (result["lengths"], result["kind"]) == ([], "closed")
    assert result["grown"] < SLACK


# ---- what is over ----------------------------------------------------------------------------


def send_half(peer: Peer) -> None:
    """Send half of a message, and end."""
    peer.accept_upgrade()
    peer.send(b"\x82\x7f" + struct.pack("!Q", 40 * MIB))
    for _ in range(20):
        peer.send(bytes(MIB))


def never_read(peer: Peer) -> None:
    """Take nothing, until the client gives up."""
    peer.accept_upgrade()
    peer.hold(1)


@pytest.mark.parametrize("script", [send_half, never_read])
def test_connection_that_is_over_keeps_nothing_of_its_messages(
    tcp: Wire, session_class: Session, script: Any
) -> None:
    def send_in_vain(_event: events.Event) -> None:
        error_of(websocket.send_binary, bytes(20 * MIB))

    actions = {events.Ready: send_in_vain} if script is never_read else {}
    tracemalloc.start()
    try:
        with tcp.server(script) as server:
            websocket = tcp.websocket(server)
            converse(websocket.connect(session_class, send_timeout=0.1, ping_rate=0), actions)
            # The application keeps the WebSocket: `persist` waits, and connects it again.
            kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak > 20 * MIB
    assert kept < MIB
