"""The inflater with messages of any bytes (RFC 7692 §7.2.2).

Input: two bytes as in `cutting`, then what the server sends, cut into messages where an empty
block without compression ends, which a sender leaves out of the wire. Of the options, the lower two
bits choose the parameters, 4 takes all for one message, the others say how much a message may
inflate to.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

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
    whole, cut_up = Inflater(parameters), Inflater(parameters)
    plain, lenient = Plain(parameters), Plain(replace(parameters, server_max_window_bits=15))
    for message in [stream] if options & ONE_MESSAGE else stream.split(TAIL):
        expected = plain.inflate(message, budget)
        results = (
            inflate_whole(whole, message, budget),
            inflate_pieces(cut_up, cut(message, size), budget),
        )
        if expected is None:
            # Who looks back further than was agreed may get away with it, see `Inflater`.
            beyond_window = lenient.inflate(message, budget)
            assert all(result is None or result == beyond_window for result in results)
            break
        assert results == (expected, expected)
        lenient.inflate(message, budget)


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
        # Within one call zlib looks back as far as its output goes: one byte a call is exact.
        self.step = MAX_PIECE if parameters.server_max_window_bits == 15 else 1
        self.stream = self.begin()

    def begin(self) -> zlib._Decompress:
        """Begin with an empty window."""
        return zlib.decompressobj(-self.parameters.server_max_window_bits)

    def inflate(self, message: bytes, budget: int) -> bytes | None:
        """Return the message, None for one that is corrupt or longer than `budget`."""
        data = message + TAIL
        inflated = bytearray()
        while message:
            try:
                piece = self.stream.decompress(data, self.step)
            except zlib.error:
                return None
            inflated += piece
            if len(inflated) > budget:
                return None
            if self.stream.eof:
                data = self.stream.unused_data
                if len(data) < len(TAIL):
                    return None
                self.stream = self.begin()
                # A message that ends on a final block has no use for the tail.
                if data == TAIL:
                    break
            elif piece:
                data = self.stream.unconsumed_tail
            else:
                break
        if self.parameters.server_no_context_takeover:
            self.stream = self.begin()
        return bytes(inflated)
