"""A server of the `gevent-websocket` package under `gevent.pywsgi`, which knows no compression."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler

from tests.interop.servers.program import (
    CLOSE_CODE,
    HOST,
    PING,
    announce,
    make_context,
    parse_options,
)


def converse(environ: dict[str, Any], _start_response: Callable[..., Any]) -> list[bytes]:
    """Talk with one client."""
    websocket = environ["wsgi.websocket"]
    while (message := websocket.receive()) is not None:
        if message == "close":
            # It leaves the code out, and a reason would be taken for one.
            websocket.close(CLOSE_CODE, "")
            break
        if message == "ping":
            websocket.send_frame(PING.decode(), websocket.OPCODE_PING)
        websocket.send(message, binary=not isinstance(message, str))
    return []


def main() -> None:
    """Serve until standard input ends."""
    context = make_context(parse_options())
    tls = {} if context is None else {"ssl_context": context}
    server = WSGIServer((HOST, 0), converse, handler_class=WebSocketHandler, log=None, **tls)
    server.start()
    announce(server.server_port)
    gevent.get_hub().threadpool.apply(sys.stdin.buffer.read)
    server.stop(timeout=1)


main()
