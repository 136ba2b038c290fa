"""The program that `echo_server.EchoServer` starts: the `websockets` package's server.

It prints the port it was given, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

MAX_MESSAGE_SIZE = 256 * 1024 * 1024


def query_of(path: str) -> dict[str, str]:
    """Return the parameters of a request's path."""
    return dict(parse_qsl(urlsplit(path).query))


async def converse(connection: ServerConnection) -> None:
    """Do what the path of the request asks for; the connection ends by Close 1000 afterwards."""
    assert connection.request is not None
    path, query = urlsplit(connection.request.path).path, query_of(connection.request.path)
    if path == "/close":
        await connection.close(int(query.get("code", "1000")), query.get("reason", ""))
    elif path in ("/push", "/feed"):
        for number in range(int(query.get("n", "3"))):
            await connection.send(str(number))
    elif path == "/ping":
        await (await connection.ping(query.get("data", "are you there?").encode()))
        await connection.send("pong received")
    elif path == "/headers":
        await connection.send(json.dumps(list(connection.request.headers.raw_items())))
    else:
        # A client that ends without a Close is part of many tests.
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                await connection.send(message)


def reject(connection: ServerConnection, request: Request) -> Response | None:
    """Answer /reject with the status asked for, and let everything else pass."""
    if urlsplit(request.path).path != "/reject":
        return None
    query = query_of(request.path)
    response = connection.respond(HTTPStatus(int(query.get("status", "401"))), "rejected\n")
    if "retry_after" in query:
        response.headers["Retry-After"] = query["retry_after"]
    return response


def make_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    """Return the TLS context that the options describe, or None for plain TCP."""
    if options.certfile is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certfile)
    if options.client_cafile is not None:
        context.load_verify_locations(options.client_cafile)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def run(options: argparse.Namespace) -> None:
    """Serve until standard input ends."""

    def select(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in offered if name in options.subprotocol), None)

    async with serve(
        converse,
        options.host,
        0,
        ssl=make_context(options),
        compression="deflate" if options.compression else None,
        select_subprotocol=select,
        process_request=reject,
        ping_interval=None,
        close_timeout=1,
        max_size=MAX_MESSAGE_SIZE,
    ) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--certfile")
    parser.add_argument("--client-cafile")
    parser.add_argument("--compression", action="store_true")
    parser.add_argument("--subprotocol", action="append", default=[])
    asyncio.run(run(parser.parse_args()))


main()
