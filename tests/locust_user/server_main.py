"""A server of the `websockets` package whose paths are traps. It ends when its input does.

| path | what it does |
|---|---|
| /echo, and any other | sends each message back |
| /greet | says "one" and "two" before that, and puts "two" behind each echo |
| /push?n=3 | sends that many texts of four bytes at once |
| /silent | takes messages, and sends nothing |
| /late?ms=300 | sends each message back after so long |
| /boom?code=1011&reason= | closes when the first message comes |
| /linger | sends a Close frame when the first message comes, and keeps TCP open |
| /skip?n=2 | sends each message back but for that one |
| /drop | resets the connection when the first message comes |
| /deaf | never answers a Close frame |
| /page | plain HTTP |
| /reject | answers the upgrade request with 401 |
| /headers | sends the request's headers as a JSON object |
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


async def converse(connection: ServerConnection) -> None:
    """Do what the path asks for, however the connection ends."""
    assert connection.request is not None
    url = urlsplit(connection.request.path)
    query = dict(parse_qsl(url.query))
    with contextlib.suppress(ConnectionClosed):
        if url.path == "/greet":
            await connection.send("one")
            await connection.send("two")
        elif url.path == "/push":
            for _ in range(int(query.get("n", "3"))):
                await connection.send("push")
        elif url.path == "/headers":
            await connection.send(json.dumps(dict(connection.request.headers.raw_items())))
        elif url.path == "/deaf":
            connection.transport.pause_reading()
            await asyncio.Event().wait()
        count = 0
        async for message in connection:
            count += 1
            if url.path != "/skip" or count != int(query["n"]):
                await answer(connection, url.path, query, message)


async def answer(
    connection: ServerConnection, path: str, query: dict[str, str], message: str | bytes
) -> None:
    """Answer one message."""
    if path == "/boom":
        await connection.close(int(query.get("code", "1011")), query.get("reason", ""))
    elif path == "/linger":
        connection.transport.write(b"\x88\x02\x03\xe8")
        connection.transport.pause_reading()
    elif path == "/drop":
        connection.transport.abort()
    elif path == "/late":
        await asyncio.sleep(int(query["ms"]) / 1000)
        await connection.send(message)
    elif path != "/silent":
        await connection.send(message)
    if path == "/greet":
        await connection.send("two")


def respond(connection: ServerConnection, request: Request) -> Response | None:
    """Answer what is no upgrade, or is to be rejected."""
    path = urlsplit(request.path).path
    if path == "/page":
        return connection.respond(HTTPStatus.OK, "page\n")
    return connection.respond(HTTPStatus.UNAUTHORIZED, "no\n") if path == "/reject" else None


async def main() -> None:
    """Serve until the standard input ends."""
    async with serve(
        converse, "127.0.0.1", 0, process_request=respond, ping_interval=None, close_timeout=0.2
    ) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        # /deaf would have to be waited for.
        os._exit(0)


asyncio.run(main())
