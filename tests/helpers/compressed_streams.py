"""What there is to know of the compressed messages in a stream, for tests that tell them apart.

RFC 7692 §6.1: RSV1 is set on the first fragment of a compressed message, and on no other frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["has_bare_message", "has_control_within", "has_final_block"]

TAIL = b"\x00\x00\xff\xff"


class Compressed(NamedTuple):
    """A compressed message of a stream, as far as it has come."""

    payload: bytes
    has_control_within: bool


def has_bare_message(stream: bytes) -> bool:
    """Tell whether a compressed message has no data, not even an empty block."""
    return any(not message.payload for message in compressed_messages(stream))


def has_control_within(stream: bytes) -> bool:
    """Tell whether a control frame comes between the fragments of a compressed message."""
    return any(message.has_control_within for message in compressed_messages(stream))


def has_final_block(stream: bytes) -> bool:
    """Tell whether a compressed message has a block with BFINAL set."""
    inflate = zlib.decompressobj(-15)
    try:
        for message in compressed_messages(stream):
            inflate.decompress(message.payload + TAIL)
    except zlib.error:
        pass  # Behind what is corrupt there are no more blocks.
    return inflate.eof


def compressed_messages(stream: bytes) -> Iterator[Compressed]:
    """Yield what comes behind each RSV1, up to the message's last fragment, the next or the end."""
    pieces: list[bytes] = []
    is_open = has_control = False
    # As if another message began at the end.
    for first, payload in (*frames_of(stream), (0x40, b"")):
        if first & 0x08:
            has_control = True
            continue
        if first & 0x40:
            if is_open:
                yield Compressed(b"".join(pieces), has_control)
            pieces, is_open, has_control = [], True, False
        pieces.append(payload)
        if first & 0x80 and is_open:
            yield Compressed(b"".join(pieces), has_control)
            is_open = False


def frames_of(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the frames of a server, the last one as far as its payload has come."""
    while len(stream) >= 2:
        extra = {126: 2, 127: 8}.get(stream[1], 0)
        start = 2 + extra
        stop = start + (int.from_bytes(stream[2:start], "big") if extra else stream[1])
        if stop > len(stream) and start >= len(stream):
            return
        yield stream[0], stream[start:stop]
        stream = stream[stop:]
