"""RFC 7692 §7.2: a message is a DEFLATE stream up to a byte boundary, less its last 00 00 ff ff.

§7.2.1: "An endpoint MAY use both DEFLATE blocks with the "BFINAL" bit set to 0 and DEFLATE blocks
with the "BFINAL" bit set to 1." What is compressed or inflated for comparison is so by zlib alone.
"""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.errors import CriticalProtocolError
from lomond.protocol.deflate import DeflateParameters, Deflater, Inflater
from tests.helpers.deflate import (
    EMPTY,
    HELLO,
    HELLO_AGAIN,
    HELLO_FINAL,
    HELLO_IN_TWO_BLOCKS,
    HELLO_STORED,
    MIB,
    Inflate,
    compress,
    either_way,
    inflate_slices,
    make_inflater,
)


def far_repetition(distance: int) -> bytes:
    """Return 32 random octets, others, and the 32 again, `distance` behind the first."""
    octets = random.Random(7692).randbytes(distance)
    return octets + octets[:32]


# §7.2.3: the examples


@either_way
@pytest.mark.parametrize("payload", [HELLO, HELLO_STORED, HELLO_FINAL, HELLO_IN_TWO_BLOCKS])
def test_every_hello_of_the_examples_is_inflated(inflate: Inflate, payload: bytes) -> None:
    assert inflate(make_inflater(), payload) == b"Hello"


def test_the_two_fragments_of_the_first_example_are_one_message() -> None:
    inflater = make_inflater()
    assert inflate_slices(inflater, [b"\xf2\x48\xcd", b"\xc9\xc9\x07\x00"]) == b"Hello"


def test_hello_is_deflated_as_in_the_first_example() -> None:
    assert Deflater(DeflateParameters()).deflate(b"Hello") == HELLO


@either_way
def test_a_second_hello_that_refers_to_the_first_is_inflated(inflate: Inflate) -> None:
    inflater = make_inflater()
    assert [inflate(inflater, p) for p in (HELLO, HELLO_AGAIN)] == [b"Hello"] * 2


def test_a_second_hello_refers_to_the_first() -> None:
    deflater = Deflater(DeflateParameters())
    assert [deflater.deflate(b"Hello") for _ in range(2)] == [HELLO, HELLO_AGAIN]


def test_without_our_context_takeover_a_second_hello_is_deflated_like_the_first() -> None:
    deflater = Deflater(DeflateParameters(client_no_context_takeover=True))
    assert [deflater.deflate(b"Hello") for _ in range(3)] == [HELLO] * 3


@either_way
def test_without_the_servers_context_takeover_nothing_can_be_referred_to(
    inflate: Inflate,
) -> None:
    inflater = Inflater(DeflateParameters(server_no_context_takeover=True))
    assert [inflate(inflater, p) for p in (HELLO, EMPTY, HELLO)] == [b"Hello", b"", b"Hello"]
    with pytest.raises(CriticalProtocolError):
        inflate(inflater, HELLO_AGAIN)


def test_the_takeover_of_one_direction_is_not_that_of_the_other() -> None:
    parameters = DeflateParameters(server_no_context_takeover=True)
    deflater = Deflater(parameters)
    assert [deflater.deflate(b"Hello") for _ in range(2)] == [HELLO, HELLO_AGAIN]


def test_an_empty_message_is_deflated_as_one_empty_block_wherever_it_comes() -> None:
    deflater = Deflater(DeflateParameters())
    messages = [b"", b"", b"Hello", b"", b"", b"Hello"]
    expected = [EMPTY, EMPTY, HELLO, EMPTY, EMPTY, HELLO_AGAIN]
    assert [deflater.deflate(m) for m in messages] == expected


@either_way
def test_empty_messages_are_inflated_and_leave_the_window_alone(inflate: Inflate) -> None:
    inflater = make_inflater()
    payloads = [EMPTY, EMPTY, HELLO, EMPTY, HELLO_AGAIN]
    assert [inflate(inflater, p) for p in payloads] == [b"", b"", b"Hello", b"", b"Hello"]


@either_way
def test_no_data_at_all_is_an_empty_message_and_leaves_the_window_alone(
    inflate: Inflate,
) -> None:
    inflater = make_inflater()
    payloads = [b"", HELLO, b"", HELLO_AGAIN]
    assert [inflate(inflater, p) for p in payloads] == [b"", b"Hello", b"", b"Hello"]


# §7.2.1, §7.2.3.4: final blocks


@either_way
@pytest.mark.parametrize("after", [HELLO, HELLO_FINAL, HELLO_FINAL[:-1]])
def test_messages_go_on_behind_a_final_block(inflate: Inflate, after: bytes) -> None:
    inflater = make_inflater()
    payloads = [HELLO_FINAL, after, HELLO]
    assert [inflate(inflater, p) for p in payloads] == [b"Hello"] * 3


@either_way
@pytest.mark.parametrize("end", [b"", EMPTY])
def test_several_final_blocks_in_one_message_are_joined(inflate: Inflate, end: bytes) -> None:
    inflater = make_inflater()
    assert inflate(inflater, HELLO_FINAL[:-1] * 3 + end) == b"Hello" * 3
    assert inflate(inflater, HELLO) == b"Hello"


@either_way
def test_a_message_cut_off_within_a_final_block_is_an_error(inflate: Inflate) -> None:
    with pytest.raises(CriticalProtocolError, match=r"^compressed message ends within a final"):
        inflate(make_inflater(), HELLO_FINAL[:-2])


# §7.1.2: windows


def inflate_strictly(server: zlib._Decompress, payload: bytes) -> bytes:
    """Inflate an octet at a time: in longer pieces zlib looks beyond its window."""
    pending, out = payload + b"\x00\x00\xff\xff", bytearray()
    while octet := server.decompress(pending, 1):
        pending = server.unconsumed_tail
        out += octet
    return bytes(out)


@pytest.mark.parametrize("bits", [9, 10, 11, 12])
def test_our_messages_fit_the_window_agreed_for_us(bits: int) -> None:
    deflater = Deflater(DeflateParameters(client_max_window_bits=bits))
    server = zlib.decompressobj(wbits=-bits)
    # The first distance beyond the window is one that the next larger compressor would use.
    for message in map(far_repetition, (200, 700, 1400, 3000, 7000)):
        assert inflate_strictly(server, deflater.deflate(message)) == message


@pytest.mark.parametrize("bits", [8, 9, 12])
def test_the_server_must_keep_to_the_window_agreed_for_it(bits: int) -> None:
    inflater = Inflater(DeflateParameters(server_max_window_bits=bits))
    octets = far_repetition(20_000)
    first, second = compress([octets[:-32], octets[-32:]])
    assert inflater.inflate_message(first, MIB) == octets[:-32]
    with pytest.raises(CriticalProtocolError, match="too far back"):
        inflater.inflate_message(second, MIB)


def test_with_a_window_of_256_octets_we_do_not_compress() -> None:
    assert not Deflater(DeflateParameters(client_max_window_bits=8)).can_compress
    assert Deflater(DeflateParameters(client_max_window_bits=9)).can_compress


def test_level_and_memory_level_reach_zlib() -> None:
    message = "".join(random.Random(7692).choices(["to", "tom", "omni", "nil"], k=9000)).encode()
    payloads = {
        Deflater(DeflateParameters(level=level, mem_level=mem_level)).deflate(message)
        for level in (1, 9)
        for mem_level in (1, 9)
    }
    assert len(payloads) == 4


def test_zlib_is_asked_for_nothing_before_the_first_message_with_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(zlib, "compressobj")
    monkeypatch.delattr(zlib, "decompressobj")
    assert Deflater(DeflateParameters()).deflate(b"") == EMPTY
    assert make_inflater().inflate_message(b"", MIB) == b""


# Properties

MESSAGES = st.lists(st.binary(max_size=300) | st.just(b"Hello" * 1000), max_size=6)
PARAMETERS = st.builds(
    DeflateParameters,
    server_max_window_bits=st.integers(8, 15),
    client_max_window_bits=st.integers(9, 15),
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    level=st.integers(0, 9),
    mem_level=st.integers(1, 9),
)


@given(messages=MESSAGES, parameters=PARAMETERS)
def test_what_we_deflate_zlib_inflates(
    messages: list[bytes], parameters: DeflateParameters
) -> None:
    deflater = Deflater(parameters)
    server = zlib.decompressobj(wbits=-parameters.client_max_window_bits)
    for message in messages:
        if parameters.client_no_context_takeover:
            server = zlib.decompressobj(wbits=-parameters.client_max_window_bits)
        payload = deflater.deflate(message)
        assert server.decompress(payload + b"\x00\x00\xff\xff") == message


@given(messages=MESSAGES, bits=st.integers(9, 15))
def test_what_zlib_deflates_we_inflate(messages: list[bytes], bits: int) -> None:
    inflater = Inflater(DeflateParameters(server_max_window_bits=bits))
    payloads = compress(messages, bits)
    assert [inflater.inflate_message(payload, MIB) for payload in payloads] == messages
