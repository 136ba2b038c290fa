"""picows on uvloop: callbacks for frames, compiled."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from functools import cache
from time import perf_counter

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from tasks import run
from work import GO, Message, Times, Work

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY


@cache
def share_context(cafile: str) -> ssl.SSLContext:
    """Return the one context for all connections."""
    return ssl.create_default_context(cafile=cafile)


class Connection(WSListener):
    """A listener with picows' default settings (no automatic pings, frames up to 10 MiB).

    Payloads become `str` or `bytes`, as with all others: a view of picows' buffer would be
    cheaper, and be gone after the callback.
    """

    transport: WSTransport
    messages: Iterator[Message]
    times: Times
    done: asyncio.Future[object]
    left_of_flood = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep it for sending."""
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count one of a flood, or answer an answer with the next message."""
        if frame.msg_type == TEXT:
            received: Message = frame.get_payload_as_utf8_text()
        elif frame.msg_type == BINARY:
            received = frame.get_payload_as_bytes()
        else:
            return
        if self.left_of_flood:
            self.left_of_flood -= 1
            if not self.left_of_flood:
                self.done.set_result(received)
            return
        self.times.append(perf_counter())
        message = next(self.messages, None)
        if message is None:
            self.done.set_result(received)
        else:
            self.send(message)

    def send(self, message: Message) -> None:
        """Send one message."""
        if isinstance(message, str):
            self.transport.send(TEXT, message.encode())
        else:
            self.transport.send(BINARY, message)

    async def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, and let the callback do the rest."""
        self.messages, self.times = messages, times
        self.done = asyncio.get_running_loop().create_future()
        self.send(next(messages))
        return await self.done

    async def flood(self, count: int) -> object:
        """Let the callback count."""
        self.left_of_flood = count
        self.done = asyncio.get_running_loop().create_future()
        self.send(GO)
        return await self.done

    async def rest(self) -> None:
        """Wait for the end."""
        await self.transport.wait_disconnected()


async def connect(work: Work, url: str) -> Connection:
    """Open a WebSocket."""
    context = None if work.cafile is None else share_context(work.cafile)
    _, listener = await ws_connect(Connection, url, ssl_context=context)
    assert isinstance(listener, Connection)
    return listener


if __name__ == "__main__":
    run(connect)
