"""Whatever the bytes are, they become events: nothing raises, and every connection ends once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lomond.protocol.client import ClientProtocol
from tests.helpers.examples import examples
from tests.helpers.protocol import (
    ANSWER,
    connecting_client,
    deliver,
    ending_of,
    frames_sent,
    ready_client,
    tell_all,
)
from tests.helpers.server_bytes import cuttings, server_streams

# Events behind which there is nothing to say.
LAST = {"protocol_error", "closing", "closed", "rejected"}


def assert_ends_in_order(client: ClientProtocol, reads: list[bytes]) -> None:
    """Deliver the reads and the end of the stream; check what holds for all of them."""
    told = [event for data in reads for event in deliver(client, data)]
    client.acknowledge_close(0.0)
    if not client.is_finished:
        told += tell_all(client.end_of_stream())
    assert client.next_due == float("inf")
    # Nothing but one such event, at the end, and none of them where the stream just ended.
    assert [name for name, *_ in told[:-1] if name in LAST] == []
    # What we send is in whole frames, the last of them the only Close.
    opcodes = [first & 0x0F for first, _ in frames_sent(client)]
    assert 0x08 not in opcodes[:-1]
    assert ending_of(client).reason
    assert deliver(client, b"\x81\x02hi") == []
    assert client.end_of_stream() == []
    assert client.tick(1e9) == []


@examples(80)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_garbage_instead_of_frames(reads: list[bytes]) -> None:
    assert_ends_in_order(ready_client(), reads)
    assert_ends_in_order(ready_client(deflate=""), reads)


@examples(50)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_garbage_instead_of_an_answer(reads: list[bytes]) -> None:
    assert_ends_in_order(connecting_client(), reads)


@examples(50)
@given(st.data())
def test_damaged_answer(data: st.DataObject) -> None:
    answer = bytearray(b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER + b"\x81\x02hi")
    answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    assert_ends_in_order(connecting_client(), data.draw(cuttings(bytes(answer))))


@examples(50)
@given(st.data(), st.sampled_from([None, "", "; server_no_context_takeover"]))
def test_damaged_frames(data: st.DataObject, deflate: str | None) -> None:
    stream = bytearray(data.draw(server_streams(compressed=deflate is not None)))
    for _ in range(data.draw(st.integers(0, 3)) if stream else 0):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    client = ready_client(deflate=deflate, max_message_size=50_000, max_fragments=4)
    assert_ends_in_order(client, data.draw(cuttings(bytes(stream))))


@examples(50)
@given(st.binary(max_size=100))
def test_garbage_behind_our_close(data: bytes) -> None:
    client = ready_client()
    client.close(1000, b"", 0.0)
    assert_ends_in_order(client, [data])
