"""websockets' threaded client under gevent's monkey patching, so that threads are greenlets.

websockets documents no support for gevent; people use it in this way nevertheless.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import ssl  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from functools import cache  # noqa: E402
from time import perf_counter  # noqa: E402

from greenlets import run  # noqa: E402
from websockets.sync.client import connect  # noqa: E402
from work import GO, Message, Times, Work  # noqa: E402


@cache
def share_context(cafile: str) -> ssl.SSLContext:
    """Return the one context for all connections."""
    return ssl.create_default_context(cafile=cafile)


class Connection:
    """A WebSocket with websockets' default settings (keepalive, limits, queues)."""

    def __init__(self, work: Work, url: str) -> None:
        context = None if work.cafile is None else share_context(work.cafile)
        compression = "deflate" if work.compress else None
        # A `with` that lasts as long as the process: without it there is a wrapper in between.
        self.websocket = connect(url, ssl=context, compression=compression).__enter__()

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, receive."""
        send, receive = self.websocket.send, self.websocket.recv
        for message in messages:
            send(message)
            answer = receive()
            times.append(perf_counter())
        return answer

    def flood(self, count: int) -> object:
        """Count the texts."""
        self.websocket.send(GO)
        for message in self.websocket:
            count -= 1
            if not count:
                return message
        return None

    def rest(self) -> None:
        """Wait for a message that does not come."""
        self.websocket.recv()


if __name__ == "__main__":
    run(Connection)
