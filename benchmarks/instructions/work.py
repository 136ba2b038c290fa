"""The work that is counted: the process that runs under callgrind.

One connection over loopback, both ends in one greenlet: the peer is a plain socket that is
written to between two steps of the iteration, so the order of everything is fixed. The client's
end is what a user runs: `WebSocket`, `GeventSession`, the hub, the socket.

`getpgrp` is called between the pieces, for callgrind to cut at (see `counting`). For each piece
a line is printed: its name, and how many units of work it held.
"""

from __future__ import annotations

import gc
import os
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha1

from benchmarks.instructions.reference import run_reference
from lomond import WebSocket
from lomond.events import Connected, Event, Poll, Text
from lomond_gevent import GeventSession

TEXT = "thirty-two bytes of text, ASCII."
FRAME = b"\x81\x20" + TEXT.encode()
# Full reads of 64 KiB, as near as whole frames and one segment of loopback come to it.
FLOOD_FRAMES = 1800

ROUNDS = 3
TURNS = 300
# CPython 3.10 begins to remember what a function looks up at its 1,024th call.
WARM_UP_TURNS = 1200
# Polls and pings come by the clock, which this must not depend on. What it costs to look for
# them is counted.
HOUR = 3600.0


class Conversation:
    """A connection, and its peer."""

    def __init__(self) -> None:
        """Connect the two."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.websocket = WebSocket(f"ws://127.0.0.1:{listener.getsockname()[1]}/", proxies={})
            self.events: Iterator[Event] = self.websocket.connect(
                session_class=GeventSession, poll=HOUR, ping_rate=HOUR
            )
            self._await(Connected)
            self.peer, _address = listener.accept()
        # Without it a second small frame would wait for an acknowledgement of the first.
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer.sendall(make_answer(self.peer.recv(65536)))
        # The one behind `Ready`, with which the opening handshake is over.
        self._await(Poll)

    def _await(self, expected: type[Event]) -> None:
        for event in self.events:
            if isinstance(event, expected):
                return
        raise AssertionError(f"the connection ended before {expected.__name__}")

    def receive(self, count: int) -> None:
        """Receive messages, one in each read, as in a conversation."""
        peer = self.peer
        peer.send(FRAME)
        for event in self.events:
            if isinstance(event, Text):
                count -= 1
                if not count:
                    return
                peer.send(FRAME)
        raise AssertionError("the connection ended")

    def flood(self, count: int) -> None:
        """Receive messages of which reads are full."""
        self.peer.sendall(FRAME * count)
        for event in self.events:
            if isinstance(event, Text):
                count -= 1
                if not count:
                    return
        raise AssertionError("the connection ended")

    def send(self, count: int) -> None:
        """Send messages; what the kernel holds of them has to be drained afterwards."""
        send_text = self.websocket.send_text
        for _message in range(count):
            send_text(TEXT)

    def drain(self) -> None:
        """Read whatever the client has sent."""
        self.peer.setblocking(False)
        try:
            while self.peer.recv(1 << 20):
                pass
        except BlockingIOError:
            self.peer.setblocking(True)


def make_answer(request: bytes) -> bytes:
    """Agree to a client's upgrade request."""
    fields = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if line)
    keys = {name.lower(): value for name, value in fields.items()}
    accept = sha1(keys[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + b64encode(accept) + b"\r\n\r\n"
    )


def count(name: str, units: int, work: Callable[[int], None]) -> None:
    """Run one piece of work between two cuts."""
    os.getpgrp()
    work(units)
    os.getpgrp()
    print(name, units)


def main() -> None:
    """Warm up, then run all the work some times over."""
    conversation = Conversation()
    gc.disable()
    for work in (run_reference, conversation.receive, conversation.send):
        work(WARM_UP_TURNS)
    conversation.drain()
    conversation.flood(FLOOD_FRAMES)
    for _round in range(ROUNDS):
        count("reference", TURNS, run_reference)
        count("receive", TURNS, conversation.receive)
        count("flood", FLOOD_FRAMES, conversation.flood)
        count("send", TURNS, conversation.send)
        conversation.drain()


if __name__ == "__main__":
    main()
