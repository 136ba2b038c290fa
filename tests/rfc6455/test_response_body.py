"""The body of a refusal, kept up to a limit.

RFC 9112 §6.3: "If a message is received with both a Transfer-Encoding and a Content-Length header
field, the Transfer-Encoding overrides the Content-Length." "Otherwise, this is a response message
without a declared message body length, so the message body length is determined by the number of
octets received prior to the server closing the connection."
"""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.protocol.http import BodyReader
from lomond.response import Response


def body_reader(headers: bytes = b"", limit: int = 65536, status: bytes = b"403 No") -> BodyReader:
    return BodyReader(Response(b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n"), limit)


def chunked_reader(limit: int = 65536) -> BodyReader:
    return body_reader(b"Transfer-Encoding: chunked\r\n", limit)


def test_a_body_with_a_length_is_complete_at_its_length() -> None:
    reader = body_reader(b"Content-Length: 5\r\n")
    assert [reader.feed(b"he"), reader.feed(b"llo")] == [False, True]
    assert reader.body == b"hello"


def test_bytes_behind_the_length_are_not_part_of_the_body() -> None:
    reader = body_reader(b"Content-Length: 5\r\n")
    assert reader.feed(b"hello world")
    assert reader.body == b"hello"


def test_bytes_after_the_end_change_nothing() -> None:
    reader = body_reader(b"Content-Length: 1\r\n")
    assert [reader.feed(b"a"), reader.feed(b"b")] == [True, True]
    assert reader.body == b"a"


def test_a_length_of_0_is_complete_at_once() -> None:
    assert body_reader(b"Content-Length: 0\r\n").feed(b"")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_a_body_is_complete_at_once(status: bytes) -> None:
    reader = body_reader(b"Content-Length: 5\r\n", status=status)
    assert reader.feed(b"hello")
    assert reader.body == b""


def test_a_body_longer_than_the_limit_is_cut() -> None:
    reader = body_reader(b"Content-Length: 10000000000\r\n")
    assert not reader.feed(b"x" * 65535)
    assert reader.feed(b"y" * 2)
    assert reader.body == b"x" * 65535 + b"y"


def test_a_body_of_exactly_the_limit_is_kept() -> None:
    reader = body_reader(b"Content-Length: 4\r\n", limit=4)
    assert reader.feed(b"four")
    assert reader.body == b"four"


def test_a_limit_of_0_keeps_nothing() -> None:
    reader = body_reader(b"Content-Length: 4\r\n", limit=0)
    assert reader.feed(b"four")
    assert reader.body == b""


def test_a_body_without_a_length_goes_on_until_the_limit() -> None:
    reader = body_reader(limit=6)
    assert [reader.feed(b"four"), reader.feed(b"four")] == [False, True]
    assert reader.body == b"fourfo"


@pytest.mark.parametrize(
    "length",
    [b"-1", b"+3", b"3.0", b"0x3", b"3 3", b"", b"3_0", b"\xb2", b"9" * 5000, b"3, 4", b"3,x"],
)
def test_a_length_that_is_not_one_number_counts_for_nothing(length: bytes) -> None:
    reader = body_reader(b"Content-Length: " + length + b"\r\n")
    assert not reader.feed(b"four")
    assert reader.body == b"four"


def test_conflicting_lengths_count_for_nothing() -> None:
    assert not body_reader(b"Content-Length: 1\r\nContent-Length: 2\r\n").feed(b"four")


def test_the_same_length_twice_is_that_length() -> None:
    reader = body_reader(b"Content-Length: 2\r\nContent-Length: 2\r\n")
    assert reader.feed(b"four")
    assert reader.body == b"fo"


def test_a_chunked_body_is_joined() -> None:
    reader = chunked_reader()
    assert reader.feed(b"4\r\nWiki\r\n7\r\npedia i\r\nB\r\nn \r\nchunks.\r\n0\r\n\r\n")
    assert reader.body == b"Wikipedia in \r\nchunks."


def test_a_chunked_body_may_come_byte_by_byte() -> None:
    reader = chunked_reader()
    data = b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n"
    assert [reader.feed(data[i : i + 1]) for i in range(len(data))] == [False] * 21 + [True]
    assert reader.body == b"Wikipedia"


@pytest.mark.parametrize("line", [b"4;name=value", b"4 ; a", b"0004", b"4\t"])
def test_a_chunk_may_have_an_extension_and_leading_zeros(line: bytes) -> None:
    reader = chunked_reader()
    assert not reader.feed(line + b"\r\nWiki\r\n")
    assert reader.body == b"Wiki"


def test_chunked_outranks_a_length() -> None:
    reader = body_reader(b"Content-Length: 1\r\nTransfer-Encoding: Chunked\r\n")
    assert reader.feed(b"2\r\nab\r\n0\r\n\r\n")
    assert reader.body == b"ab"


def test_chunked_counts_only_where_it_is_the_last_encoding() -> None:
    reader = body_reader(b"Transfer-Encoding: chunked, gzip\r\nContent-Length: 1\r\n")
    assert not reader.feed(b"2\r\nab")
    assert reader.body == b"2\r\nab"


def test_chunked_behind_another_encoding_counts() -> None:
    reader = body_reader(b"Transfer-Encoding: gzip, chunked\r\n")
    assert reader.feed(b"2\r\nab\r\n0\r\n\r\n")
    assert reader.body == b"ab"


def test_chunks_end_at_the_limit() -> None:
    reader = chunked_reader(limit=6)
    assert reader.feed(b"4\r\nfour\r\n4\r\nfour\r\n4\r\nfour\r\n")
    assert reader.body == b"fourfo"


def test_one_endless_chunk_ends_at_the_limit() -> None:
    reader = chunked_reader(limit=6)
    assert reader.feed(b"ffffffffffffffff\r\nfour" + b"x" * 100)
    assert reader.body == b"fourxx"


def test_a_chunk_that_ends_at_the_limit_completes_the_body() -> None:
    assert chunked_reader(limit=4).feed(b"4\r\nfour")


@pytest.mark.parametrize(
    "bad",
    [b"\r\n", b"x\r\n", b"-1\r\n", b"+2\r\n", b"0x2\r\n", b"1_0\r\n", b" 2\r\n", b"f" * 17 + b"\n"],
)
def test_a_bad_chunk_size_ends_the_body_before_it(bad: bytes) -> None:
    reader = chunked_reader()
    assert reader.feed(b"4\r\nWiki\r\n" + bad + b"more")
    assert reader.body == b"Wiki"


def test_a_chunk_longer_than_its_size_ends_the_body() -> None:
    reader = chunked_reader()
    assert reader.feed(b"4\r\nWikipedia\r\n")
    assert reader.body == b"Wiki"


def test_an_endless_chunk_extension_ends_the_body() -> None:
    reader = chunked_reader()
    assert not reader.feed(b"4;" + b"x" * 254)
    assert reader.feed(b"x")


@given(st.binary(max_size=200), st.sampled_from([b"", b"Content-Length: 20\r\n"]), st.booleans())
def test_any_bytes_give_a_body_within_the_limit(data: bytes, length: bytes, chunked: bool) -> None:
    reader = body_reader(length + b"Transfer-Encoding: chunked\r\n" * chunked, limit=16)
    reader.feed(b"8\r\n" + data)
    assert len(reader.body) <= 16


@given(st.lists(st.sampled_from([b"2\r\n", b"ab", b"\r\n", b"\n", b"0", b"9;x"]), max_size=12))
def test_any_cutting_gives_the_same_body(parts: list[bytes]) -> None:
    whole, cut = chunked_reader(), chunked_reader()
    data = b"".join(parts)
    whole.feed(data)
    for i in range(len(data)):
        cut.feed(data[i : i + 1])
    assert (cut.body, cut.is_complete) == (whole.body, whole.is_complete)


def cpu_seconds(chunks: int) -> float:
    """Measure chunks of one byte, fed at once, on this process's clock."""
    reader = chunked_reader(limit=chunks)
    started = process_time()
    reader.feed(b"1\r\nx\r\n" * chunks)
    return process_time() - started


def test_many_tiny_chunks_take_linear_time() -> None:
    small = min(cpu_seconds(2_000) for _ in range(5))
    # 32 times as many: 32 times the work, where copying the rest at each chunk has 1,024 times.
    assert any(cpu_seconds(64_000) < 64 * small for _ in range(3))
