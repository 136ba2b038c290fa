"""RFC 6455 §5.6 and §8.1: text is UTF-8.

"When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in
fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_." We do so at the
first byte that shows it.
"""

from __future__ import annotations

import pytest

from tests.helpers.frames import server_frame
from tests.helpers.protocol import deliver, ending_of, frames_sent, ready_client

# Each is wrong at its last byte, and not before.
WRONG_AT_THE_LAST_BYTE = [
    b"\x80",  # a continuation byte of nothing
    b"\xbf",
    b"\xc0",  # would only begin overlong forms
    b"\xc1",
    b"\xf5",  # beyond U+10FFFF
    b"\xff",
    b"\xc3\x28",  # not a continuation byte
    b"\xe0\x9f",  # overlong
    b"\xe2\x82\x28",
    b"\xed\xa0",  # a surrogate
    b"\xed\xbf",
    b"\xf0\x8f",  # overlong
    b"\xf0\x9f\x98\x28",
    b"\xf4\x90",  # beyond U+10FFFF
    b"Hello \xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0",
]
wrong = pytest.mark.parametrize("text", WRONG_AT_THE_LAST_BYTE, ids=bytes.hex)

# One character of each length, and the first and the last of each.
RIGHT = "\0a\x7f\x80\u07ff\u0800\ud7ff\ue000\ufeff\uffff\U00010000\U0010ffff κόσμε 😀"


def is_critical(told: list[tuple[object, ...]]) -> bool:
    """Tell whether there is nothing but one violation, of the kind that 1007 answers."""
    return [(event[0], event[-1]) for event in told] == [("protocol_error", True)]


def test_text_of_every_length_of_character_is_read() -> None:
    client = ready_client()
    assert deliver(client, server_frame(0x81, RIGHT.encode())) == [("text", RIGHT)]


def test_text_may_be_cut_within_characters_by_reads() -> None:
    client = ready_client()
    data = server_frame(0x81, RIGHT.encode())
    assert [event for byte in data for event in deliver(client, bytes([byte]))] == [("text", RIGHT)]


def test_text_may_be_cut_within_characters_by_fragments() -> None:
    client = ready_client()
    first, *middle = RIGHT.encode()
    data = server_frame(0x01, bytes([first]))
    data += b"".join(server_frame(0x00, bytes([byte])) for byte in middle) + b"\x80\x00"
    assert deliver(client, data) == [("text", RIGHT)]


@wrong
def test_wrong_text_in_one_read_is_refused(text: bytes) -> None:
    client = ready_client()
    assert is_critical(deliver(client, server_frame(0x81, text)))


@wrong
def test_wrong_text_is_refused_at_the_byte_that_shows_it(text: bytes) -> None:
    client = ready_client()
    data = server_frame(0x81, text + b" and there is more to come")[: 2 + len(text)]
    assert deliver(client, data[:-1]) == []
    assert is_critical(deliver(client, data[-1:]))


@wrong
def test_wrong_text_is_refused_byte_by_byte(text: bytes) -> None:
    client = ready_client()
    told = [deliver(client, bytes([byte])) for byte in b"\x81\x7d" + text]
    assert not any(told[:-1])
    assert is_critical(told[-1])


@wrong
def test_wrong_text_is_refused_in_the_fragment_that_shows_it(text: bytes) -> None:
    client = ready_client()
    assert deliver(client, server_frame(0x01, text[:-1])) == []
    assert is_critical(deliver(client, server_frame(0x00, text[-1:])))


def test_wrong_text_is_refused_behind_a_control_frame() -> None:
    client = ready_client()
    assert deliver(client, b"\x01\x01\xe2\x89\x00") == [("ping", b"")]
    assert is_critical(deliver(client, b"\x00\x01\x28"))


@pytest.mark.parametrize("text", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"abc\xe2"], ids=bytes.hex)
def test_text_that_ends_within_a_character_is_refused(text: bytes) -> None:
    client = ready_client()
    assert is_critical(deliver(client, server_frame(0x81, text)))


def test_fragmented_text_that_ends_within_a_character_is_refused() -> None:
    client = ready_client()
    assert deliver(client, b"\x01\x02\xe2\x82") == []
    assert is_critical(deliver(client, b"\x80\x00"))


def test_what_comes_before_wrong_text_is_delivered() -> None:
    client = ready_client()
    told = deliver(client, b"\x81\x02hi\x81\x01\xff")
    assert told[0] == ("text", "hi")
    assert is_critical(told[1:])


def test_wrong_text_is_answered_with_1007() -> None:
    client = ready_client()
    deliver(client, b"\x81\x01\xff")
    reason = b"text is not valid UTF-8: invalid start byte"
    assert frames_sent(client) == [(0x88, b"\x03\xef" + reason)]


def test_wrong_text_ends_the_connection_as_a_protocol_error() -> None:
    client = ready_client()
    deliver(client, b"\x81\x01\xff")
    client.end_of_stream()
    told = ending_of(client)
    assert (told.kind, told.graceful, told.closed_by, told.code) == (
        "protocol",
        False,
        "client",
        1006,
    )


def test_binary_need_not_be_utf8() -> None:
    client = ready_client()
    data = b"\x82\x01\xff\x02\x01\xe2\x80\x01\x28"
    assert deliver(client, data) == [("binary", b"\xff"), ("binary", b"\xe2\x28")]


def test_byte_order_mark_is_part_of_the_text() -> None:
    client = ready_client()
    data = b"\x81\x04\xef\xbb\xbfa\x01\x02\xef\xbb\x80\x02\xbfb"
    assert deliver(client, data) == [("text", "\ufeffa"), ("text", "\ufeffb")]
