"""The same stream means the same to other clients, but for the differences that are listed here.

`wsproto` and `websockets` are held to the same RFCs by other people: where the three agree, a
mistake would have to be made three times.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets.frames import DEFLATE
from tests.helpers.compressed_streams import (
    has_bare_message,
    has_control_within,
    has_final_block,
)
from tests.helpers.examples import examples
from tests.helpers.frames import close_payload, missing_bytes, server_frame
from tests.helpers.sans_io import MAX_SIZE, Step, ask_lomond, ask_websockets, ask_wsproto
from tests.helpers.server_bytes import CLOSES, cuttings, server_streams

PEERS = {"wsproto": ask_wsproto, "websockets": ask_websockets}
# A fragment in the middle of a message.
CONTINUATION = b"\x00\x01\x00"
CORPUS = sorted((Path(__file__).parents[1] / "fuzz" / "corpus" / "frames").iterdir())

HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"
FINAL_HELLO = b"\xf3\x48\xcd\xc9\xc9\x07\x00"


def has_anything(stream: bytes) -> bool:
    """Tell that the stream does not matter."""
    return True


# ---- the table -------------------------------------------------------------------------------


def has_surrogate(stream: bytes) -> bool:
    """Tell whether the first two bytes of a surrogate are in the stream."""
    return re.search(rb"\xed[\xa0-\xbf]", stream) is not None


class Difference(NamedTuple):
    """What a peer takes otherwise: patterns for our step and the peer's, where the two part."""

    peer: str
    ours: str
    theirs: str
    because: str
    example: bytes
    deflate: str | None = None
    where: Callable[[bytes], bool] = has_anything


ANYTHING = ".*"

DIFFERENCES = [
    Difference(
        "websockets",
        "failed 1002 (payload length .* is encoded in . bytes|control frame is longer than .*)",
        ANYTHING,
        'RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length". '
        "It does not say what becomes of others; websockets takes them.",
        b"\x82\x7e\x00\x01x",
    ),
    Difference(
        "websockets",
        "failed 1002 .*",
        "failed 1009 frame with .* exceeds limit.*",
        "Two rules are broken; the order of looking decides which code is sent.",
        b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    ),
    Difference(
        "websockets",
        "failed 1002 reserved close code .*",
        "failed 1007 .* at position .*",
        "Two rules are broken, as above: the reason is not UTF-8 either.",
        b"\x88\x03\x03\xed\xff",
    ),
    Difference(
        "websockets",
        "failed 1007 text is not valid UTF-8.*",
        "text .*\ufffd.*|(?!text).*",
        "Without I/O, websockets hands out text as bytes: RFC 6455 §8.1 is left to its caller, "
        "and what comes behind is read.",
        b"\x81\x01\xff",
    ),
    Difference(
        "websockets",
        "failed 1007 compressed message is corrupt.*",
        "failed 1002 decompression failed",
        "RFC 7692 names no code. RFC 6455 §7.4.1 has 1007 for data that are not consistent with "
        "the type of the message, which is what comes of data that cannot be inflated.",
        b"\xc1\x01\x07",
        "",
    ),
    Difference(
        "websockets",
        "closed .*",
        "failed 1002 incomplete fragmented message",
        'RFC 6455 §5.4: "Control frames MAY be injected in the middle of a fragmented message", '
        "and Close is one of them.",
        b"\x01\x01a\x88\x02\x03\xe8",
    ),
    Difference(
        "wsproto",
        "failed 1002 .*",
        "failed 1007 error in extension",
        "Two rules are broken, as above: a frame that should not be there cannot be inflated.",
        b"\x41\x01\x00\x41\x04\xff\xff\xff\xff",
        "",
    ),
    Difference(
        "wsproto",
        "closed 1014 .*",
        "failed 1002 CLOSE with unknown reserved code",
        "1014 was registered with IANA, which RFC 6455 §7.4.2 asks for, after the RFC.",
        b"\x88\x02\x03\xf6",
    ),
    Difference(
        "wsproto",
        "failed 1009 .*",
        ANYTHING,
        "wsproto has no limits: RFC 6455 §10.4 leaves them to its caller.",
        b"\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff",
    ),
    Difference(
        "wsproto",
        "failed 1007 text is not valid UTF-8.*",
        "(?!text).*",
        "A decoder of CPython sees that two bytes begin a surrogate once it has the third; wsproto "
        "reads what comes before that. RFC 6455 §8.1 does not say when to fail.",
        b"\x01\x02\xed\xa0\x83\x00",
        where=has_surrogate,
    ),
    Difference(
        "wsproto",
        ANYTHING,
        ANYTHING,
        "wsproto forgets at a control frame that the message around it is compressed. RFC 7692 "
        "§6.1 sets RSV1 on the first fragment, for the message.",
        b"\x42\x03" + HELLO[:3] + b"\x89\x00\x80\x04" + HELLO[3:],
        "",
        has_control_within,
    ),
    *(
        Difference(
            peer,
            ANYTHING,
            ANYTHING,
            "A message without even an empty block is not one of RFC 7692 §7.2.3.6, but it is what "
            "some senders make of an empty message. With the tail of §7.2.2 appended to nothing, "
            "the peer loses its place in the stream, and all messages behind this one.",
            b"\xc1\x00\xc1\x07" + HELLO,
            "",
            has_bare_message,
        )
        for peer in PEERS
    ),
    *(
        Difference(
            peer,
            ANYTHING,
            ANYTHING,
            "RFC 7692 §7.2.3.4 allows a block with BFINAL, and §7.2.1 any number of blocks. What "
            "follows the final one the peer drops, or takes for the next message.",
            b"\xc1\x0e" + FINAL_HELLO + FINAL_HELLO,
            "",
            has_final_block,
        )
        for peer in PEERS
    ),
]


# ---- comparing -------------------------------------------------------------------------------


def describe(step: Step) -> str:
    """Put a step into words, for the patterns."""
    return " ".join(map(str, step))


def part(ours: list[Step], theirs: list[Step]) -> tuple[str, str] | None:
    """Return the first steps that are not the same; None where all are."""
    for our, their in zip_longest(ours, theirs, fillvalue=("nothing", None)):
        # Of a failure the code counts; the words are each client's own.
        length = 2 if our[0] == their[0] == "failed" else None
        if our[:length] != their[:length]:
            return describe(our), describe(their)
    return None


def differ(peer: str, stream: bytes, deflate: str | None) -> tuple[str, str] | None:
    """Return the first steps that are not the same to us and to the peer."""
    ours, theirs = ask_lomond(stream, deflate), PEERS[peer](stream, deflate)
    for size in (0, min(missing_bytes(stream), MAX_SIZE)):
        # We judge by the first byte that shows it, a peer perhaps once more has come: the rest of
        # a frame, or a continuation with data.
        if ours[-1][0] == "failed" and theirs[-1] == ("open",):
            rest = (CONTINUATION * size)[:size]
            theirs = PEERS[peer](stream + rest + CONTINUATION * 100, deflate)
    return part(ours, theirs)


def is_listed(peer: str, stream: bytes, deflate: str | None, steps: tuple[str, str]) -> bool:
    """Tell whether the table has the reason why the two steps are not the same."""
    return any(
        row.peer == peer
        and (row.deflate is None or deflate is not None)
        and re.fullmatch(row.ours, steps[0], re.DOTALL)
        and re.fullmatch(row.theirs, steps[1], re.DOTALL)
        and row.where(stream)
        for row in DIFFERENCES
    )


def unlisted(stream: bytes, deflate: str | None) -> dict[str, tuple[str, str]]:
    """Let all three clients receive the stream; return by peer what differs without a reason."""
    steps = {peer: differ(peer, stream, deflate) for peer in PEERS}
    return {
        peer: found
        for peer, found in steps.items()
        if found is not None and not is_listed(peer, stream, deflate, found)
    }


def assert_same(stream: bytes, deflate: str | None = None) -> None:
    """Check that all three clients take the stream for the same."""
    assert unlisted(stream, deflate) == {}


# ---- the streams -----------------------------------------------------------------------------


@st.composite
def damaged(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> bytes:
    """Draw a stream in which bytes were changed, lost or put in."""
    stream = bytearray(draw(streams.filter(len)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(stream)))
        stream[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(stream)


@st.composite
def interleaved(draw: st.DrawFn) -> bytes:
    """Draw messages in many fragments, with many control frames between them."""
    frames = []
    for opcode, content in draw(
        st.lists(st.tuples(st.sampled_from([1, 2]), st.text()), max_size=4)
    ):
        pieces = draw(cuttings(content.encode()))
        for index, piece in enumerate(pieces):
            final = 0x80 if index == len(pieces) - 1 else 0
            frames.append(server_frame(final | (0 if index else opcode), piece))
            for first in draw(st.lists(st.sampled_from([0x89, 0x8A]), max_size=2)):
                frames.append(server_frame(first, piece[:125]))
    place = draw(st.integers(0, len(frames)))
    frames[place:place] = draw(st.sampled_from([[], [], CLOSES[:1], CLOSES[1:]]))
    return b"".join(frames)


CODES = st.integers(0, 0xFFFF) | st.integers(990, 1020) | st.sampled_from([2999, 3000, 4999, 5000])
CLOSE_PAYLOADS = st.one_of(
    st.binary(max_size=130),
    st.builds(close_payload, CODES, st.text(max_size=20)),
    st.builds(lambda code, reason: code + reason, st.just(b"\x03\xe8"), st.binary(max_size=123)),
)
SMALL_STREAMS = server_streams().filter(lambda stream: len(stream) < 1000)


@examples(25)
@given(server_streams())
def test_stream_means_the_same_to_peers(stream: bytes) -> None:
    assert_same(stream)


@examples(25)
@given(server_streams(compressed=True))
def test_compressed_stream_means_the_same_to_peers(stream: bytes) -> None:
    assert_same(stream, "")


@examples(25)
@given(damaged(SMALL_STREAMS), st.sampled_from([None, ""]))
def test_damaged_stream_means_the_same_to_peers(stream: bytes, deflate: str | None) -> None:
    assert_same(stream, deflate)


@examples(25)
@given(damaged(server_streams(compressed=True).filter(lambda stream: len(stream) < 1000)))
def test_damaged_compressed_stream_means_the_same_to_peers(stream: bytes) -> None:
    assert_same(stream, "")


@examples(25)
@given(interleaved())
def test_controls_between_fragments_mean_the_same_to_peers(stream: bytes) -> None:
    assert_same(stream)


@examples(40)
@given(CLOSE_PAYLOADS)
def test_close_payload_means_the_same_to_peers(payload: bytes) -> None:
    assert_same(server_frame(0x88, payload))


def test_fuzzed_stream_means_the_same_to_peers() -> None:
    different = {}
    for path in CORPUS:
        options, _, *stream = path.read_bytes().ljust(2, b"\x00")
        if found := unlisted(bytes(stream), DEFLATE[options & 3]):
            different[path.name] = found
    assert different == {}


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: f"{row.peer} {row.example[:12].hex()}")
def test_difference_of_the_table_is_there(row: Difference) -> None:
    steps = differ(row.peer, row.example, row.deflate)
    assert steps is not None
    assert is_listed(row.peer, row.example, row.deflate, steps)
