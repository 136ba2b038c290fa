"""The one door out: what the protocol has queued, on its way to the kernel, and whose turn it is.

Both are used under the session's state lock and never wait.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from lomond.channel import Channel
from lomond.protocol.outgoing import Outgoing


class Gate(Protocol):
    """An event of either world, on which one sender waits for its turn."""

    def set(self) -> object:
        """Open the gate."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for that, `timeout` seconds at most; tell whether it came."""


class Turn:
    """Whose turn it is to wait for the kernel: first come, first served.

    A lock only where two senders meet: as long as the kernel takes every message at once,
    nobody takes a turn at all.
    """

    __slots__ = ("_queue", "is_taken")

    def __init__(self) -> None:
        self.is_taken = False
        self._queue: deque[Gate] | None = None

    def queue_up(self, gate: Gate) -> Gate:
        """Stand in line; `gate` opens when the turn has come."""
        if self._queue is None:
            self._queue = deque()
        self._queue.append(gate)
        return gate

    def leave(self, gate: Gate) -> bool:
        """Leave the line; tell whether the turn had come already, and is to be passed on."""
        if self._queue is not None and gate in self._queue:
            self._queue.remove(gate)
            return False
        return True

    def pass_on(self) -> None:
        """Give the turn to the next in line."""
        if self._queue:
            self._queue.popleft().set()
        else:
            self.is_taken = False


class Outbox(Turn):
    """Write what the protocol queues, in its order, as far as the kernel takes it.

    Senders take turns at it: one object for both, since each connection has them.
    """

    __slots__ = ("_outgoing", "_rest")

    def __init__(self, outgoing: Outgoing) -> None:
        super().__init__()
        self._outgoing = outgoing
        outgoing.gives_pieces = True
        self._rest: bytes | memoryview = b""

    def flush(self, channel: Channel) -> bool:
        """Write without waiting; tell whether all is with the kernel. Raises OSError."""
        outgoing = self._outgoing
        rest = self._rest = self._rest or outgoing.take()
        while rest:
            sent = channel.send(rest)
            if sent == len(rest):
                # Nothing is queued meanwhile, but it may have been behind what was left over.
                rest = self._rest = outgoing.take() if outgoing.is_congested else b""
                continue
            rest = self._rest = memoryview(rest)[sent:]
            if not sent:
                outgoing.is_congested = True
                return False
        outgoing.is_congested = not channel.flush()
        return not outgoing.is_congested

    def clear(self) -> None:
        """Drop what cannot be written any more."""
        self._rest = b""
        self._outgoing.clear()
