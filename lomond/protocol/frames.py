"""Frames: from bytes to pieces of messages, and from payloads to bytes (RFC 6455 §5.2).

`FrameReader` makes one pass over what a read from the socket brought. Whole,
unfragmented, uncompressed messages, which are nearly all of the traffic, become
events on the spot; everything else is handed out as a *piece* for
`messages.MessageBuilder` or the state machine in `client` to think about.

What fragments mean together, what a control frame leads to and what state the
connection is in do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from lomond.errors import (
    CriticalProtocolError,
    FrameBuildError,
    PayloadTooLarge,
    ProtocolError,
)
from lomond.events import Binary, Event, Text
from lomond.protocol.compiled import accelerator
from lomond.protocol.masking import make_key, mask, mask_part
from lomond.protocol.opcodes import (
    CONTROL_BIT,
    KNOWN_OPCODES,
    LEGAL_FIRST_BYTES,
    LEGAL_FIRST_BYTES_COMPRESSED,
    OPCODE_BITS,
    RESERVED_BITS,
    RSV1,
    WHOLE_BINARY,
    WHOLE_TEXT,
)
from lomond.status import is_valid_close_code

MASKED = 0x80
LENGTH_IN_2_BYTES = 126
LENGTH_IN_8_BYTES = 127
MAX_CONTROL_PAYLOAD = 125
MAX_CLOSE_REASON = MAX_CONTROL_PAYLOAD - 2

Piece = tuple[int, bytes, int]
"""First byte of the frame, payload at hand, and bytes of payload still missing."""

_FIRST = tuple(bytes((value,)) for value in range(256))
_MASKED_LENGTH = tuple(bytes((MASKED | length,)) for length in range(LENGTH_IN_2_BYTES))

# One call where Python needs ten, and no second copy: 0.23 µs for a frame of 32 bytes with its
# key against 0.99, 50 µs for one of a MiB against 3,000.
_build_compiled: Callable[[int, bytes, bytes], bytes] | None = (
    None if accelerator is None else accelerator.build_frame
)
# 0.07 µs for a message of 32 bytes in a flood, against 0.52.
_read_compiled: Callable[..., int] | None = (
    None if accelerator is None else accelerator.read_messages
)
# What it makes, and the slots that it fills by itself: the two constructors do nothing else.
_TEXT = (Text, *attrgetter("text", "received_time")(Text))
_BINARY = (Binary, *attrgetter("data", "received_time")(Binary))


class FrameReader:
    """Cut a stream of bytes into whole messages and pieces of frames.

    Call `feed` with bytes from the peer, then `read` until it returns None.
    Payload is handed out as it comes: what is kept between two calls is a header
    or a control frame that is not complete, so 130 bytes at most.
    """

    __slots__ = (
        "_data",
        "_first",
        "_legal",
        "_max_payload",
        "_missing",
        "_position",
        "_short",
        "between_messages",
    )

    def __init__(self, max_payload: int, compressed: bool) -> None:
        """Start at a frame's first byte.

        A data frame that declares more than `max_payload` bytes is refused by
        its header. With `compressed`, RSV1 is legal where RFC 7692 §6 has it.
        """
        self.between_messages = True
        """False while a fragmented message is unfinished; kept by the caller."""
        self._legal = LEGAL_FIRST_BYTES_COMPRESSED if compressed else LEGAL_FIRST_BYTES
        self._max_payload = max_payload
        self._short = min(max_payload, MAX_CONTROL_PAYLOAD)
        # What was fed and not yet read: `_data` from `_position` on.
        self._data = b""
        self._position = 0
        # The data frame that is being handed out: its first byte, and how much is to come.
        self._first = 0
        self._missing = 0

    @property
    def unread(self) -> int:
        """How many bytes were fed and not yet handed out."""
        return len(self._data) - self._position

    def feed(self, data: bytes) -> None:
        """Add bytes from the peer behind those that are not read yet."""
        if self._data:
            data = self._data[self._position :] + data
        self._data = data
        self._position = 0

    def drop(self) -> None:
        """Forget what was fed; nothing can be read afterwards."""
        self._data = b""
        self._position = 0

    def read(self, events: list[Event], received_time: float, room: int) -> Piece | None:
        """Append up to `room` whole messages to `events`; return the first piece that is not one.

        None means that more bytes are needed or that `room` is used up. Control
        frames come whole; a data frame may come in several pieces, each with the
        same first byte. Raises ProtocolError, PayloadTooLarge or
        CriticalProtocolError at the frame that breaks a rule, with the messages
        before it in `events`; nothing can be read afterwards.
        """
        data = self._data
        end = len(data)
        if self._missing:
            return self._read_missing(data, end)
        position = self._position
        short = self._short
        between_messages = self.between_messages
        if _read_compiled is not None and between_messages:
            before = len(events)
            position = _read_compiled(
                data, position, room, self._max_payload, events, _TEXT, _BINARY, received_time
            )
            room -= len(events) - before
        for _ in range(room):
            start = position + 2
            if start > end:
                break
            first = data[position]
            length = data[position + 1]
            if length > short:
                self._position = position
                start, length = self._read_long_header(data, position, end)
                if not start:
                    break
            stop = start + length
            if between_messages and first == WHOLE_TEXT and stop <= end:
                try:
                    events.append(Text(str(data[start:stop], "utf-8"), received_time))
                except UnicodeDecodeError as error:
                    self._position = position
                    raise invalid_utf8(error) from error
            elif between_messages and first == WHOLE_BINARY and stop <= end:
                events.append(Binary(data[start:stop], received_time))
            else:
                self._position = position
                return self._read_piece(first, start, stop)
            position = stop
        if position == end:
            # A connection that now falls idle must not hold on to the last thing it has read.
            self._data = b""
            position = 0
        self._position = position
        return None

    def _read_missing(self, data: bytes, end: int) -> Piece | None:
        position = self._position
        if position == end:
            # A connection that falls idle within a message must not hold on to it twice.
            self.drop()
            return None
        stop = min(position + self._missing, end)
        self._position = stop
        self._missing -= stop - position
        return self._first, data[position:stop], self._missing

    def _read_piece(self, first: int, start: int, stop: int) -> Piece | None:
        if first not in self._legal:
            raise ProtocolError(_explain_first_byte(first))
        data = self._data
        missing = max(0, stop - len(data))
        if missing and first & CONTROL_BIT:
            return None
        self._first = first
        self._missing = missing
        self._position = stop - missing
        return first, data[start : self._position], missing

    def _read_long_header(self, data: bytes, position: int, end: int) -> tuple[int, int]:
        """Return where the payload starts, 0 if the header is not complete, and its length."""
        first = data[position]
        length = data[position + 1]
        if first not in self._legal:
            raise ProtocolError(_explain_first_byte(first))
        if length & MASKED:
            # RFC 6455 §5.1: "A client MUST close a connection if it detects a masked frame."
            raise ProtocolError("frame from the server is masked")
        if first & CONTROL_BIT:
            if length > MAX_CONTROL_PAYLOAD:
                raise ProtocolError("control frame is longer than 125 bytes")
            return position + 2, length
        start = position + 2
        if length > MAX_CONTROL_PAYLOAD:
            start += 2 if length == LENGTH_IN_2_BYTES else 8
            if start > end:
                return 0, 0
            length = _parse_long_length(data[position + 2 : start])
        if length > self._limit_for(first):
            raise PayloadTooLarge(
                f"frame of {length} bytes is over the limit of {self._max_payload} bytes"
            )
        return start, length

    def _limit_for(self, first: int) -> int:
        # The limit is one on inflated bytes; deflate makes random bytes longer, by 4 % at
        # the worst (stored blocks of 127 bytes at memLevel 1), and those must still pass.
        compressed = first & RSV1 or not self.between_messages
        return self._max_payload + (self._max_payload // 16 + 64 if compressed else 0)


def build_frame(first: int, payload: bytes, key: bytes | None = None) -> bytes:
    """Build one masked frame (RFC 6455 §5.2, §5.3); `key` is for tests, else it is random.

    FrameBuildError for a control frame over 125 bytes.
    """
    if key is None:
        key = make_key()
    length = len(payload)
    if length > MAX_CONTROL_PAYLOAD and first & CONTROL_BIT:
        raise FrameBuildError(f"control frame of {length} bytes is longer than 125")
    if _build_compiled is not None:
        return _build_compiled(first, payload, key)
    if length < LENGTH_IN_2_BYTES:
        return _FIRST[first] + _MASKED_LENGTH[length] + key + mask(payload, key)
    if length < 1 << 16:
        head = bytes((first, MASKED | LENGTH_IN_2_BYTES)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, MASKED | LENGTH_IN_8_BYTES)) + length.to_bytes(8, "big")
    return b"".join((head, key, mask(payload, key)))


class LongFrame:
    """A frame of 64 KiB or more, built piece by piece: there is no second copy of its payload."""

    __slots__ = ("_head", "_key", "_payload", "_position")

    def __init__(self, first: int, payload: bytes) -> None:
        self._key = make_key()
        length = len(payload).to_bytes(8, "big")
        self._head = bytes((first, MASKED | LENGTH_IN_8_BYTES)) + length + self._key
        self._payload = payload
        self._position = 0

    def __len__(self) -> int:
        return len(self._head) + len(self._payload)

    def build_piece(self, size: int) -> bytes:
        """Build the next piece, b"" behind the last; `size`, a multiple of 4, is masked at most."""
        start = self._position
        stop = min(start + size, len(self._payload))
        if start == stop:
            return b""
        head = b"" if start else self._head
        piece = mask_part(head, self._payload, start, stop, self._key)
        # Last: of who is interrupted before, by Ctrl-C say, the same piece is built again.
        self._position = stop
        return piece


def build_close_payload(code: int | None, reason: bytes) -> bytes:
    """Build the payload of a Close frame (RFC 6455 §5.5.1).

    A code of None gives an empty payload. The reason is UTF-8 and is cut at a
    character to the 123 bytes that fit. FrameBuildError for a code that may not be sent.
    """
    if code is None:
        return b""
    if not is_valid_close_code(code):
        raise FrameBuildError(f"close code {code} may not be sent")
    if len(reason) > MAX_CLOSE_REASON:
        reason = reason[:MAX_CLOSE_REASON].decode("utf-8", "ignore").encode("utf-8")
    return code.to_bytes(2, "big") + reason


def parse_close_payload(payload: bytes) -> tuple[int | None, str]:
    """Return the close code, None if there is none, and the reason (RFC 6455 §5.5.1).

    Raises ProtocolError for half a code or one that may not be sent, and
    CriticalProtocolError for a reason that is not UTF-8.
    """
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise ProtocolError("close frame has a payload of 1 byte, too short for a close code")
    code = int.from_bytes(payload[:2], "big")
    # RFC 6455 §7.4: the codes that are defined, registered, or free for applications.
    if not is_valid_close_code(code):
        raise ProtocolError(f"reserved close code ({code})")
    try:
        return code, str(payload[2:], "utf-8")
    except UnicodeDecodeError as error:
        raise invalid_utf8(error, "close reason") from error


def invalid_utf8(error: UnicodeDecodeError, what: str = "text") -> CriticalProtocolError:
    """Make the error for bytes that are not UTF-8 (RFC 6455 §8.1)."""
    return CriticalProtocolError(f"{what} is not valid UTF-8: {error.reason}")


def _parse_long_length(encoded: bytes) -> int:
    length = int.from_bytes(encoded, "big")
    # RFC 6455 §5.2: "the most significant bit MUST be 0"
    if length >> 63:
        raise ProtocolError(f"payload length {length} has its most significant bit set")
    # RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length"
    if length < (LENGTH_IN_2_BYTES if len(encoded) == 2 else 1 << 16):
        raise ProtocolError(f"payload length {length} is encoded in {len(encoded)} bytes")
    return length


def _explain_first_byte(first: int) -> str:
    opcode = first & OPCODE_BITS
    if opcode not in KNOWN_OPCODES:
        return f"reserved opcode ({opcode})"
    if first & RESERVED_BITS:
        return f"reserved bits are set (first byte {first:#04x})"
    return f"control frame is fragmented (opcode {opcode})"
