"""ws4py's client for gevent, which needs monkey patching.

With wsaccel in place of its masking and UTF-8 validation, as wsaccel's documentation shows.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import wsaccel  # noqa: E402

wsaccel.patch_ws4py()

from collections.abc import Iterator  # noqa: E402
from time import perf_counter  # noqa: E402

from greenlets import run  # noqa: E402
from work import GO, Message, Times, Work  # noqa: E402
from ws4py.client.geventclient import WebSocketClient  # noqa: E402


class Connection:
    """A WebSocket with ws4py's default settings (no heartbeat)."""

    def __init__(self, work: Work, url: str) -> None:
        options = {} if work.cafile is None else {"ca_certs": work.cafile}
        self.websocket = WebSocketClient(url, ssl_options=options)
        self.websocket.connect()

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, receive."""
        send, receive = self.websocket.send, self.websocket.receive
        for message in messages:
            send(message, binary=isinstance(message, bytes))
            answer = receive()
            times.append(perf_counter())
        return answer.data if answer.is_binary else str(answer)

    def flood(self, count: int) -> object:
        """Count the texts."""
        receive = self.websocket.receive
        self.websocket.send(GO)
        for _ in range(count):
            message = receive()
        return str(message)

    def rest(self) -> None:
        """Wait for a message that does not come."""
        self.websocket.receive()


if __name__ == "__main__":
    run(Connection)
