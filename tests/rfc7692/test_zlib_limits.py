"""How much goes into zlib at a time, and how much comes out of it.

zlib copies the input that it has not taken, so what goes in is bounded; what comes out beyond the
limit of a message is one octet, which is enough to know (RFC 6455 §10.4).
"""

from __future__ import annotations

import random
import zlib

import pytest

from lomond.errors import PayloadTooLarge
from tests.helpers.deflate import HELLO_FINAL, KIB, MIB, compress, inflate_whole, make_inflater

REAL_DECOMPRESSOR = zlib.decompressobj


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The octets that went into each call of a decompressor, and those that came out."""
    calls: list[tuple[int, int]] = []

    class WatchedDecompressor:
        def __init__(self, wbits: int) -> None:
            self._real = REAL_DECOMPRESSOR(wbits=wbits)

        def decompress(self, data: bytes, max_length: int) -> bytes:
            piece = self._real.decompress(data, max_length)
            calls.append((len(data), len(piece)))
            return piece

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    monkeypatch.setattr(zlib, "decompressobj", WatchedDecompressor)
    return calls


@pytest.mark.parametrize("begin", [b"", HELLO_FINAL[:-1]])
def test_zlib_is_given_64_kib_at_a_time(calls: list[tuple[int, int]], begin: bytes) -> None:
    (stream,) = compress([random.Random(7692).randbytes(400 * KIB)])
    inflate_whole(make_inflater(), begin + stream)
    assert max(given for given, _ in calls) == 64 * KIB


@pytest.mark.parametrize("budget", [0, 1, 5, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 100 * KIB])
def test_of_a_message_over_the_limit_one_octet_more_is_made(
    calls: list[tuple[int, int]], budget: int
) -> None:
    (bomb,) = compress([b"\x00" * MIB])
    with pytest.raises(PayloadTooLarge):
        inflate_whole(make_inflater(), bomb, budget)
    assert sum(made for _, made in calls) == budget + 1
