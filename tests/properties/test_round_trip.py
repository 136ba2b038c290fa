"""What one side sends is what the other receives.

The other side is a few lines of the tests, which share nothing with what is tested.
"""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from lomond.protocol.client import ClientProtocol
from lomond.protocol.frames import build_close_payload, build_frame, parse_close_payload
from tests.helpers.examples import examples
from tests.helpers.frames import parse_client_frames, server_frame
from tests.helpers.protocol import deliver, frames_sent, ready_client

texts = st.text(max_size=300) | st.text(max_size=30).map(lambda text: text * 300)
payloads = st.binary(max_size=300) | st.binary(max_size=30).map(lambda data: data * 3000)
messages = st.lists(texts | payloads, max_size=5)


def as_event(message: str | bytes) -> tuple[str, str | bytes]:
    """Return what a message becomes when it is received."""
    return ("text" if isinstance(message, str) else "binary", message)


def as_frame(message: str | bytes) -> tuple[int, bytes]:
    """Return what a message becomes when it is sent."""
    return (0x81, message.encode()) if isinstance(message, str) else (0x82, message)


def send(client: ClientProtocol, message: str | bytes, compress: bool = True) -> None:
    """Send a message as what it is."""
    if isinstance(message, str):
        client.send_text(message, compress)
    else:
        client.send_binary(message, compress)


@examples(40)
@given(st.integers(0, 255), payloads, st.binary(min_size=4, max_size=4))
def test_frame_is_unmasked_to_what_was_masked(first: int, payload: bytes, key: bytes) -> None:
    if first & 0x08:
        payload = payload[:125]
    assert parse_client_frames(build_frame(first, payload, key)) == [(first, payload)]


@examples(40)
@given(messages)
def test_messages_are_received_as_they_were_sent(messages: list[str | bytes]) -> None:
    frames = [server_frame(*as_frame(message)) for message in messages]
    assert deliver(ready_client(), b"".join(frames)) == [as_event(each) for each in messages]


@examples(40)
@given(messages)
def test_messages_are_sent_as_they_were_given(messages: list[str | bytes]) -> None:
    client = ready_client()
    for message in messages:
        send(client, message)
    assert frames_sent(client) == [as_frame(message) for message in messages]


@examples(40)
@given(st.lists(st.tuples(texts | payloads, st.booleans()), max_size=5), st.booleans())
def test_compressed_messages_come_back_from_an_echo(
    messages: list[tuple[str | bytes, bool]], takeover: bool
) -> None:
    no_context = "; client_no_context_takeover; server_no_context_takeover"
    client = ready_client(deflate="" if takeover else no_context)
    for message, compress in messages:
        send(client, message, compress)
    # Both directions have the same window, so that a compressed payload may go back as it is.
    echo = b"".join(server_frame(*frame) for frame in frames_sent(client))
    assert deliver(client, echo) == [as_event(message) for message, _ in messages]


@examples(40)
@given(messages)
def test_compressed_messages_are_inflated_by_zlib(messages: list[str | bytes]) -> None:
    client = ready_client(deflate="")
    for message in messages:
        send(client, message)
    zlib_inflate = zlib.decompressobj(-15).decompress
    received = [
        (first & ~0x40, zlib_inflate(payload + b"\x00\x00\xff\xff"))
        for first, payload in frames_sent(client)
    ]
    assert received == [as_frame(message) for message in messages]


codes = st.sampled_from([1000, 1001, 1003, 1007, 1014]) | st.integers(3000, 4999)


@examples(80)
@given(codes, st.text(max_size=200))
def test_close_reason_is_the_beginning_of_what_was_given(code: int, reason: str) -> None:
    payload = build_close_payload(code, reason.encode())
    received_code, received = parse_close_payload(payload)
    assert received_code == code
    assert reason.startswith(received)
    # Nothing is cut that would have fitted.
    rest = reason[len(received) :]
    assert len(payload) <= 125
    assert not rest or len(payload) + len(rest[0].encode()) > 125
