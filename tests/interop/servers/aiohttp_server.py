"""A server of the `aiohttp` package."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

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

OPTIONS = parse_options()


async def converse(request: web.Request) -> web.WebSocketResponse:
    """Talk with one client."""
    websocket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_SIZE, compress=OPTIONS.compress)
    await websocket.prepare(request)
    async for message in websocket:
        if message.type == WSMsgType.BINARY:
            await websocket.send_bytes(message.data)
        elif message.data == "close":
            await websocket.close(code=CLOSE_CODE, message=CLOSE_REASON.encode())
        else:
            if message.data == "ping":
                await websocket.ping(PING)
            await websocket.send_str(message.data)
    return websocket


async def main() -> None:
    """Serve until standard input ends."""
    application = web.Application()
    application.router.add_get("/", converse)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0, ssl_context=make_context(OPTIONS)).start()
    announce(runner.addresses[0][1])
    await until_input_ends()
    await runner.cleanup()


asyncio.run(main())
