"""What servers might send, drawn by hypothesis: sensible, wrong and damaged streams of frames."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from hypothesis import strategies as st

from tests.helpers.frames import server_frame

__all__ = ["CLOSES", "VIOLATIONS", "cuttings", "server_streams"]

# One for each rule; nothing that comes behind may be read.
VIOLATIONS = [
    b"\x83\x00",  # reserved opcode
    b"\xb1\x00",  # reserved bits
    b"\x82\xfe",  # masked
    b"\x89\x7e",  # control frame too long
    b"\x09\x00",  # control frame in fragments
    b"\x82\x7e\x00\x01",  # length in too many bytes
    b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",  # length with its highest bit set
    b"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00",  # over the limit
    b"\x80\x01x",  # continuation of nothing
    b"\x01\x01a\x89\x00\x81\x01b",  # message within a message
    b"\x81\x04abc\xff",  # not UTF-8
    b"\x81\x03\xed\xa0\x80",
    b"\x01\x02\xe2\x82\x89\x00\x80\x01\x28",
    b"\x81\x02\xe2\x82",  # ends within a character
    b"\x88\x01\x03",  # half a close code
    b"\x88\x02\x03\xed",  # a close code that is never sent
    b"\x88\x03\x03\xe8\xff",  # reason not UTF-8
]
CLOSES = [b"\x88\x00", b"\x88\x02\x03\xe8", b"\x88\x05\x0f\xa0\xe2\x82\xac"]
# Bytes of a frame that does not end.
UNFINISHED = [b"\x81", b"\x82\x7e\x01", b"\x82\x05ab", b"\x89\x05ab", b"\x02\x03abc\x00\x02d"]

_controls = st.builds(
    server_frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=4) | st.just(bytes(125))
)
_texts = st.text(max_size=20).map(str.encode)
_contents = st.one_of(
    st.tuples(st.just(0x01), _texts),
    st.tuples(st.just(0x01), _texts.map(lambda text: text * 60)),
    st.tuples(st.just(0x02), st.binary(max_size=20)),
    st.tuples(st.just(0x02), st.binary(min_size=1, max_size=8).map(lambda data: data * 9000)),
)


@st.composite
def server_streams(draw: st.DrawFn, compressed: bool = False) -> bytes:
    """Draw frames of whole and fragmented messages and controls, and how it all ends."""
    compressor = zlib.compressobj(wbits=-15)

    def deflate(payload: bytes) -> bytes:
        return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]

    parts = []
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.integers(0, 3)) == 0:
            parts.append(draw(_controls))
        else:
            parts.append(draw(_messages(deflate if compressed else None)))
    parts.append(draw(st.sampled_from([b"", *UNFINISHED, *CLOSES, *VIOLATIONS])))
    if draw(st.booleans()):
        # Behind a Close or a violation this is ignored.
        parts.append(draw(_messages(None)))
    return b"".join(parts)


@st.composite
def _messages(draw: st.DrawFn, deflate: Callable[[bytes], bytes] | None) -> bytes:
    """Draw one message, in one frame or in several with controls between them."""
    first, payload = draw(_contents)
    if deflate is not None and draw(st.booleans()):
        first |= 0x40
        payload = deflate(payload)
    pieces = draw(cuttings(payload)) if draw(st.booleans()) else [payload]
    frames = []
    for index, piece in enumerate(pieces):
        opcode = 0x00 if index else first
        final = 0x80 if index == len(pieces) - 1 else 0x00
        frames.append(server_frame(final | opcode, piece))
        if not final and draw(st.integers(0, 3)) == 0:
            frames.append(draw(_controls))
    return b"".join(frames)


@st.composite
def cuttings(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Draw a way to cut bytes into reads; some are empty."""
    places = draw(st.lists(st.integers(0, len(data)), max_size=8).map(sorted))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
