"""A server of the `picows` package, which knows no compression."""

from __future__ import annotations

import asyncio

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

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


class Conversation(WSListener):
    """Talk with one client, who sends no fragments."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a frame; pings are answered already."""
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and payload == b"close":
            transport.send_close(CLOSE_CODE, CLOSE_REASON.encode())
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            if payload == b"ping":
                transport.send_ping(PING)
            transport.send(frame.msg_type, payload)


def begin(_request: WSUpgradeRequest) -> Conversation:
    """Take every client."""
    return Conversation()


async def main() -> None:
    """Serve until standard input ends."""
    context = make_context(parse_options())
    server = await ws_create_server(
        begin, HOST, 0, ssl=context, max_frame_size=MAX_MESSAGE_SIZE, logger_name="conversation"
    )
    announce(server.sockets[0].getsockname()[1])
    await until_input_ends()
    server.close()


asyncio.run(main())
