"""The shop of `http_and_websocket.py`: two pages and a WebSocket on one port, by `websockets`.

    python examples/locust/shop_server.py --port 8766

It prints its address, and runs until Ctrl-C, or with `--until-eof` until its standard input ends.

| path | what it does |
|---|---|
| /token | gives a token, as JSON |
| /prices | tells what there is, as JSON |
| /orders | a WebSocket for those with a token, which confirms each order |

This is the other side of the wire: nothing of lomond is in here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from http import HTTPStatus

try:
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.http11 import Request, Response
except ImportError:
    sys.exit("the server is websockets, which is not installed: pip install websockets")

TOKEN = "an open secret"
PAGES = {"/token": {"token": TOKEN}, "/prices": {"kelp": 3, "trout": 7}}


def answer(connection: ServerConnection, request: Request) -> Response | None:
    """Answer the request for a page; None lets one for a WebSocket go on."""
    if request.path in PAGES:
        return connection.respond(HTTPStatus.OK, json.dumps(PAGES[request.path]))
    if request.path != "/orders":
        return connection.respond(HTTPStatus.NOT_FOUND, "there is no such page\n")
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return connection.respond(HTTPStatus.UNAUTHORIZED, "get a token first\n")
    return None


async def confirm(connection: ServerConnection) -> None:
    """Confirm the orders of a customer."""
    async for message in connection:
        order = json.loads(message)
        status = "accepted" if order["item"] in PAGES["/prices"] else "there is none"
        await connection.send(json.dumps({"order": order["number"], "status": status}))


async def run(options: argparse.Namespace) -> None:
    """Serve until this is cancelled, or until standard input ends."""
    async with serve(
        confirm, options.host, options.port, process_request=answer, compression=None
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"http://{options.host}:{port}", flush=True)
        if options.until_eof:
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        else:
            await server.serve_forever()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free one")
    parser.add_argument("--until-eof", action="store_true", help="end with standard input")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
