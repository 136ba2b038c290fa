"""websocket-client under gevent's monkey patching, as most of gevent's users have it.

With wsaccel, as `websocket-client[optional]` installs it. `create_connection` and `recv` rather
than `WebSocketApp`, which adds a dispatcher and callbacks to the same calls.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import ssl  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from functools import cache  # noqa: E402
from time import perf_counter  # noqa: E402

import websocket  # noqa: E402
from greenlets import run  # noqa: E402
from work import GO, Message, Times, Work  # noqa: E402


@cache
def share_options(cafile: str | None) -> dict[str, object]:
    """Return TLS options with one context for all connections, which spares most of its cost."""
    return {} if cafile is None else {"context": ssl.create_default_context(cafile=cafile)}


class Connection:
    """A WebSocket with websocket-client's default settings."""

    def __init__(self, work: Work, url: str) -> None:
        self.websocket = websocket.create_connection(url, sslopt=share_options(work.cafile))

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, receive."""
        receive = self.websocket.recv
        for message in messages:
            if isinstance(message, str):
                self.websocket.send(message)
            else:
                self.websocket.send_binary(message)
            answer = receive()
            times.append(perf_counter())
        return answer

    def flood(self, count: int) -> object:
        """Count the texts."""
        receive = self.websocket.recv
        self.websocket.send(GO)
        for _ in range(count):
            message = receive()
        return message

    def rest(self) -> None:
        """Wait for a message that does not come."""
        self.websocket.recv()


if __name__ == "__main__":
    run(Connection)
