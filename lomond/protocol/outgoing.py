"""What is to be written: frames in the order in which the protocol made them.

The session empties the queue with `take` only once all that it took before is
with the kernel; until then it says so by `is_congested`. What may be sent when
does not belong here.
"""

from __future__ import annotations

from lomond.protocol.deflate import Deflater
from lomond.protocol.frames import LongFrame, build_frame
from lomond.protocol.opcodes import CONTROL_BIT, RSV1, WHOLE_CLOSE, WHOLE_PONG

# How much of a longer payload, in bytes, is masked at a time, as the kernel takes it. With whole
# frames of a MiB the allocator gave pages back, and took fresh ones, for each: an echo took
# 1,241 µs of CPU, with pieces of 512 KiB 1,153, of 256 KiB 1,309 (picows 1,351).
LONG = 512 * 1024


class Outgoing:
    """Queue frames, and answer pings without piling up pongs.

    While the peer reads, every Ping is answered. Once it does not, only the
    newest Pong is kept, so a flood of pings takes no memory.
    """

    __slots__ = (
        "_is_ended",
        "_latest_pong",
        "_long",
        "bytes_queued",
        "deflater",
        "frames",
        "gives_pieces",
        "is_congested",
        "messages",
    )

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        """What is queued, but for a Pong that is held back; only looked at from outside."""
        self._latest_pong: bytes | None = None
        # What is to come of a long frame, in front of all others.
        self._long: LongFrame | None = None
        self.gives_pieces = False
        """Set by who calls `take` until nothing is left: of a long frame it gives pieces then."""
        # Set by the Close frame, behind which nothing may be sent.
        self._is_ended = False
        self.deflater: Deflater | None = None
        """Set once compression was agreed on."""
        self.messages = 0
        """Messages ever queued."""
        self.bytes_queued = 0
        """Bytes ever queued, headers included."""
        self.is_congested = False
        """Set by the session while the kernel does not take what was queued."""

    def add(self, first: int, payload: bytes) -> None:
        """Queue a frame with this first byte."""
        if len(payload) > LONG and self._can_give_pieces(first, payload):
            self._add_long(first, payload)
            return
        frame = build_frame(first, payload)
        self.bytes_queued += len(frame)
        self.frames.append(frame)

    def _can_give_pieces(self, first: int, payload: bytes) -> bool:
        is_first = self._long is None and not self.frames
        # What is no bytes may change until it is masked; a control frame of this size is refused.
        return self.gives_pieces and is_first and type(payload) is bytes and not first & CONTROL_BIT

    def _add_long(self, first: int, payload: bytes) -> None:
        self._long = LongFrame(first, payload)
        self.bytes_queued += len(self._long)
        # There is more to take, until nothing is left.
        self.is_congested = True

    def add_message(self, first: int, payload: bytes, compress: bool) -> None:
        """Queue a whole message, compressed if that was agreed on and is asked for."""
        deflater = self.deflater
        if deflater is not None and compress and deflater.can_compress:
            first |= RSV1
            payload = deflater.deflate(payload)
        self.messages += 1
        self.add(first, payload)

    def add_raw(self, data: bytes) -> None:
        """Queue bytes that are no frame: the upgrade request."""
        self.bytes_queued += len(data)
        self.frames.append(data)

    def add_pong(self, payload: bytes) -> None:
        """Queue the answer to a Ping, unless a Close frame was queued."""
        # RFC 6455 §5.5.3: "If an endpoint receives a Ping frame and has not yet sent Pong
        # frame(s) in response to previous Ping frame(s), the endpoint MAY elect to send a Pong
        # frame for only the most recently processed Ping frame."
        if self._is_ended:
            return
        if self.is_congested:
            self._latest_pong = payload
        else:
            self._latest_pong = None
            self.add(WHOLE_PONG, payload)

    def add_close(self, payload: bytes) -> None:
        """Queue the Close frame, the last one."""
        # RFC 6455 §5.5.1: "The application MUST NOT send any more data frames after sending a
        # Close frame"; a Pong that waits for the kernel would come behind it, too.
        self._latest_pong = None
        self._is_ended = True
        self.add(WHOLE_CLOSE, payload)

    def take(self) -> bytes:
        """Empty the queue: return all that is to be written, b"" if there is nothing.

        Of a long frame, where it `gives_pieces`: one, and while `is_congested` there may be more.
        """
        if self._long is not None:
            piece = self._long.build_piece(LONG)
            if piece:
                return piece
            self._long = None
        if self._latest_pong is not None:
            pong, self._latest_pong = self._latest_pong, None
            self.add(WHOLE_PONG, pong)
        frames = self.frames
        if len(frames) < 2:
            return frames.pop() if frames else b""
        data = b"".join(frames)
        frames.clear()
        return data

    def clear(self) -> None:
        """Drop what is queued."""
        self._long = None
        self.take()
