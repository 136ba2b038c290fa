"""gevent.socket with no WebSocket in it: the floor that all costs are compared with.

It sends frames that were built before, and counts the bytes that come: it knows how many there
will be. Of the answer to the upgrade it looks for the end, no more.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import cache
from time import perf_counter
from urllib.parse import urlsplit

import gevent.ssl
from frames import BUFFER_SIZE, FLOOD_SIZE, GO_FRAME, MASK_SIZE, build_frame, build_request
from gevent import socket
from greenlets import run
from work import FLOODED, Message, Times, Work

# One for all: nothing that comes is kept.
BUFFER = bytearray(BUFFER_SIZE)


@cache
def share_context(cafile: str) -> ssl.SSLContext:
    """Return the one context for all connections."""
    # gevent's own class, for that of the standard library blocks.
    context: ssl.SSLContext = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile)
    return context


class Connection:
    """A socket, over which an upgrade was asked for."""

    def __init__(self, work: Work, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if work.cafile is not None:
            context = share_context(work.cafile)
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        # Without an offer of compression the server does not compress.
        self.socket.sendall(build_request(url))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.socket.recv(4096)

    def echo(self, messages: Iterator[Message], times: Times) -> object:
        """Send, and count what comes back."""
        send, receive_into = self.socket.sendall, self.socket.recv_into
        for message in messages:
            frame = build_frame(message)
            send(frame)
            left = len(frame) - MASK_SIZE
            while left:
                left -= receive_into(BUFFER)
            times.append(perf_counter())
        return message

    def flood(self, count: int) -> object:
        """Count bytes."""
        self.socket.sendall(GO_FRAME)
        left = count * FLOOD_SIZE
        while left:
            left -= self.socket.recv_into(BUFFER)
        return FLOODED

    def rest(self) -> None:
        """Wait for bytes."""
        self.socket.recv_into(BUFFER)


if __name__ == "__main__":
    run(Connection)
