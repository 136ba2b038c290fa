"""Lomond, from the package index, under gevent's monkey patching.

With wsaccel, which it uses if it is there.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import ssl  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from functools import cache  # noqa: E402
from time import perf_counter  # noqa: E402

from greenlets import run  # noqa: E402
from work import GO, Message, Times, Work  # noqa: E402

from lomond import WebSocket  # noqa: E402


@cache
def share_context(cafile: str) -> ssl.SSLContext:
    """Return the one context for all connections: one for each would cost 40 ms and 900 KiB."""
    return ssl.create_default_context(cafile=cafile)


class Connection:
    """A WebSocket with Lomond's default settings: polls and pings."""

    def __init__(self, work: Work, url: str) -> None:
        context = None if work.cafile is None else share_context(work.cafile)
        self.websocket = WebSocket(url, compress=work.compress, ssl_context=context)
        self.events = self.websocket.connect()
        for event in self.events:
            if event.name == "ready":
                return
            if event.name in ("connect_fail", "rejected", "disconnected"):
                raise ConnectionError(event.reason)

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Answer each answer with the next message."""
        message = next(messages)
        is_text = isinstance(message, str)
        send, name = (
            (self.websocket.send_text, "text")
            if is_text
            else (self.websocket.send_binary, "binary")
        )
        send(message)
        for event in self.events:
            if event.name == name:
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
            if event.name == "text":
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
