"""The server that all clients talk to: picows on uvloop, in a process and on a core of its own.

    python server.py --cpu 0 [--tls DIRECTORY]

It prints a line of JSON with its `port` (and `cafile`, an authority made for this run), and ends
when its standard input does, so that it never outlives the suite.

| path | what it does |
|---|---|
| /echo | sends each message back |
| /deflate | the same with permessage-deflate, if that is offered |
| /flood/N | after the first message, sends N texts as fast as they are taken (0: for ever) |

It should never be what is waited for, so it does as little as possible: a flood consists of
blocks of frames made in advance, and what came compressed is sent back as it came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import sys
from pathlib import Path

import trustme
import uvloop
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

HOST = "127.0.0.1"
BACKLOG = 4096
MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)

FLOOD_FRAME = b"\x81\x20" + b"b" * 32
BLOCK_FRAMES = 1024
FLOOD_BLOCK = FLOOD_FRAME * BLOCK_FRAMES


class Echo(WSListener):
    """Send each frame back as it came.

    That holds for compressed ones, too: both directions are agreed to be compressed in the same
    way, and what comes back is the same messages in the same order, so the same bytes are valid.
    """

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer one frame; picows answers pings by itself."""
        if frame.msg_type in MESSAGES:
            payload = frame.get_payload_as_memoryview()
            transport.send(frame.msg_type, payload, frame.fin, frame.rsv1)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


class Flood(WSListener):
    """Send texts from the first message on, block by block, while the transport takes them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count or sys.maxsize
        self._is_paused = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Begin."""
        self._transport = transport
        if frame.msg_type in MESSAGES:
            self._pump()

    def pause_writing(self) -> None:
        """Stop: the client takes no more."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._pump()

    def _pump(self) -> None:
        if self._is_paused or self._transport.is_disconnected or not self._left:
            return
        frames = min(self._left, BLOCK_FRAMES)
        self._left -= frames
        self._transport.underlying_transport.write(FLOOD_BLOCK[: frames * len(FLOOD_FRAME)])
        # The others have their turn in between.
        asyncio.get_running_loop().call_soon(self._pump)


def choose_listener(request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
    """Return what the path asks for."""
    _, kind, *count = bytes(request.path).decode().split("/")
    if kind == "flood":
        return Flood(int(count[0]))
    offers = request.headers.get("Sec-WebSocket-Extensions")
    if kind == "deflate" and offers:
        response = WSUpgradeResponse.create_101_response(
            {"Sec-WebSocket-Extensions": agree_to(offers)}
        )
        return WSUpgradeResponseWithListener(response, Echo())
    return Echo()


def agree_to(offers: str) -> str:
    """Return the answer to an offer of permessage-deflate (RFC 7692 §7.1): all it asks for.

    A parameter without a value is a permission, not a wish, and needs no answer.
    """
    name, *parameters = (part.strip() for part in offers.split(",")[0].split(";"))
    asked = [item for item in parameters if "=" in item or item.endswith("takeover")]
    return "; ".join([name, *asked])


def make_certificate(directory: Path) -> tuple[ssl.SSLContext, str]:
    """Return a context with a certificate of this host, and the file of its authority."""
    authority = trustme.CA()
    cafile = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(cafile))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    return context, str(cafile)


async def serve(options: argparse.Namespace) -> None:
    """Serve until standard input ends."""
    context, cafile = make_certificate(options.tls) if options.tls else (None, None)
    server = await ws_create_server(choose_listener, HOST, 0, ssl=context, backlog=BACKLOG)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"port": port, "cafile": cafile}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


def main() -> None:
    """Read the options, move to the core, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--tls", type=Path)
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    uvloop.run(serve(options))
    # Closing ten thousand connections one by one is not worth waiting for.
    os._exit(0)


if __name__ == "__main__":
    main()
