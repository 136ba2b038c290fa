"""A server of the `tornado` package."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

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


class Conversation(WebSocketHandler):
    """Talk with one client."""

    def get_compression_options(self) -> dict[str, Any] | None:
        """Say whether to agree to permessage-deflate."""
        return {} if OPTIONS.compress else None

    async def on_message(self, message: str | bytes) -> None:
        """Answer a message."""
        if message == "close":
            self.close(CLOSE_CODE, CLOSE_REASON)
            return
        if message == "ping":
            self.ping(PING)
        await self.write_message(message, binary=isinstance(message, bytes))


async def main() -> None:
    """Serve until standard input ends."""
    application = Application(
        [("/", Conversation)],
        websocket_max_message_size=MAX_MESSAGE_SIZE,
        websocket_ping_interval=0,
    )
    server = HTTPServer(application, ssl_options=make_context(OPTIONS))
    sockets = bind_sockets(0, HOST)
    server.add_sockets(sockets)
    announce(sockets[0].getsockname()[1])
    await until_input_ends()
    server.stop()


asyncio.run(main())
