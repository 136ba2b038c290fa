"""An asyncio protocol on uvloop with no WebSocket in it: the floor of the other world.

It sends frames that were built before, and counts the bytes that come: it knows how many there
will be. Of the answer to the upgrade it looks for the end, no more.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from functools import cache
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from frames import BUFFER_SIZE, FLOOD_SIZE, GO_FRAME, MASK_SIZE, build_frame, build_request
from tasks import run
from work import FLOODED, Message, Times, Work

# One for all: nothing that comes is kept.
BUFFER = bytearray(BUFFER_SIZE)


@cache
def share_context(cafile: str) -> ssl.SSLContext:
    """Return the one context for all connections."""
    return ssl.create_default_context(cafile=cafile)


class Connection(asyncio.BufferedProtocol):
    """A transport, over which an upgrade was asked for; what follows happens in callbacks."""

    def __init__(self, url: str) -> None:
        self.request = build_request(url)
        self.done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.answer = b""
        self.last: Message = None
        self.take = self.take_answer

    # uvloop's transport is none of asyncio's classes.
    def connection_made(self, transport: Any) -> None:
        """Ask for the upgrade."""
        self.transport = transport
        transport.write(self.request)

    def get_buffer(self, size_hint: int) -> bytearray:
        """Return where bytes may go."""
        return BUFFER

    def buffer_updated(self, size: int) -> None:
        """Take what came, as whatever is due."""
        self.take(size)

    def take_answer(self, size: int) -> None:
        """Look for the end of the answer to the upgrade."""
        self.answer += BUFFER[:size]
        if self.answer.endswith(b"\r\n\r\n"):
            self.done.set_result(None)

    def take_echo(self, size: int) -> None:
        """Count an answer, and go on when it is complete."""
        self.left -= size
        if not self.left:
            self.times.append(perf_counter())
            self.send_next()

    def take_flood(self, size: int) -> None:
        """Count bytes."""
        self.left -= size
        if not self.left:
            self.done.set_result(FLOODED)

    def send_next(self) -> None:
        """Send the next message, if there is one."""
        message = next(self.messages, None)
        if message is None:
            self.done.set_result(self.last)
            return
        self.last = message
        frame = build_frame(message)
        self.left = len(frame) - MASK_SIZE
        self.transport.write(frame)

    async def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, and count what comes back."""
        self.messages, self.times = messages, times
        self.take = self.take_echo
        self.done = asyncio.get_running_loop().create_future()
        self.send_next()
        return await self.done

    async def flood(self, count: int) -> object:
        """Count bytes."""
        self.left = count * FLOOD_SIZE
        self.take = self.take_flood
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(GO_FRAME)
        return await self.done

    async def rest(self) -> None:
        """Wait for the end."""
        self.done = asyncio.get_running_loop().create_future()
        await self.done

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server has closed"))


async def connect(work: Work, url: str) -> Connection:
    """Connect and wait for the answer to the upgrade."""
    parts = urlsplit(url)
    context = None if work.cafile is None else share_context(work.cafile)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        lambda: Connection(url), parts.hostname or "", parts.port or 80, ssl=context
    )
    await connection.done
    return connection


if __name__ == "__main__":
    run(connect)
