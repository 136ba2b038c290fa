"""A WebSocket server for the examples: picows, on asyncio, in a process of its own.

    python examples/server.py --port 8765

It prints its address, and runs until Ctrl-C. With `--until-eof` it runs until its standard input
ends, so that it never outlives the program that started it (see `local_server`).

| path | what it does |
|---|---|
| /ticker | sends the texts "0", "1" and "2", half a second apart, and closes |
| /chat | sends each text to everybody who is there |
| /echo, and any other | sends each message back |

This is the other side of the wire: nothing of lomond is in here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ssl
import sys

try:
    from picows import (
        WSCloseCode,
        WSFrame,
        WSListener,
        WSMsgType,
        WSTransport,
        WSUpgradeRequest,
        ws_create_server,
    )
except ImportError:
    sys.exit("the server is picows, which is not installed: pip install 'picows>=2.3,<3'")

MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)

TICKS = 3
TICK_INTERVAL = 0.5  # seconds


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


class Chat(Echo):
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
        for member in self._room:
            member.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)


class Ticker(Echo):
    """Count, and hang up: a server that is restarted now and then."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to count."""
        self._counting = asyncio.ensure_future(self._count(transport))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Count no more."""
        self._counting.cancel()

    async def _count(self, transport: WSTransport) -> None:
        for number in range(TICKS):
            transport.send(WSMsgType.TEXT, str(number).encode())
            await asyncio.sleep(TICK_INTERVAL)
        transport.send_close(WSCloseCode.GOING_AWAY, b"back in a moment")


async def serve(options: argparse.Namespace) -> None:
    """Serve until this is cancelled, or until standard input ends."""
    room: set[WSTransport] = set()

    def choose_listener(request: WSUpgradeRequest) -> Echo:
        path = bytes(request.path).partition(b"?")[0]
        if path == b"/chat":
            return Chat(room)
        return Ticker() if path == b"/ticker" else Echo()

    context = None
    if options.certfile is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certfile)
    server = await ws_create_server(
        choose_listener, options.host, options.port, ssl=context, backlog=1024
    )
    scheme = "ws" if context is None else "wss"
    port = server.sockets[0].getsockname()[1]
    print(f"{scheme}://{options.host}:{port}", flush=True)
    if options.until_eof:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    else:
        await server.serve_forever()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free one")
    parser.add_argument("--certfile", help="PEM file of key and certificate chain: serve wss://")
    parser.add_argument("--until-eof", action="store_true", help="end with standard input")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
