"""Frames and a request for the clients that know no WebSocket: built before, and never parsed."""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from work import FLOODED, GO, Message

MASK_SIZE = 4
FLOOD_SIZE = 2 + len(FLOODED)
"""Bytes of one message of a flood, as the server sends it."""
BUFFER_SIZE = 256 * 1024


@cache
def build_frame(message: Message) -> bytes:
    """Return a client's frame, masked with zeros; the answer lacks those `MASK_SIZE` bytes."""
    opcode, payload = (1, message.encode()) if isinstance(message, str) else (2, message)
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes((0x80 | opcode,)) + length + bytes(MASK_SIZE) + payload


GO_FRAME = build_frame(GO)


@cache
def build_request(url: str) -> bytes:
    """Return an upgrade request, which is the same for each connection to a URL."""
    parts = urlsplit(url)
    return (
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
