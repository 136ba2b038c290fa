"""RFC 6455 §10.4: implementations "MUST protect themselves against exceeding those limits".

Whatever the bytes and however they come, what a connection keeps between two reads is bounded by
its limits, and what it takes for a moment by those of a batch of events.
"""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.protocol import frames
from lomond.protocol.client import ClientProtocol
from tests.fuzz.targets.cutting import cut
from tests.fuzz.targets.frames import DEFLATE
from tests.helpers.deflate import compress
from tests.helpers.examples import examples
from tests.helpers.frames import server_frame
from tests.helpers.protocol import ANSWER, connecting_client, ready_client
from tests.helpers.server_bytes import server_streams

KIB = 1024
MAX_SIZE = 4 * KIB
MAX_FRAGMENTS = 64
READ = 4 * KIB

# A buffer grows by more than it needs, and what was read last stays until the next read.
KEPT = MAX_SIZE * 9 // 8 + READ + 2 * KIB
# 1,000 events, and what a message or two need to become events.
BATCH = 256 * KIB + 8 * MAX_SIZE
# What zlib needs for a window of 32 KiB; 1 MiB of messages that were short when they came.
INFLATER = 56 * KIB
INFLATED = 1024 * KIB
# The head of an answer, 16 KiB, as it came and as it is parsed.
KEPT_HEAD = 3 * 16 * KIB
HEAD = 4 * 16 * KIB
# The body of a refusal, 64 KiB, in a buffer that grows, and in the response.
BODY = 140 * KIB


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Record where memory goes, but for the keys, which all connections draw from one pool."""
    monkeypatch.setattr(frames, "make_key", lambda: b"\x00\x00\x00\x00")
    # What is made on first use is there before.
    ready_client(deflate="").receive(HELLO, 0.0, 0.0)
    tracemalloc.start()
    yield
    tracemalloc.stop()


def measure(client: ClientProtocol, reads: list[bytes], answers: bool) -> tuple[int, int]:
    """Let the client receive; return the most that it kept between reads, and took during one.

    Events are dropped as they come. Without `answers`, what the client has to send stays with it.
    """
    kept = taken = 0
    client.outgoing.is_congested = not answers
    before, _ = tracemalloc.get_traced_memory()
    for data in reads:
        tracemalloc.reset_peak()
        client.receive(data, 0.0, 0.0)
        while client.has_more:
            client.receive_more(0.0)
        if answers:
            client.outgoing.take()
        now, peak = tracemalloc.get_traced_memory()
        kept, taken = max(kept, now - before), max(taken, peak - before)
    return kept, taken


def assert_within(
    make_client: Callable[[], ClientProtocol],
    reads: list[bytes],
    kept: int,
    taken: int,
    answers: bool = True,
) -> None:
    """Check what a client keeps of these reads, and takes for them."""
    measured = measure(make_client(), reads, answers)
    if measured[0] > kept or measured[1] > kept + taken:
        # Code that runs for the first time needs memory, of its own and of what records coverage.
        measured = measure(make_client(), reads, answers)
    assert measured[0] <= kept
    assert measured[1] <= kept + taken


def converse(reads: list[bytes], deflate: str | None = None, answers: bool = True) -> None:
    """Let a client with small limits receive frames; check its memory."""
    limits = {"max_message_size": MAX_SIZE, "max_fragments": MAX_FRAGMENTS}
    make_client = partial(ready_client, deflate, **limits)
    if deflate is None:
        assert_within(make_client, reads, KEPT, BATCH, answers)
    else:
        assert_within(make_client, reads, KEPT + INFLATER, BATCH + INFLATED, answers)


def repeated(first: int, size: int, times: int) -> bytes:
    """Return the same frame many times."""
    return server_frame(first, b"x" * size) * times


HELLO = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
(BOMB,) = compress([bytes(3072 * KIB)])
(LARGEST,) = compress([bytes(MAX_SIZE)])
# Each KiB of it is a stream of its own.
FINAL_BLOCKS = zlib.compress(bytes(KIB), 9)[2:-4] * 300
ENDLESS = b"x" * 100 * KIB

ATTACKS = {
    "one bomb": server_frame(0xC2, BOMB),
    "a bomb in fragments": server_frame(0x42, BOMB[:1500]) + server_frame(0x80, BOMB[1500:]),
    "a bomb of final blocks": server_frame(0xC2, FINAL_BLOCKS),
    "many messages of the largest size": server_frame(0xC2, LARGEST) * 1000,
    "a compressed message that does not end": repeated(0x42, 0, 1) + repeated(0x00, 0, 1500),
    "fragments without data": repeated(0x01, 0, 1) + repeated(0x00, 0, 1500),
    "fragments of one byte": repeated(0x01, 1, 1) + repeated(0x00, 1, 1500),
    "fragments of half the limit": repeated(0x01, 2000, 1) + repeated(0x00, 2000, 20),
    "a frame that does not end": b"\x82\x7e\x10\x00" + bytes(MAX_SIZE - 1),
    "a length of 2 to 40": b"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00" + ENDLESS,
    "a message of the largest size": server_frame(0x81, b"x" * MAX_SIZE) * 4,
    "small messages": repeated(0x81, 1, 1500),
    "messages without data": repeated(0x82, 0, 1500),
    "pings": repeated(0x89, 125, 400),
    "pings without data": repeated(0x89, 0, 1500),
    "pongs": repeated(0x8A, 125, 400),
    "data behind a violation": b"\x83\x00" + ENDLESS,
    "data behind a Close": b"\x88\x00" + repeated(0x82, 100, 500),
    "a Ping that does not end": b"\x89\x7d",
}
PIECES = st.sampled_from(sorted(ATTACKS.values())) | server_streams(compressed=True) | st.binary()


@examples(10)
@given(
    st.lists(PIECES, max_size=2).map(b"".join),
    st.sampled_from([200, READ]),
    st.sampled_from(DEFLATE),
    st.booleans(),
)
def test_any_bytes_keep_memory_within_the_limits(
    stream: bytes, size: int, deflate: str | None, answers: bool
) -> None:
    converse(cut(stream, size), deflate, answers)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("deflate", [None, ""], ids=["plain", "compressed"])
def test_attack_keeps_memory_within_the_limits(attack: str, deflate: str | None) -> None:
    converse(cut(ATTACKS[attack], READ), deflate)


def test_pings_that_cannot_be_answered_are_not_kept() -> None:
    converse(cut(ATTACKS["pings"], READ), answers=False)


def test_messages_that_came_at_once_are_not_inflated_at_once() -> None:
    converse([ATTACKS["many messages of the largest size"]], "")


def test_message_in_reads_of_one_byte_needs_no_more_than_at_once() -> None:
    converse(cut(server_frame(0x81, b"x" * 1000), 1))


STATUS = b"HTTP/1.1 101 Switching Protocols\r\n"
HEADS = {
    "a status line that does not end": b"HTTP/1.1 101 " + ENDLESS,
    "a header that does not end": STATUS + b"a: " + ENDLESS,
    "a name that does not end": STATUS + ENDLESS,
    "headers that do not end": STATUS + b"a:\r\n" * 15_000,
    "folded lines that do not end": STATUS + b"a: b\r\n" + b" c\r\n" * 15_000,
    "interim answers that do not end": b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
    "no HTTP": ENDLESS,
}
REFUSAL = b"HTTP/1.1 403 No\r\n"
CHUNKED = REFUSAL + b"Transfer-Encoding: chunked\r\n\r\n"
BODIES = {
    "a body that does not end": REFUSAL + b"\r\n" + ENDLESS * 3,
    "a body in chunks that do not end": CHUNKED + (b"64\r\n" + b"x" * 100 + b"\r\n") * 2000,
    "the length of a chunk that does not end": CHUNKED + b"1;" + ENDLESS,
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("size", [100, READ])
def test_head_of_an_answer_keeps_memory_within_the_limits(head: str, size: int) -> None:
    assert_within(connecting_client, cut(HEADS[head], size), KEPT_HEAD, HEAD)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [100, READ])
def test_body_of_a_refusal_keeps_memory_within_the_limits(body: str, size: int) -> None:
    assert_within(connecting_client, cut(BODIES[body], size), KEPT_HEAD + BODY, HEAD)


def test_head_of_nothing_but_parameters_takes_memory_in_proportion() -> None:
    accept = ANSWER.removeprefix(STATUS).removesuffix(b"\r\n")
    extensions = b"Sec-WebSocket-Extensions: a" + b";b" * 8000 + b"\r\n\r\n"
    # A parameter of two bytes is a tuple of 56, of which the interpreter keeps 2,000 for later.
    assert_within(
        connecting_client, [STATUS + accept + extensions], KEPT_HEAD + 128 * KIB, 600 * KIB
    )
