"""How a stream is cut into reads makes no difference to what it means.

TCP keeps the bytes and their order, and nothing else.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from lomond.protocol.client import ClientProtocol
from lomond.protocol.deflate import DeflateOffer
from tests.helpers.examples import examples
from tests.helpers.protocol import ANSWER, connecting_client, deliver, ending_of, frames_sent
from tests.helpers.server_bytes import VIOLATIONS, cuttings, server_streams

DEFLATE_ANSWER = ANSWER[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"


def make_client(compressed: bool) -> ClientProtocol:
    """Make a client with limits that the streams come near to."""
    deflate = DeflateOffer() if compressed else None
    return connecting_client(deflate=deflate, max_message_size=80_000, max_fragments=8)


def outcome(client: ClientProtocol, reads: list[bytes]) -> list[object]:
    """Deliver the reads and the end of the stream; return all that came of them."""
    told = [event for data in reads for event in deliver(client, data)]
    client.acknowledge_close(0.0)
    client.end_of_stream()
    end = ending_of(client)
    lost = end.bytes_lost if end.kind == "eof" else None
    return [*told, *frames_sent(client), end.reason, end.graceful, end.kind, end.code, lost]


def assert_equal_in_any_cutting(data: bytes, reads: list[bytes], compressed: bool) -> None:
    """Compare the stream in one read with the same in several."""
    expected = outcome(make_client(compressed), [data])
    assert outcome(make_client(compressed), reads) == expected


@examples(40)
@given(st.data())
def test_stream_means_the_same_in_any_cutting(data: st.DataObject) -> None:
    stream = INTERIM + ANSWER + data.draw(server_streams())
    assert_equal_in_any_cutting(stream, data.draw(cuttings(stream)), compressed=False)


@examples(40)
@given(st.data())
def test_compressed_stream_means_the_same_in_any_cutting(data: st.DataObject) -> None:
    stream = DEFLATE_ANSWER + data.draw(server_streams(compressed=True))
    assert_equal_in_any_cutting(stream, data.draw(cuttings(stream)), compressed=True)


@examples(40)
@given(server_streams(compressed=True).filter(lambda stream: len(stream) < 1000))
def test_stream_means_the_same_byte_by_byte(stream: bytes) -> None:
    stream = DEFLATE_ANSWER + stream
    assert_equal_in_any_cutting(stream, [bytes([byte]) for byte in stream], compressed=True)


@examples(40)
@given(st.sampled_from(VIOLATIONS), st.integers(1, 20), st.integers(1, 20))
@example(b"\x81\x03\xed\xa0\x80", 2, 4)
def test_violation_is_the_same_in_three_reads(wrong: bytes, first: int, second: int) -> None:
    stream = b"\x81\x02hi" + wrong + b"\x81\x00"
    first, second = sorted((first, second))
    reads = [ANSWER, stream[:first], stream[first:second], stream[second:]]
    assert_equal_in_any_cutting(ANSWER + stream, reads, compressed=False)
