"""The suite's server, with one more path for what goes to everybody: picows on uvloop.

    python -m benchmarks.locust.server --cpu 0

| path | what it does |
|---|---|
| /push/RATE/N | after the first message, sends N texts, RATE a second, all connections at once |
| /echo, /flood/N | see `benchmarks/server.py` |

It prints its address, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import uvloop
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from benchmarks.server import BACKLOG, HOST, MESSAGES, choose_listener

TEXT = b"b" * 32


class Push(WSListener):
    """Send texts at a steady rate, at the same moments on all connections."""

    def __init__(self, interval: float, count: int) -> None:
        super().__init__()
        self._interval = interval
        self._left = count

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Begin."""
        if frame.msg_type in MESSAGES:
            loop = asyncio.get_running_loop()
            self._due = (loop.time() // self._interval + 1) * self._interval
            loop.call_at(self._due, self._send, transport)

    def _send(self, transport: WSTransport) -> None:
        if transport.is_disconnected:
            return
        transport.send(WSMsgType.TEXT, TEXT)
        self._left -= 1
        if self._left:
            self._due += self._interval
            asyncio.get_running_loop().call_at(self._due, self._send, transport)


def choose(request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
    """Return what the path asks for."""
    _, kind, *numbers = bytes(request.path).decode().split("/")
    if kind == "push":
        return Push(1 / float(numbers[0]), int(numbers[1]))
    return choose_listener(request)


async def serve() -> None:
    """Serve until standard input ends."""
    server = await ws_create_server(choose, HOST, 0, backlog=BACKLOG)
    print(f"ws://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


def main() -> None:
    """Read the options, move to the core, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", type=int)
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    uvloop.run(serve())
    # Closing thousands of connections one by one is not worth waiting for.
    os._exit(0)


if __name__ == "__main__":
    main()
