"""Messages from the pieces of their frames (RFC 6455 §5.4, §5.6, §8.1; RFC 7692 §7.2.2).

Payload is judged as it comes, not when its message is complete: UTF-8 by an
incremental decoder, sizes before anything is stored, compressed bytes by
inflating them at once within what the limit leaves. What is kept of a message
under way is one growing buffer, whatever the number and size of its fragments.

Control frames, which may come between two fragments, do not belong here.
"""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from io import BytesIO

from lomond.errors import PayloadTooLarge, ProtocolError
from lomond.events import Binary, Text
from lomond.protocol.deflate import Inflater
from lomond.protocol.frames import invalid_utf8
from lomond.protocol.opcodes import CONTINUATION, FIN, OPCODE_BITS, RSV1, TEXT

_utf8_decoder = getincrementaldecoder("utf-8")

# How many times what has come there may be room for, where a frame has announced more: the first
# read of a MiB, 64 KiB, makes room for all of it. A buffer that grows by an eighth, as BytesIO
# does by itself, moved to fresh pages with nearly every read, for a quarter of the time.
ROOM = 32
# A beginning of this size is no warrant for room: of many, it would be thirty times what came.
SMALL = 16 * 1024


class MessageBuilder:
    """Put pieces of data frames together until a message is whole."""

    __slots__ = (
        "_buffer",
        "_capacity",
        "_decoder",
        "_fragments",
        "_in_frame",
        "_inflater",
        "_inflating",
        "_is_text",
        "_max_fragments",
        "_max_size",
        "_size",
        "is_idle",
    )

    def __init__(self, max_size: int, max_fragments: int, inflater: Inflater | None) -> None:
        """Wait for the first frame of a message.

        `max_size` is in bytes, of the inflated message; `max_fragments` is the
        number of frames that one message may have. Without an `inflater` no
        message is compressed.
        """
        self._max_size = max_size
        self._max_fragments = max_fragments
        self._inflater = inflater
        self.is_idle = True
        """True while the next data frame begins a message."""
        self._in_frame = False
        # Of the message under way. BytesIO gives its content away without a copy (its
        # `getvalue` shares the buffer), where a bytearray would need twice the memory.
        self._buffer = BytesIO()
        self._capacity = 0
        self._decoder: IncrementalDecoder | None = None
        self._inflating: Inflater | None = None
        self._is_text = False
        self._fragments = 0
        self._size = 0

    @property
    def bytes_held(self) -> int:
        """Return the size of what has come of an unfinished message, inflated."""
        return self._size

    def add(
        self, first: int, payload: bytes, missing: int, received_time: float
    ) -> Text | Binary | None:
        """Take one piece of a data frame; return the message if it is now whole.

        `missing` is how much of the frame's payload is still to come: its pieces
        follow with the same first byte. Raises ProtocolError for fragments out of
        order, PayloadTooLarge for a message over a limit, CriticalProtocolError
        for text that is not UTF-8 and for bytes that cannot be inflated.
        """
        if not self._in_frame:
            self._begin_frame(first)
            if self._inflating is not None and first & FIN and first & RSV1 and not missing:
                return self._inflate_whole(self._inflating, payload, received_time)
        self._in_frame = missing > 0
        self._store(payload, missing)
        if first & FIN and not missing:
            return self._finish(received_time)
        return None

    def _begin_frame(self, first: int) -> None:
        opcode = first & OPCODE_BITS
        if opcode == CONTINUATION:
            if self.is_idle:
                # RFC 6455 §5.4: a continuation belongs to a message that has begun.
                raise ProtocolError("continuation frame without a message to continue")
        elif not self.is_idle:
            # RFC 6455 §5.4: "The fragments of one message MUST NOT be interleaved between the
            # fragments of another message"
            raise ProtocolError("new message begins before the last one has ended")
        else:
            self.is_idle = False
            self._is_text = opcode == TEXT
            self._decoder = _utf8_decoder() if self._is_text else None
            self._inflating = self._inflater if first & RSV1 else None
            self._fragments = 0
        self._fragments += 1
        if self._fragments > self._max_fragments:
            raise PayloadTooLarge(f"message has more than {self._max_fragments} fragments")

    def _inflate_whole(
        self, inflater: Inflater, payload: bytes, received_time: float
    ) -> Text | Binary:
        message = inflater.inflate_message(payload, self._max_size)
        self.is_idle = True
        if not self._is_text:
            return Binary(message, received_time)
        try:
            return Text(str(message, "utf-8"), received_time)
        except UnicodeDecodeError as error:
            raise invalid_utf8(error) from error

    def _store(self, payload: bytes, missing: int) -> None:
        if self._inflating is not None:
            self._inflating.inflate(payload, self._write, self._max_size - self._size)
            return
        if self._size + len(payload) + missing > self._max_size:
            raise PayloadTooLarge(f"message is over the limit of {self._max_size} bytes")
        size = self._size + len(payload)
        if missing and size > max(self._capacity, SMALL):
            self._make_room(size, missing)
        self._write(payload)

    def _make_room(self, size: int, missing: int) -> None:
        """Have room for a frame that is under way, as far as what has come warrants it."""
        # Twice what is copied at least, so that all copying together is less than the message.
        if size + missing >= 2 * self._size:
            self._capacity = min(size + missing, ROOM * size)
            # Nobody else has these bytes: they are written to, and given away, without a copy.
            buffer = BytesIO(bytes(self._capacity))
            buffer.write(self._buffer.getbuffer()[: self._size])
            self._buffer = buffer

    def _write(self, piece: bytes) -> None:
        if self._decoder is not None:
            # RFC 6455 §8.1: fail on the first byte that cannot be UTF-8, not at the end.
            try:
                self._decoder.decode(piece)
                # CPython keeps the first two bytes of a surrogate until it sees the third.
                if b"\xed\xa0" <= self._decoder.getstate()[0] < b"\xee":
                    self._decoder.decode(b"", final=True)
            except UnicodeDecodeError as error:
                raise invalid_utf8(error) from error
        self._buffer.write(piece)
        self._size += len(piece)

    def _finish(self, received_time: float) -> Text | Binary:
        if self._inflating is not None:
            self._inflating.finish(self._write, self._max_size - self._size)
        buffer, self._buffer = self._buffer, BytesIO()
        decoder, self._decoder = self._decoder, None
        self.is_idle = True
        self._capacity = self._size = 0
        if decoder is None:
            return Binary(buffer.getvalue(), received_time)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise invalid_utf8(error) from error
        return Text(str(buffer.getbuffer(), "utf-8"), received_time)
