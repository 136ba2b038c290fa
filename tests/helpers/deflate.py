"""The examples of RFC 7692 §7.2.3, a server's side by zlib alone, ways to feed an `Inflater`."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import pytest

from lomond.protocol.deflate import DeflateParameters, Inflater

HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"
HELLO_AGAIN = b"\xf2\x00\x11\x00\x00"
HELLO_STORED = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"
HELLO_FINAL = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
HELLO_IN_TWO_BLOCKS = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
EMPTY = b"\x00"

KIB = 1024
MIB = 1024 * KIB

Inflate = Callable[[Inflater, bytes], bytes]
InflateWithin = Callable[[Inflater, bytes, int], bytes]


def make_inflater() -> Inflater:
    return Inflater(DeflateParameters())


def inflate_slices(inflater: Inflater, slices: Sequence[bytes], budget: int = MIB) -> bytes:
    out: list[bytes] = []
    made = 0
    for piece in slices:
        made += inflater.inflate(piece, out.append, budget - made)
    made += inflater.finish(out.append, budget - made)
    message = b"".join(out)
    assert made == len(message)
    return message


def inflate_octets(inflater: Inflater, payload: bytes, budget: int = MIB) -> bytes:
    return inflate_slices(inflater, [payload[at : at + 1] for at in range(len(payload))], budget)


def inflate_whole(inflater: Inflater, payload: bytes, budget: int = MIB) -> bytes:
    return inflater.inflate_message(payload, budget)


either_way = pytest.mark.parametrize("inflate", [inflate_whole, inflate_octets])


def compress(messages: Sequence[bytes], window_bits: int = 15) -> list[bytes]:
    """Compress as a server with one context for all the messages."""
    server = zlib.compressobj(9, zlib.DEFLATED, -window_bits, 9)
    return [(server.compress(m) + server.flush(zlib.Z_SYNC_FLUSH))[:-4] for m in messages]
