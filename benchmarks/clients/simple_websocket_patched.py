"""simple-websocket under gevent's monkey patching, so that its thread is a greenlet."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import ssl  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from functools import cache  # noqa: E402
from time import perf_counter  # noqa: E402

from greenlets import run  # noqa: E402
from simple_websocket import Client  # noqa: E402
from work import GO, Message, Times, Work  # noqa: E402


@cache
def share_context(cafile: str) -> ssl.SSLContext:
    """Return the one context for all connections."""
    return ssl.create_default_context(cafile=cafile)


class Connection:
    """A WebSocket with simple-websocket's default settings (no pings)."""

    def __init__(self, work: Work, url: str) -> None:
        context = None if work.cafile is None else share_context(work.cafile)
        self.websocket = Client(url, ssl_context=context)

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, receive."""
        send, receive = self.websocket.send, self.websocket.receive
        for message in messages:
            send(message)
            answer = receive()
            times.append(perf_counter())
        return answer

    def flood(self, count: int) -> object:
        """Count the texts."""
        receive = self.websocket.receive
        self.websocket.send(GO)
        for _ in range(count):
            message = receive()
        return message

    def rest(self) -> None:
        """Wait for a message that does not come."""
        self.websocket.receive()


if __name__ == "__main__":
    run(Connection)
