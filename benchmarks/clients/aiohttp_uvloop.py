"""aiohttp's client, on uvloop and with its compiled parser and masking."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import cache
from time import perf_counter
from typing import Any

import aiohttp
from tasks import run
from work import GO, Message, Times, Work

TEXT = aiohttp.WSMsgType.TEXT


@cache
def share_session(cafile: str | None) -> aiohttp.ClientSession:
    """Return the one session of this process, as aiohttp advises.

    Its pool ends at 100 connections by default, which is meant for requests: no limit.
    """
    context = True if cafile is None else ssl.create_default_context(cafile=cafile)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=context))


class Connection:
    """A WebSocket with aiohttp's default settings (no heartbeat, messages up to 4 MiB)."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse[Any]) -> None:
        self.websocket = websocket

    async def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, receive."""
        websocket = self.websocket
        for message in messages:
            if isinstance(message, str):
                await websocket.send_str(message)
            else:
                await websocket.send_bytes(message)
            answer = await websocket.receive()
            times.append(perf_counter())
        return answer.data

    async def flood(self, count: int) -> object:
        """Count the texts."""
        await self.websocket.send_str(GO)
        async for message in self.websocket:
            if message.type == TEXT:
                count -= 1
                if not count:
                    return message.data
        return None

    async def rest(self) -> None:
        """Receive, which is how aiohttp comes to answer pings."""
        async for _ in self.websocket:
            pass


async def connect(work: Work, url: str) -> Connection:
    """Open a WebSocket."""
    session = share_session(work.cafile)
    return Connection(await session.ws_connect(url, compress=15 if work.compress else 0))


if __name__ == "__main__":
    run(connect)
