"""A server of the `websockets` package."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.interop.servers.program import (
    CLOSE_CODE,
    CLOSE_REASON,
    HOST,
    MAX_MESSAGE_SIZE,
    PING,
    announce,
    make_context,
    parse_options,
    until_input_ends,
)


async def converse(connection: ServerConnection) -> None:
    """Talk with one client."""
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            if message == "close":
                await connection.close(CLOSE_CODE, CLOSE_REASON)
                return
            if message == "ping":
                await connection.ping(PING)
            await connection.send(message)


async def main() -> None:
    """Serve until standard input ends."""
    options = parse_options()
    async with serve(
        converse,
        HOST,
        0,
        ssl=make_context(options),
        compression="deflate" if options.compress else None,
        max_size=MAX_MESSAGE_SIZE,
        ping_interval=None,
    ) as server:
        announce(next(iter(server.sockets)).getsockname()[1])
        await until_input_ends()


asyncio.run(main())
