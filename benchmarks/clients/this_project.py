"""lomond_gevent: a loop over the events of a connection, in a greenlet."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from greenlets import run
from work import GO, Message, Times, Work

import lomond_gevent
from lomond import WebSocket
from lomond.events import Binary, ConnectFail, Disconnected, Ready, Text


class Connection:
    """A WebSocket with all of its default settings: limits, polls and pings."""

    def __init__(self, work: Work, url: str) -> None:
        self.websocket = WebSocket(url, compress=work.compress, ssl_cafile=work.cafile)
        self.events: Iterator[Any] = lomond_gevent.connect(self.websocket)
        for event in self.events:
            if isinstance(event, Ready):
                return
            if isinstance(event, ConnectFail | Disconnected):
                raise ConnectionError(event.reason)

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Answer each answer with the next message."""
        message = next(messages)
        is_text = isinstance(message, str)
        send, kind = (
            (self.websocket.send_text, Text) if is_text else (self.websocket.send_binary, Binary)
        )
        send(message)
        for event in self.events:
            if isinstance(event, kind):
                times.append(perf_counter())
                message = next(messages, None)
                if message is None:
                    break
                send(message)
        return event.text if is_text else event.data

    def flood(self, count: int) -> object:
        """Count the texts."""
        self.websocket.send_text(GO)
        for event in self.events:
            if isinstance(event, Text):
                count -= 1
                if not count:
                    return event.text
        return None

    def rest(self) -> None:
        """Let polls and pings happen."""
        for _ in self.events:
            pass


if __name__ == "__main__":
    run(Connection)
