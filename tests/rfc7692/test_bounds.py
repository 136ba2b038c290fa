"""RFC 6455 §10.4: messages have limits, compressed ones in particular.

"Implementations that have implementation- and/or platform-specific limitations regarding the
frame size or total message size after reassembly from multiple frames MUST protect themselves
against exceeding those limits."
"""

from __future__ import annotations

import random
import time
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.errors import CriticalProtocolError, PayloadTooLarge
from lomond.protocol.deflate import Inflater
from tests.helpers.deflate import (
    EMPTY,
    HELLO,
    HELLO_AGAIN,
    HELLO_FINAL,
    HELLO_IN_TWO_BLOCKS,
    HELLO_STORED,
    KIB,
    MIB,
    Inflate,
    InflateWithin,
    compress,
    either_way,
    inflate_slices,
    inflate_whole,
    make_inflater,
)


@either_way
@pytest.mark.parametrize(
    "payload",
    [b"\x07", b"\xff\xff\xff", b"\x00\x05\x00\x00\x00Hello", HELLO + b"\x06", HELLO_AGAIN],
)
def test_corrupt_data_is_a_critical_error(inflate: Inflate, payload: bytes) -> None:
    with pytest.raises(CriticalProtocolError, match=r"^compressed message is corrupt \(Error -3"):
        inflate(make_inflater(), payload)


@either_way
@given(payload=st.binary(min_size=1, max_size=200))
def test_any_octets_give_a_message_or_one_of_two_errors(inflate: Inflate, payload: bytes) -> None:
    try:
        inflate(make_inflater(), payload)
    except (CriticalProtocolError, PayloadTooLarge) as error:
        assert "compressed message" in str(error)


@pytest.mark.parametrize("size", [0, 1, 5, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 200 * KIB])
@either_way
def test_a_message_of_just_the_limit_passes(inflate: InflateWithin, size: int) -> None:
    (payload,) = compress([b"a" * size])
    assert inflate(make_inflater(), payload, size) == b"a" * size


@pytest.mark.parametrize("size", [1, 5, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 200 * KIB])
@either_way
def test_a_message_of_one_octet_more_is_too_large(inflate: InflateWithin, size: int) -> None:
    (payload,) = compress([b"a" * size])
    with pytest.raises(PayloadTooLarge, match="inflates to more than"):
        inflate(make_inflater(), payload, size - 1)


def inflate_ten(inflater: Inflater, payload: bytes, budget: int) -> bytes:
    size = len(payload) // 10 + 1
    slices = [payload[at : at + size] for at in range(0, len(payload), size)]
    return inflate_slices(inflater, slices, budget)


def one_stream() -> bytes:
    """Return 1 GiB of zeros; behind a MiB of them every further MiB is the same octets."""
    first, again = compress([b"\x00" * MIB] * 2)
    return b"\x00\x00\xff\xff".join([first] + [again] * 1023)


def final_blocks() -> bytes:
    """Return 64 MiB of zeros, each KiB of them a stream of its own."""
    return zlib.compress(b"\x00" * KIB, 9)[2:-4] * 65536


@pytest.mark.parametrize("make_payload", [one_stream, final_blocks])
@pytest.mark.parametrize("inflate", [inflate_whole, inflate_ten])
def test_a_bomb_takes_no_more_memory_than_the_limit(
    inflate: InflateWithin, make_payload: Callable[[], bytes]
) -> None:
    payload, inflater = make_payload(), make_inflater()
    tracemalloc.start()
    with pytest.raises(PayloadTooLarge):
        inflate(inflater, payload, 4 * MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MIB + 2 * len(payload) + MIB


@pytest.mark.parametrize("size", range(64 * KIB + 1, 64 * KIB + 260, 16))
def test_all_that_a_piece_holds_comes_out_of_it(size: int) -> None:
    (payload,) = compress([b"a" * size])
    assert make_inflater().inflate(payload, bytes, MIB) == size


def test_what_comes_out_is_written_in_pieces_of_64_kib() -> None:
    pieces: list[bytes] = []
    (payload,) = compress([b"a" * MIB])
    make_inflater().inflate(payload, pieces.append, MIB)
    assert [len(piece) for piece in pieces] == [64 * KIB] * 16


def seconds_for(members: int) -> float:
    payload = HELLO_FINAL[:-1] * members
    inflater = make_inflater()
    started = time.process_time()
    inflater.inflate_message(payload, MIB)
    return time.process_time() - started


def test_ten_thousands_of_final_blocks_take_time_in_proportion() -> None:
    few = min(seconds_for(10_000) for _ in range(3))
    # 4 times as long where the time is linear, 16 where it is quadratic.
    assert any(seconds_for(40_000) < 8 * few for _ in range(3))


class CountingDecompressor:
    """Count the calls of all decompressors, and the bytes that they are given."""

    calls = given = 0

    def __init__(self, wbits: int) -> None:
        self._real = REAL_DECOMPRESSOR(wbits=wbits)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        CountingDecompressor.calls += 1
        CountingDecompressor.given += len(data)
        return self._real.decompress(data, max_length)

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


REAL_DECOMPRESSOR = zlib.decompressobj


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingDecompressor]:
    monkeypatch.setattr(zlib, "decompressobj", CountingDecompressor)
    monkeypatch.setattr(CountingDecompressor, "calls", 0)
    monkeypatch.setattr(CountingDecompressor, "given", 0)
    return CountingDecompressor


def test_what_follows_a_final_block_is_not_copied_over_and_over(
    counting: type[CountingDecompressor],
) -> None:
    payload = HELLO_FINAL[:-1] * 10_000
    assert inflate_whole(make_inflater(), payload) == b"Hello" * 10_000
    assert counting.given < 64 * KIB + 64 * 10_000


def test_a_long_stream_behind_a_final_block_is_not_cut_small(
    counting: type[CountingDecompressor],
) -> None:
    message = random.Random(7692).randbytes(200 * KIB)
    (stream,) = compress([message])
    assert inflate_whole(make_inflater(), HELLO_FINAL[:-1] + stream) == b"Hello" + message
    assert counting.calls < 30


WHOLE_BLOCKS = st.sampled_from(
    [
        HELLO + b"\x00\x00\xff\xff",
        HELLO_STORED + b"\x00\x00\xff\xff",
        HELLO_IN_TWO_BLOCKS + b"\x00\x00\xff\xff",
        EMPTY + b"\x00\x00\xff\xff",
        HELLO_FINAL[:-1],
    ]
)


def outcome_of(inflate: Callable[[], bytes]) -> bytes | None:
    # Where a message is both too large and corrupt, the slicing decides which is seen first.
    try:
        return inflate()
    except (CriticalProtocolError, PayloadTooLarge):
        return None


@given(
    blocks=st.lists(WHOLE_BLOCKS, max_size=12),
    end=st.sampled_from([b"", HELLO, HELLO_FINAL, b"\x07", b"\xf2"]),
    cuts=st.lists(st.integers(0, 150), max_size=6),
    budget=st.integers(0, 80),
)
def test_any_slicing_of_a_message_has_the_same_outcome(
    blocks: list[bytes], end: bytes, cuts: list[int], budget: int
) -> None:
    payload = b"".join(blocks) + end
    edges = [0, *sorted(min(cut, len(payload)) for cut in cuts), len(payload)]
    slices = [payload[start:stop] for start, stop in pairwise(edges)]
    first, second = make_inflater(), make_inflater()
    whole = outcome_of(lambda: inflate_whole(first, payload, budget))
    assert outcome_of(lambda: inflate_slices(second, slices, budget)) == whole
    # What was kept of it, the next message would show.
    if whole is not None:
        after = outcome_of(lambda: inflate_whole(first, HELLO_AGAIN))
        assert outcome_of(lambda: inflate_whole(second, HELLO_AGAIN)) == after
