"""The inflater with messages of any bytes (RFC 7692 §7.2.2).

Input: two bytes as in `cutting`, then what the server sends, cut into messages where an empty
block without compression ends, which a sender leaves out of the wire. Of the options, the lower two
bits choose the parameters, 4 takes all for one message, the others say how much a message may
inflate to.
"""

from __future__ import annotations

import zlib

from lomond.errors import CriticalProtocolError, PayloadTooLarge
from lomond.protocol.deflate import DeflateParameters, Inflater
from tests.fuzz.targets.cutting import cut, take_options

__all__ = ["check_inflater"]

PARAMETERS = (
    DeflateParameters(),
    DeflateParameters(server_no_context_takeover=True),
    DeflateParameters(server_max_window_bits=9),
    DeflateParameters(server_max_window_bits=8, server_no_context_takeover=True),
)
ONE_MESSAGE = 4
BUDGETS = (0, 100, 65_536, 200_000)
TAIL = b"\x00\x00\xff\xff"
MAX_PIECE = 65_536


def check_inflater(data: bytes) -> None:
    """Inflate each message at once, in pieces, and by zlib alone."""
    options, size, stream = take_options(data)
    parameters = PARAMETERS[options & 3]
    budget = BUDGETS[options >> 3 & 3]
    whole, cut_up, plain = Inflater(parameters), Inflater(parameters), Plain(parameters)
    for message in [stream] if options & ONE_MESSAGE else stream.split(TAIL):
        expected = plain.inflate(message, budget)
        assert inflate_whole(whole, message, budget) == expected
        assert inflate_pieces(cut_up, cut(message, size), budget) == expected
        if expected is None:
            break


def inflate_whole(inflater: Inflater, message: bytes, budget: int) -> bytes | None:
    """Return the message, or None for an error that is due to the peer."""
    try:
        inflated = inflater.inflate_message(message, budget)
    except (CriticalProtocolError, PayloadTooLarge) as error:
        assert "compressed message" in str(error)
        return None
    assert len(inflated) <= budget
    return inflated


def inflate_pieces(inflater: Inflater, pieces: list[bytes], budget: int) -> bytes | None:
    """Do the same piece by piece."""
    written: list[bytes] = []
    made = 0
    try:
        for piece in pieces:
            made += inflater.inflate(piece, written.append, budget - made)
        made += inflater.finish(written.append, budget - made)
    except (CriticalProtocolError, PayloadTooLarge) as error:
        assert "compressed message" in str(error)
        return None
    finally:
        assert sum(map(len, written)) <= budget
        assert all(0 < len(piece) <= MAX_PIECE for piece in written)
    assert made == sum(map(len, written))
    return b"".join(written)


class Plain:
    """Inflate by zlib, in the fewest lines, with nothing spared."""

    def __init__(self, parameters: DeflateParameters) -> None:
        self.parameters = parameters
        self.stream = self.begin()

    def begin(self) -> zlib._Decompress:
        """Begin with an empty window."""
        return zlib.decompressobj(-self.parameters.server_max_window_bits)

    def inflate(self, message: bytes, budget: int) -> bytes | None:
        """Return the message, None for one that is corrupt or longer than `budget`."""
        data = message + TAIL if message else b""
        inflated = b""
        while data:
            try:
                inflated += self.stream.decompress(data, budget - len(inflated) + 1)
            except zlib.error:
                return None
            data = self.stream.unused_data
            if len(inflated) > budget or (self.stream.eof and len(data) < len(TAIL)):
                return None
            if self.stream.eof:
                self.stream = self.begin()
                # A message that ends on a final block has no use for the tail.
                data = b"" if data == TAIL else data
        if self.parameters.server_no_context_takeover:
            self.stream = self.begin()
        return inflated
