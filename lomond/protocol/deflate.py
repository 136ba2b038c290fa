"""The extension permessage-deflate: RFC 7692, chapter 7.

What we offer, what was agreed (§7.1), and the two directions of the codec (§7.2). The
syntax of the header is in `http`; RSV1 and the joining of fragments are in `frames` and
`messages`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lomond.errors import CompressionParameterError, CriticalProtocolError, PayloadTooLarge

PERMESSAGE_DEFLATE = "permessage-deflate"

# RFC 7692 §7.1.2: "a decimal integer value without leading zeroes between 8 to 15"
_WINDOW_BITS = {str(bits): bits for bits in range(8, 16)}
LARGEST_WINDOW = 15
# zlib has no compressor with a window of 256 bytes, only one with 512.
SMALLEST_OWN_WINDOW = 9

# RFC 7692 §7.2.1 and §7.2.2: what the sender removes, and the receiver appends.
TAIL = b"\x00\x00\xff\xff"

# zlib copies the input that it did not take after every full piece of output, and after every
# final block: both sizes bound what is copied, and the second what is inflated beyond a limit.
INPUT_SLICE = 64 * 1024
OUTPUT_PIECE = 64 * 1024
# After a final block another may follow soon: begin small and double, or a flood of them
# copies 32 KiB for each.
FIRST_SLICE = 64


@dataclass(frozen=True, slots=True)
class DeflateOffer:
    """What we ask for; windows are powers of two, from 9 (512 bytes) to 15 (32 KiB).

    A smaller `server_max_window_bits` saves us up to 32 KiB for each connection. Our own
    direction costs 2 ** (`client_max_window_bits` + 2) + 2 ** (`mem_level` + 9) bytes:
    256 KiB as it stands. `level` is 0 to 9, `mem_level` 1 to 9. Raises TypeError or
    ValueError for anything else.
    """

    server_max_window_bits: int = LARGEST_WINDOW
    client_max_window_bits: int = LARGEST_WINDOW
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    level: int = 6
    mem_level: int = 8

    def __post_init__(self) -> None:
        for name, low, high in (
            ("server_max_window_bits", SMALLEST_OWN_WINDOW, LARGEST_WINDOW),
            ("client_max_window_bits", SMALLEST_OWN_WINDOW, LARGEST_WINDOW),
            ("level", 0, 9),
            ("mem_level", 1, 9),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be a whole number, not {value!r}")
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, not {value!r}")
        for name in ("server_no_context_takeover", "client_no_context_takeover"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")

    def header(self) -> str:
        """Return the offer as an element of Sec-WebSocket-Extensions."""
        parts = [PERMESSAGE_DEFLATE]
        if self.server_no_context_takeover:
            parts.append("server_no_context_takeover")
        if self.client_no_context_takeover:
            parts.append("client_no_context_takeover")
        if self.server_max_window_bits < LARGEST_WINDOW:
            parts.append(f"server_max_window_bits={self.server_max_window_bits}")
        # RFC 7692 §7.1.2.2: without a value it says only that the server may name one.
        bits = self.client_max_window_bits
        value = f"={bits}" if bits < LARGEST_WINDOW else ""
        parts.append(f"client_max_window_bits{value}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """What was agreed; `level` and `mem_level` are ours alone and never on the wire."""

    server_max_window_bits: int = LARGEST_WINDOW
    client_max_window_bits: int = LARGEST_WINDOW
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    level: int = 6
    mem_level: int = 8


def negotiate(offer: DeflateOffer, params: Sequence[tuple[str, str | None]]) -> DeflateParameters:
    """Return what the server's answer to `offer` makes of it.

    `params` are the parameters of the answer, None for a missing value. Raises
    CompressionParameterError for any that RFC 7692 does not know or allow, and where
    the server did not agree to what was asked for.
    """
    answer = _read_parameters(params)
    # RFC 7692 §7.1.1.1: a server agrees to this by naming it in its answer.
    if offer.server_no_context_takeover and "server_no_context_takeover" not in answer:
        raise CompressionParameterError(
            "server_no_context_takeover was asked for, but is not in the answer"
        )
    return DeflateParameters(
        server_max_window_bits=_agree_server_window(offer, answer),
        client_max_window_bits=_agree_client_window(offer, answer),
        server_no_context_takeover="server_no_context_takeover" in answer,
        # RFC 7692 §7.1.1.2: what we offered holds even where the answer is silent.
        client_no_context_takeover=(
            offer.client_no_context_takeover or "client_no_context_takeover" in answer
        ),
        level=offer.level,
        mem_level=offer.mem_level,
    )


def _read_parameters(params: Sequence[tuple[str, str | None]]) -> dict[str, int]:
    # RFC 7692 §7.1: a client must fail the connection for an answer with a parameter that is
    # not defined, with an invalid value, or there twice.
    answer: dict[str, int] = {}
    for name, value in params:
        if name in answer:
            raise CompressionParameterError(
                f"permessage-deflate parameter {name} is there twice, with {value!r:.40}"
            )
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value is not None:
                raise CompressionParameterError(f"{name} takes no value, not {value!r:.40}")
            answer[name] = True
        elif name in ("server_max_window_bits", "client_max_window_bits"):
            if value not in _WINDOW_BITS:
                raise CompressionParameterError(f"{name} must be from 8 to 15, not {value!r:.40}")
            answer[name] = _WINDOW_BITS[value]
        else:
            raise CompressionParameterError(
                f"permessage-deflate parameter {name!r:.40} is unknown, with {value!r:.40}"
            )
    return answer


def _agree_server_window(offer: DeflateOffer, answer: dict[str, int]) -> int:
    # RFC 7692 §7.1.2.1: a server agrees by naming the same or a smaller value; where nothing
    # was asked for, it may still name one.
    asked, bits = offer.server_max_window_bits, answer.get("server_max_window_bits")
    if asked < LARGEST_WINDOW and bits is None:
        raise CompressionParameterError(
            f"server_max_window_bits={asked} was asked for, but is not in the answer"
        )
    if bits is not None and bits > asked:
        raise CompressionParameterError(
            f"server_max_window_bits={bits} is more than the {asked} asked for"
        )
    return asked if bits is None else bits


def _agree_client_window(offer: DeflateOffer, answer: dict[str, int]) -> int:
    # RFC 7692 §7.1.2.2: as for the server's, but the answer need not have it.
    offered = offer.client_max_window_bits
    bits = answer.get("client_max_window_bits", offered)
    if bits > offered:
        raise CompressionParameterError(
            f"client_max_window_bits={bits} is more than the {offered} offered"
        )
    return bits


class Deflater:
    """Compress the messages of one connection: one call at a time, in the order of sending.

    Ask `can_compress` first: where it is False every message has to go out as it is,
    without RSV1, which RFC 7692 §6 always allows.
    """

    __slots__ = ("_compressor", "_parameters", "can_compress")

    def __init__(self, parameters: DeflateParameters) -> None:
        self._parameters = parameters
        self.can_compress = parameters.client_max_window_bits >= SMALLEST_OWN_WINDOW
        # Set from the first message on, or, without context takeover, never.
        self._compressor: zlib._Compress | None = None

    def deflate(self, payload: bytes) -> bytes:
        """Return the payload of one whole message, compressed."""
        if not payload:
            # RFC 7692 §7.2.3.6: an empty block, whatever zlib makes of a flush without data.
            return b"\x00"
        compressor = self._compressor or self._make_compressor()
        # RFC 7692 §7.2.1: end on an empty block without compression, less its last 4 bytes.
        compressed = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return compressed[: -len(TAIL)]

    def _make_compressor(self) -> zlib._Compress:
        agreed = self._parameters
        assert self.can_compress, "zlib would use a window of 512 bytes where 256 were agreed"
        compressor = zlib.compressobj(
            agreed.level, zlib.DEFLATED, -agreed.client_max_window_bits, agreed.mem_level
        )
        # RFC 7692 §7.1.1.2: without context takeover every message begins with a new window.
        if not agreed.client_no_context_takeover:
            self._compressor = compressor
        return compressor


class Inflater:
    """Inflate the messages of one connection, in the order in which they came.

    A `budget` is how many bytes, 0 or more, may still come out of the message. After an
    error the connection is lost, and with it the inflater.

    A window that was agreed on is the memory that is spent on looking back. A server that looks
    back further breaks RFC 7692 §7.1.2.1: it is caught where that reaches behind the last call
    of zlib, and understood where it does not.
    """

    __slots__ = ("_decompressor", "_is_open", "_keeps_context", "_window_bits")

    def __init__(self, parameters: DeflateParameters) -> None:
        self._window_bits = parameters.server_max_window_bits
        self._keeps_context = not parameters.server_no_context_takeover
        # Set while there is a window to go on with.
        self._decompressor: zlib._Decompress | None = None
        # True while the current message has bytes behind its last final block.
        self._is_open = False

    def inflate(
        self, data: bytes | memoryview, write: Callable[[bytes], object], budget: int
    ) -> int:
        """Take a piece of the current message; return how many bytes came out.

        They are handed to `write` in pieces of at most 64 KiB. Raises PayloadTooLarge once
        there are more than `budget` (then at most one more was made), CriticalProtocolError
        where the data are corrupt.
        """
        if not data:
            return 0
        self._is_open = True
        return self._feed(data, 0, write, budget)

    def finish(self, write: Callable[[bytes], object], budget: int) -> int:
        """End the current message; otherwise as `inflate`."""
        made = 0
        # A message without any data is taken for an empty one: it is what comes of a sender
        # that flushes zlib twice. Appending the tail to it, or directly behind a final block,
        # would spoil the next message.
        if self._is_open:
            made = self._feed(TAIL, len(TAIL), write, budget)
        self._end_message()
        return made

    def inflate_message(self, payload: bytes, budget: int) -> bytes:
        """Inflate a whole message at once; otherwise as `inflate` and `finish`."""
        if not payload:
            return b""
        pieces: list[bytes] = []
        self._feed(payload + TAIL, len(TAIL), pieces.append, budget)
        self._end_message()
        return b"".join(pieces)

    def _end_message(self) -> None:
        self._is_open = False
        # RFC 7692 §7.1.1.1: without context takeover no window is kept.
        if not self._keeps_context:
            self._decompressor = None

    def _feed(
        self, data: bytes | memoryview, tail: int, write: Callable[[bytes], object], budget: int
    ) -> int:
        """Inflate `data`, of which the last `tail` bytes are ours; return the bytes made."""
        made = position = 0
        step = INPUT_SLICE
        while position < len(data):
            decompressor = self._decompressor
            if decompressor is None:
                decompressor = self._decompressor = zlib.decompressobj(wbits=-self._window_bits)
            piece = data[position : position + step]
            made = _inflate_slice(decompressor, piece, write, made, budget)
            position += len(piece)
            if not decompressor.eof:
                if step < INPUT_SLICE:
                    step *= 2
                continue
            # RFC 7692 §7.2.3.4: a block may have BFINAL set. What follows it begins anew.
            self._decompressor = None
            step = FIRST_SLICE
            position -= len(decompressor.unused_data)
            if position > len(data) - tail:
                raise CriticalProtocolError("compressed message ends within a final block")
            if position == len(data) - tail:
                self._is_open = False
                break
        return made


def _inflate_slice(
    decompressor: zlib._Decompress,
    data: bytes | memoryview,
    write: Callable[[bytes], object],
    made: int,
    budget: int,
) -> int:
    """Inflate all of `data`, or what comes up to a final block; return `made` plus the bytes."""
    while True:
        # One byte over the budget is enough to know, and 0 would mean no limit.
        limit = OUTPUT_PIECE if budget - made >= OUTPUT_PIECE else budget - made + 1
        try:
            piece = decompressor.decompress(data, limit)
        except zlib.error as error:
            raise CriticalProtocolError(f"compressed message is corrupt ({error})") from error
        made += len(piece)
        if made > budget:
            # What is left of the limit is not said: it depends on how the stream was cut.
            raise PayloadTooLarge("compressed message inflates to more than the limit")
        if piece:
            write(piece)
        # A full piece says nothing about whether zlib holds back more, even with no input left.
        if decompressor.eof or len(piece) < limit:
            return made
        data = decompressor.unconsumed_tail
