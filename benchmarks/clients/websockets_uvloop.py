"""websockets' asyncio client on uvloop."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import cache
from time import perf_counter

from tasks import run
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from work import GO, Message, Times, Work


@cache
def share_context(cafile: str) -> ssl.SSLContext:
    """Return the one context for all connections."""
    return ssl.create_default_context(cafile=cafile)


class Connection:
    """A WebSocket with websockets' default settings (keepalive, limits, queues)."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket

    async def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, receive."""
        send, receive = self.websocket.send, self.websocket.recv
        for message in messages:
            await send(message)
            answer = await receive()
            times.append(perf_counter())
        return answer

    async def flood(self, count: int) -> object:
        """Count the texts."""
        await self.websocket.send(GO)
        async for message in self.websocket:
            count -= 1
            if not count:
                return message
        return None

    async def rest(self) -> None:
        """Wait for a message that does not come."""
        await self.websocket.recv()


async def connect(work: Work, url: str) -> Connection:
    """Open a WebSocket."""
    context = None if work.cafile is None else share_context(work.cafile)
    compression = "deflate" if work.compress else None
    return Connection(await open_websocket(url, ssl=context, compression=compression))


if __name__ == "__main__":
    run(connect)
