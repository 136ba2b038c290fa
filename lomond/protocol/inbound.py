"""What the peer sends after the upgrade, in bounded batches of events.

`frames` and `messages` are put to work here: messages, pings and pongs come out
as events, up to the first thing that changes the state of the connection, a
Close frame or a violation. That ends the stream, and what it leads to is for
`client` to say.
"""

from __future__ import annotations

from lomond.errors import CriticalProtocolError, ProtocolError
from lomond.events import Event, Ping, Pong, Text
from lomond.protocol.deflate import Inflater
from lomond.protocol.frames import FrameReader, Piece
from lomond.protocol.messages import MessageBuilder
from lomond.protocol.opcodes import CONTROL_BIT, WHOLE_CLOSE, WHOLE_PING
from lomond.protocol.outgoing import Outgoing

MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 1 << 20
NOTHING = memoryview(b"")

Violation = ProtocolError | CriticalProtocolError


class InboundStream:
    """Turn bytes into batches of at most 1,000 events or 1 MiB of payload."""

    __slots__ = (
        "_builder",
        "_inflater",
        "_max_fragments",
        "_max_size",
        "_pongs",
        "_reader",
        "_received_time",
        "_unread",
        "bytes_missing",
        "end",
        "has_more",
        "messages",
    )

    def __init__(
        self,
        max_size: int,
        max_fragments: int,
        inflater: Inflater | None,
        pongs: Outgoing | None,
    ) -> None:
        """Start behind the answer to the upgrade; `pongs` takes the answer to each Ping."""
        self._reader = FrameReader(max_size, compressed=inflater is not None)
        self._max_size = max_size
        self._max_fragments = max_fragments
        self._inflater = inflater
        # Made when it is needed: most connections never see a message that is not whole.
        self._builder: MessageBuilder | None = None
        self._pongs = pongs
        self._received_time = 0.0
        # What was not given to the reader, being more than fits a batch.
        self._unread = NOTHING
        self.has_more = False
        """Whether `read` may return more without further bytes."""
        self.end: bytes | Violation | None = None
        """What ended the stream: the payload of the Close frame, or a violation."""
        self.messages = 0
        """Messages received."""
        self.bytes_missing = 0
        """How much of the data frame under way is still to come."""

    @property
    def bytes_unfinished(self) -> int:
        """Return how much has come of what is not complete; nothing counts behind a Close."""
        held = 0 if self._builder is None else self._builder.bytes_held
        if isinstance(self.end, bytes):
            return held
        return held + self._reader.unread + len(self._unread)

    def feed(self, data: bytes, received_time: float) -> None:
        """Add bytes from the peer, best when there is nothing more to read."""
        if self._unread or len(data) > MAX_BATCH_BYTES:
            data = bytes(self._unread) + data
            self._unread = memoryview(data)[MAX_BATCH_BYTES:]
            data = data[:MAX_BATCH_BYTES]
        self._received_time = received_time
        self._reader.feed(data)
        self.has_more = True

    def read(self) -> list[Event]:
        """Return the next events, none if bytes are missing or the stream has ended."""
        batch: list[Event] = []
        if self.end is not None:
            return batch
        try:
            piece = self._reader.read(batch, self._received_time, MAX_BATCH_EVENTS)
            is_full = len(batch) >= MAX_BATCH_EVENTS if piece is None else self._add(piece, batch)
        except (ProtocolError, CriticalProtocolError) as error:
            self.end = error
            is_full = False
        if self._unread and not is_full:
            # The reader has nothing more that is whole: it gets what comes next.
            self._reader.feed(bytes(self._unread[:MAX_BATCH_BYTES]))
            # Of an empty view, too, the whole buffer hangs.
            self._unread = self._unread[MAX_BATCH_BYTES:] or NOTHING
            is_full = True
        self.has_more = is_full
        self.messages += len(batch)
        return batch

    def drop(self) -> None:
        """Forget what is not complete, once nothing will complete it; nothing can be read then."""
        self._unread = NOTHING
        self._reader.drop()
        self._builder = self._inflater = None

    def _add(self, piece: Piece | None, batch: list[Event]) -> bool:
        """Add what a piece, and all that follow it, mean; tell whether the batch is full."""
        reader, received_time = self._reader, self._received_time
        builder = self._builder
        inflated = 0
        while piece is not None:
            first, payload, missing = piece
            if first == WHOLE_CLOSE:
                self.end = payload
                return False
            if first & CONTROL_BIT:
                batch.append(self._receive_ping_or_pong(first, payload))
            else:
                self.bytes_missing = missing
                if builder is None:
                    builder = self._builder = self._make_builder()
                message = builder.add(first, payload, missing, received_time)
                reader.between_messages = builder.is_idle
                if message is not None:
                    batch.append(message)
                    inflated += size_of(message)
                    if inflated > MAX_BATCH_BYTES:
                        return True
            piece = reader.read(batch, received_time, MAX_BATCH_EVENTS - len(batch))
        return len(batch) >= MAX_BATCH_EVENTS

    def _make_builder(self) -> MessageBuilder:
        return MessageBuilder(self._max_size, self._max_fragments, self._inflater)

    def _receive_ping_or_pong(self, first: int, payload: bytes) -> Ping | Pong:
        # It is counted with its batch, but is not a message.
        self.messages -= 1
        if first != WHOLE_PING:
            return Pong(payload, self._received_time)
        # RFC 6455 §5.5.2: "an endpoint MUST send a Pong frame in response, unless it already
        # received a Close frame"
        if self._pongs is not None:
            self._pongs.add_pong(payload)
        return Ping(payload, self._received_time)


def size_of(event: Event) -> int:
    """Return the size of what an event carries, inflated."""
    return len(event.text if isinstance(event, Text) else getattr(event, "data", b""))
