"""An event carries the wall clock of the read that brought its last byte, however it was made."""

from __future__ import annotations

import pytest

from tests.helpers.frames import server_frame
from tests.helpers.protocol import ANSWER, connecting_client, ready_client

# RFC 7692 §7.2.3.1
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"

WHOLE = {
    "text": b"\x81\x02hi",
    "binary": b"\x82\x02hi",
    "fragmented text": b"\x01\x01h\x80\x01i",
    "fragmented binary": b"\x02\x01h\x80\x01i",
    "compressed text": server_frame(0xC1, HELLO),
    "compressed binary": server_frame(0xC2, HELLO),
    "compressed fragments": server_frame(0x41, HELLO[:3]) + server_frame(0x80, HELLO[3:]),
    "ping": b"\x89\x00",
    "pong": b"\x8a\x00",
    "close": b"\x88\x00",
    "violation": b"\x83\x00",
    "bad close": b"\x88\x01x",
    "text that is none": b"\x81\x01\xff",
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_an_event_has_the_time_of_its_read(data: bytes) -> None:
    (event,) = ready_client(deflate="").receive(data, 42.0, 7.0)
    assert event.received_time == 42.0


def test_a_message_has_the_time_of_its_last_fragment() -> None:
    client = ready_client()
    assert not client.receive(b"\x01\x01h", 41.0, 6.0)
    (text,) = client.receive(b"\x80\x01i", 42.0, 7.0)
    assert text.received_time == 42.0


def test_what_a_read_left_for_later_has_the_time_of_the_read() -> None:
    client = ready_client()
    client.receive(b"\x81\x02hi\x88\x00", 42.0, 7.0)
    (closing,) = client.receive_more(9.0)
    assert closing.received_time == 42.0


def test_the_peers_answer_to_our_close_frame_has_the_time_of_its_read() -> None:
    client = ready_client()
    client.close(1000, b"", 6.0)
    (closed,) = client.receive(b"\x88\x02\x03\xe8", 42.0, 7.0)
    assert (closed.name, closed.received_time) == ("closed", 42.0)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (ANSWER, ["ready", "poll"]),
        (ANSWER + b"\x81\x02hi", ["ready", "poll", "text"]),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ["rejected"]),
        (b"HTTP/1.1 101 Yes\r\nX: " + b"x" * 100_000, ["protocol_error"]),
    ],
)
def test_what_the_answer_brings_has_the_time_of_its_read(answer: bytes, names: list[str]) -> None:
    client = connecting_client()
    batch = client.receive(answer, 42.0, 7.0)
    if client.has_more:
        batch += client.receive_more(7.0)
    assert [(event.name, event.received_time) for event in batch] == [(n, 42.0) for n in names]


def test_a_refusal_that_the_end_makes_has_the_time_of_its_last_read() -> None:
    client = connecting_client()
    assert not client.receive(b"HTTP/1.1 404 Not Found\r\n\r\nno", 42.0, 7.0)
    (rejected,) = client.end_of_stream()
    assert rejected.received_time == 42.0
