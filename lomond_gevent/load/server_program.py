"""The embedded server: picows, on asyncio, in a process of its own. Run as a file, not imported.

It prints its address, and runs until its standard input ends, so that it never outlives the
program that started it (`server`).

| path | what it does |
|---|---|
| /flood?size=64 | sends texts of that size as fast as they are taken |
| /fanout | sends each message to everybody who is there |
| /echo, and any other | sends each message back |

This is the other side of the wire: nothing of this project is in here.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from urllib.parse import parse_qs

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)
BACKLOG = 4096
FLOOD_BLOCK = 1 << 16


class Echo(WSListener):
    """Send each frame back, as whatever it was: a message in pieces comes back in pieces."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer one frame; pings are answered by picows itself."""
        if frame.msg_type in MESSAGES:
            self.on_data(transport, frame)
        elif frame.msg_type == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def on_data(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a frame of a message."""
        transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)


class Fanout(Echo):
    """Send each frame to everybody who is there."""

    def __init__(self, room: set[WSTransport]) -> None:
        super().__init__()
        self._room = room

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Enter."""
        self._room.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Leave."""
        self._room.discard(transport)

    def on_data(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass it on, to the one who sent it as well."""
        payload = frame.get_payload_as_bytes()
        for member in self._room:
            member.send(frame.msg_type, payload, frame.fin)


class Flood(Echo):
    """Send blocks of frames that were made in advance, while the transport takes them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        frame = make_text_frame(b"f" * size)
        self._block = frame * max(1, FLOOD_BLOCK // len(frame))
        self._is_paused = False
        self._is_closing = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport
        asyncio.get_running_loop().call_soon(self._pump)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """End with the client's Close frame."""
        self._is_closing = self._is_closing or frame.msg_type == WSMsgType.CLOSE
        super().on_ws_frame(transport, frame)

    def on_data(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take no notice."""

    def pause_writing(self) -> None:
        """Stop: the client takes no more."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._pump()

    def _pump(self) -> None:
        if self._is_paused or self._is_closing or self._transport.is_disconnected:
            return
        self._transport.underlying_transport.write(self._block)
        # The others have their turn in between.
        asyncio.get_running_loop().call_soon(self._pump)


def make_text_frame(payload: bytes) -> bytes:
    """Return a whole text frame as a server sends it: RFC 6455 §5.2."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


async def serve() -> None:
    """Serve until standard input ends."""
    room: set[WSTransport] = set()

    def choose_listener(request: WSUpgradeRequest) -> Echo:
        path, _, query = bytes(request.path).decode("ascii", "replace").partition("?")
        if path == "/flood":
            return Flood(int(parse_qs(query).get("size", ["64"])[0]))
        return Fanout(room) if path == "/fanout" else Echo()

    server = await ws_create_server(choose_listener, "127.0.0.1", 0, backlog=BACKLOG)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve())
