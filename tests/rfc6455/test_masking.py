"""RFC 6455 §5.3: "The masking key needs to be unpredictable".

"Octet i of the transformed data ("transformed-octet-i") is the XOR of octet i of the original
data ("original-octet-i") with octet at index i modulo 4 of the masking key".
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lomond.protocol import compiled, masking
from lomond.protocol.masking import (
    make_key,
    mask,
    mask_by_integers,
    mask_by_size,
    mask_by_translation,
)
from tests.helpers.modules import load_copy

KEY = b"\x37\xfa\x21\x3d"
KEYS = st.binary(min_size=4, max_size=4)
# Whatever this environment has: no compiler, no accelerator; no wheel, no wsaccel.
COMPILED = [masker for masker in (masking.mask_by_accelerator, masking.mask_by_wsaccel) if masker]
MASKERS = [mask, mask_by_size, mask_by_integers, mask_by_translation, *COMPILED]
# Those that take more than bytes.
TAKING_ANY = [mask, mask_by_size]


@pytest.fixture(params=["", "wsaccel", "none"])
def copy_by_choice(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the module once more for each choice of the environment."""
    monkeypatch.setenv(compiled.VARIABLE, request.param)
    monkeypatch.setitem(sys.modules, compiled.__name__, load_copy(compiled))
    return load_copy(masking)


@pytest.fixture
def copy_without_help(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the module once more, as on a system without anything compiled and without fork."""
    monkeypatch.setenv(compiled.VARIABLE, "none")
    monkeypatch.setitem(sys.modules, compiled.__name__, load_copy(compiled))
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    return load_copy(masking)


def xor_of_octets(payload: bytes, key: bytes) -> bytes:
    return bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))


@pytest.mark.parametrize("masker", MASKERS)
def test_the_hello_of_section_5_7_is_masked_as_printed_there(masker: masking.Masker) -> None:
    assert masker(b"Hello", KEY) == b"\x7f\x9f\x4d\x51\x58"


@pytest.mark.parametrize("masker", MASKERS)
def test_an_empty_payload_stays_empty(masker: masking.Masker) -> None:
    assert masker(b"", KEY) == b""


@pytest.mark.parametrize("masker", MASKERS)
def test_the_last_octets_are_masked_at_every_length(masker: masking.Masker) -> None:
    for size in (*range(71), 125, 126):
        assert masker(b"\x00" * size, KEY) == (KEY * 32)[:size]


@given(payload=st.binary(max_size=3000), key=KEYS)
@example(payload=b"\xff" * 1023, key=KEY)
@example(payload=b"\xff" * 1024, key=KEY)
@example(payload=b"\x80" * 65536, key=b"\x00\x00\x00\x80")
def test_every_way_to_mask_gives_the_same_octets(payload: bytes, key: bytes) -> None:
    expected = xor_of_octets(payload, key)
    assert [masker(payload, key) for masker in MASKERS] == [expected] * len(MASKERS)


@pytest.mark.parametrize("size", [(1 << 16) + more for more in (-9, -1, 0, 1, 7, 8, 9)])
def test_long_payloads_are_masked_to_the_last_octet(size: int) -> None:
    payload = random.Random(size).randbytes(size)
    expected = xor_of_octets(payload, KEY)
    assert [masker(payload, KEY) == expected for masker in MASKERS] == [True] * len(MASKERS)


@pytest.mark.parametrize("masker", TAKING_ANY)
def test_a_view_may_begin_anywhere_in_memory(masker: masking.AnyMasker) -> None:
    memory = bytes(range(200))
    for start, size in itertools.product(range(9), range(71)):
        view = memoryview(memory)[start : start + size]
        assert masker(view, KEY) == xor_of_octets(memory[start : start + size], KEY)


@given(payload=st.binary(max_size=3000), key=KEYS)
def test_masking_twice_gives_the_payload_again(payload: bytes, key: bytes) -> None:
    assert mask(mask(payload, key), key) == payload


@pytest.mark.parametrize("masker", TAKING_ANY)
@pytest.mark.parametrize("size", [5, 500, 5000])
def test_a_bytearray_is_masked_into_new_bytes_and_left_as_it_was(
    masker: masking.AnyMasker, size: int
) -> None:
    payload = bytearray(b"a" * size)
    masked = masker(payload, KEY)
    assert type(masked) is bytes
    assert masked == xor_of_octets(b"a" * size, KEY)
    assert payload == b"a" * size


@pytest.mark.parametrize("masker", TAKING_ANY)
@pytest.mark.parametrize("size", [5, 500, 5000])
def test_a_writable_view_is_masked_into_new_bytes_and_left_as_it_was(
    masker: masking.AnyMasker, size: int
) -> None:
    memory = bytearray(b"a" * (size + 2))
    masked = masker(memoryview(memory)[1:-1], KEY)
    assert type(masked) is bytes
    assert masked == xor_of_octets(b"a" * size, KEY)
    assert memory == b"a" * (size + 2)


@pytest.mark.parametrize("masker", TAKING_ANY)
def test_a_view_with_gaps_is_masked_as_its_own_octets(masker: masking.AnyMasker) -> None:
    assert masker(memoryview(b"H-e-l-l-o")[::2], KEY) == b"\x7f\x9f\x4d\x51\x58"


@pytest.mark.parametrize("masker", TAKING_ANY)
def test_a_view_of_larger_items_is_masked_octet_by_octet(masker: masking.AnyMasker) -> None:
    view = memoryview(b"abcdefgh").cast("I")
    assert masker(view, KEY) == xor_of_octets(b"abcdefgh", KEY)


@pytest.mark.parametrize("size", [0, 5, 63, 64, 1023, 1024, 5000])
def test_whatever_may_help_masking_is_the_same(copy_by_choice: ModuleType, size: int) -> None:
    assert copy_by_choice.mask(b"a" * size, KEY) == xor_of_octets(b"a" * size, KEY)


def test_without_help_there_is_nothing_compiled(copy_without_help: ModuleType) -> None:
    assert copy_without_help.mask_by_accelerator is None
    assert copy_without_help.mask_by_wsaccel is None


def test_without_fork_keys_are_made_as_ever(copy_without_help: ModuleType) -> None:
    assert len({copy_without_help.make_key() for _ in range(100)}) > 95


def test_every_key_is_a_piece_of_what_urandom_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    given_out = bytearray()

    def urandom(size: int) -> bytes:
        given_out.extend(random_bytes := real_urandom(size))
        return random_bytes

    real_urandom = os.urandom
    monkeypatch.setattr(masking, "_pool", [])
    monkeypatch.setattr(os, "urandom", urandom)
    keys = sorted(make_key() for _ in range(2 * masking.KEYS_PER_DRAW))
    assert keys == sorted(given_out[at : at + 4] for at in range(0, len(given_out), 4))


def count_as_urandom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a new pool be filled with the numbers from 0 up instead of random ones."""
    draws = itertools.count()

    def urandom(size: int) -> bytes:
        start = next(draws) * (size // 4)
        return b"".join((start + n).to_bytes(4, "big") for n in range(size // 4))

    monkeypatch.setattr(masking, "_pool", [])
    monkeypatch.setattr(os, "urandom", urandom)


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switching")
def test_no_key_is_handed_out_twice_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    count_as_urandom(monkeypatch)
    keys: list[list[bytes]] = [[] for _ in range(8)]
    threads = [
        threading.Thread(target=lambda mine=mine: mine.extend(make_key() for _ in range(5000)))
        for mine in keys
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key for mine in keys for key in mine}) == 8 * 5000


def keys_of_a_forked_child(count: int) -> list[bytes]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens, the child must not go on as a second test run.
        try:
            os.write(writer, b"".join(make_key() for _ in range(count)))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        written = pipe.read()
    os.waitpid(child, 0)
    return [written[at : at + 4] for at in range(0, len(written), 4)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_other_keys_than_its_parent() -> None:
    make_key()
    theirs = keys_of_a_forked_child(1000)
    ours = [make_key() for _ in range(1000)]
    assert len(theirs) == 1000
    # 1,000 each out of 2 ** 32: by chance they share one key in 4,300 runs, and hardly ever two.
    assert len(set(ours) & set(theirs)) < 2


def test_a_fork_in_the_middle_of_a_draw_loses_that_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    count_as_urandom(monkeypatch)
    counted = os.urandom

    def urandom(size: int) -> bytes:
        drawn = counted(size)
        if drawn.startswith(b"\x00\x00\x00\x00"):
            masking._forget_keys()
        return drawn

    monkeypatch.setattr(os, "urandom", urandom)
    assert int.from_bytes(make_key(), "big") >= masking.KEYS_PER_DRAW


PART_MASKERS = sorted({masking.mask_part, masking.mask_part_by_slices}, key=str)


@pytest.mark.parametrize("mask_part", PART_MASKERS)
@pytest.mark.parametrize("bounds", [(0, 0), (0, 5), (4, 77), (77, 77), (8, 1000), (0, 5000)])
def test_a_part_is_masked_as_if_it_were_all(
    mask_part: masking.PartMasker, bounds: tuple[int, int]
) -> None:
    payload = random.Random(4).randbytes(5000)
    start, stop = bounds

    masked = mask_part(b"head", payload, start, stop, KEY)

    assert masked == b"head" + xor_of_octets(payload[start:stop], KEY)


@pytest.mark.skipif(masking.mask_by_accelerator is None, reason="no accelerator here")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((b"", b"1234", -1, 2, KEY), ValueError),
        ((b"", b"1234", 3, 2, KEY), ValueError),
        ((b"", b"1234", 0, 5, KEY), ValueError),
        ((b"", b"1234", 0, 4, b"123"), ValueError),
        ((b"", "1234", 0, 4, KEY), TypeError),
        ((b"", b"1234", 0.5, 4, KEY), TypeError),
        ((b"", b"1234", 0, 4), TypeError),
    ],
)
def test_the_accelerator_refuses_a_part_that_is_none(
    arguments: tuple[object, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        masking.mask_part(*arguments)  # type: ignore[arg-type]
