"""A server of the `websockets` package that counts: what Locust tells must be what it counted.

It prints its port, ends when its standard input does, and then prints its counts as JSON. A message
says what to do with it: {"id": 1, "do": "reply"}, or "ignore", or "fail", for a Close 1011. Behind
each fifth reply of a connection comes a push.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import Counter

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PUSH_EVERY = 5

counts: Counter[str] = Counter()


async def converse(connection: ServerConnection) -> None:
    """Do what the messages of a connection say, however it ends."""
    counts["connections"] += 1
    with contextlib.suppress(ConnectionClosed):
        await obey(connection)


async def obey(connection: ServerConnection) -> None:
    """Do what each message says."""
    replies = 0
    async for message in connection:
        counts["received"] += 1
        request = json.loads(message)
        if request["do"] == "reply":
            counts["replies"] += 1
            replies += 1
            await connection.send(json.dumps({"id": request["id"]}))
            if not replies % PUSH_EVERY:
                counts["pushes"] += 1
                await connection.send(json.dumps({"event": "tick"}))
        elif request["do"] == "fail":
            counts["failed"] += 1
            await connection.close(1011, "as asked")
        else:
            counts["ignored"] += 1


async def main() -> None:
    """Serve until the standard input ends."""
    async with serve(converse, "127.0.0.1", 0, ping_interval=None, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        # Before the server closes what is still open, which nobody asked about.
        print(json.dumps(counts), flush=True)


asyncio.run(main())
