"""RFC 6455 §5.2 in a few lines, for tests: frames as a server writes and reads them.

Nothing here comes from the packages under test, and nothing may: these bytes are what those are
held against. Tests of single rules write their bytes out by hand instead.
"""

from __future__ import annotations

import struct

__all__ = [
    "close_payload",
    "missing_bytes",
    "parse_client_frames",
    "server_frame",
    "take_client_frame",
]


def server_frame(first_byte: int, payload: bytes = b"") -> bytes:
    """Build one unmasked frame; `first_byte` holds FIN, RSV1 to RSV3 and the opcode."""
    size = len(payload)
    if size <= 125:
        head = struct.pack("!BB", first_byte, size)
    elif size <= 0xFFFF:
        head = struct.pack("!BBH", first_byte, 126, size)
    else:
        head = struct.pack("!BBQ", first_byte, 127, size)
    return head + payload


def close_payload(code: int, reason: str = "") -> bytes:
    """Build what a Close frame carries."""
    return struct.pack("!H", code) + reason.encode()


def missing_bytes(stream: bytes) -> int:
    """Return how many bytes a server's last frame still needs; 0 where its head is cut short."""
    start = 0
    while len(stream) >= start + 2:
        extra = {126: 2, 127: 8}.get(stream[start + 1], 0)
        head_end = start + 2 + extra
        if len(stream) < head_end:
            return 0
        size = int.from_bytes(stream[start + 2 : head_end], "big") if extra else stream[start + 1]
        start = head_end + size
    return max(0, start - len(stream))


def take_client_frame(data: bytes | bytearray, start: int = 0) -> tuple[int, bytes, int] | None:
    """Read the frame of a client that begins at `start`: first byte, unmasked payload, its end.

    None where the frame is not complete yet. A frame that is not masked is an AssertionError.
    """
    if len(data) < start + 2:
        return None
    first_byte, second_byte = data[start], data[start + 1]
    if not second_byte & 0x80:
        raise AssertionError(
            f"frame of a client is not masked: {data[start : start + 16].hex(' ')}"
        )
    extra = {126: 2, 127: 8}.get(second_byte & 0x7F, 0)
    key_start = start + 2 + extra
    size = int.from_bytes(data[start + 2 : key_start], "big") if extra else second_byte & 0x7F
    end = key_start + 4 + size
    if len(data) < end:
        return None
    mask = (data[key_start : key_start + 4] * (size // 4 + 1))[:size]
    payload = int.from_bytes(data[key_start + 4 : end], "big") ^ int.from_bytes(mask, "big")
    return first_byte, payload.to_bytes(size, "big"), end


def parse_client_frames(data: bytes | bytearray) -> list[tuple[int, bytes]]:
    """Read whole frames of a client into (first byte, unmasked payload).

    A frame that is cut short or not masked is an AssertionError.
    """
    frames = []
    start = 0
    while start < len(data):
        taken = take_client_frame(data, start)
        if taken is None:
            raise AssertionError(f"frame of a client is cut short: {data[start:].hex(' ')[:48]}")
        first_byte, payload, start = taken
        frames.append((first_byte, payload))
    return frames
