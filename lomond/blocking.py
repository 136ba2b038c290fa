"""Waiting in threads: one socket, `select.poll`, and a pipe to be woken through.

Names of `socket`, `select` and `threading` are looked up when they are used, so that after
`gevent.monkey.patch_all()` the same code waits for its greenlet alone.
"""

from __future__ import annotations

import contextlib
import errno
import math
import select
import socket as _socket
import threading
from time import monotonic

from lomond.dialing import Address
from lomond.failures import connect_fail
from lomond.route import Route
from lomond.transport import (
    EXIT_EVENT_INTERVAL,
    ExitEvent,
    Transport,
    look_up_literal,
    look_up_name,
)

# How long one wait may be, in seconds: `poll` and `select` take no more than 24 days.
LONGEST_WAIT = 86_400.0


class BlockingTransport(Transport):
    """A transport whose waits block the thread."""

    __slots__ = ("_guard", "_is_closed", "_waiting", "_wake_receiver", "_wake_sender")

    def __init__(self, exit_event: ExitEvent | None = None) -> None:
        super().__init__(exit_event)
        self._wake_sender: _socket.socket | None = None
        self._wake_receiver: _socket.socket | None = None
        # Guards the two below; nothing is waited for under it. A descriptor is closed by the
        # last thread that waits for it: closed earlier, its number could be another socket's.
        self._guard = threading.Lock()
        self._is_closed = False
        self._waiting = 0

    def connect(self, route: Route, deadline: float) -> None:
        """Connect by `deadline` (monotonic seconds); raises ConnectFail."""
        try:
            self._wake_receiver, self._wake_sender = _socket.socketpair()
        except OSError as error:
            raise connect_fail(error, "tcp") from error
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        super().connect(route, deadline)

    def look_up(self, host: str, port: int, deadline: float) -> list[Address]:
        """Find the addresses of a host; TimeoutError at `deadline` or when cancelled.

        `socket.getaddrinfo` knows no time limit: a look-up that takes too long is left to its
        thread, which ends with it.
        """
        literal = look_up_literal(_socket.getaddrinfo, host, port)
        if literal:
            return literal
        answers: list[list[Address] | OSError] = []

        def look_up() -> None:
            answers.append(look_up_name(_socket.getaddrinfo, host, port))
            self.wake()

        try:
            threading.Thread(target=look_up, name=f"look-up of {host}", daemon=True).start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, f"no thread to look up {host!r} in: {error}") from error
        while not answers:
            if self.is_cancelled or monotonic() >= deadline:
                raise TimeoutError
            self.wait(deadline, readable=False)
        answer = answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def make_socket(self, address: Address) -> _socket.socket:
        """Make a socket."""
        return _socket.socket(*address[:3])

    # ---- waiting --------------------------------------------------------------------------

    def wait(self, deadline: float, readable: bool = True, writable: bool = False) -> bool:
        """Return when the socket is ready, at `deadline`, or when woken; or for nothing."""
        self.check_process()
        waker = self._wake_receiver
        if waker is None or (self.channel is not None and self.channel.is_ready):
            return False
        if self._exit_event is not None:
            deadline = min(deadline, monotonic() + EXIT_EVENT_INTERVAL)
        self._poll(deadline, readable, writable, waker)
        return False

    def wait_to_send(self, deadline: float, readable: bool = False) -> None:
        """Return when the socket takes more, at `deadline`, or when cancelled; or for nothing."""
        self._poll(deadline, readable, True, None)

    def _poll(
        self, deadline: float, readable: bool, writable: bool, waker: _socket.socket | None
    ) -> None:
        with self._guard:
            if self._is_closed:
                return
            self._waiting += 1
        try:
            interests = []
            if waker is not None:
                interests.append((waker.fileno(), True, False))
            if self._socket is not None and (readable or writable):
                interests.append((self._socket.fileno(), readable, writable))
            _poll(interests, min(max(0.0, deadline - monotonic()), LONGEST_WAIT))
            # In a patched process a fork copies every greenlet, those that wait as well; bytes
            # and wakes are the parent's.
            self.check_process()
            if waker is not None:
                with contextlib.suppress(BlockingIOError):
                    waker.recv(4096)
        finally:
            with self._guard:
                self._waiting -= 1
                if self._is_closed and not self._waiting:
                    self._release()

    # ---- ending it, from any thread -------------------------------------------------------

    def wake(self) -> None:
        """Have `wait` return."""
        with self._guard:
            if self._wake_sender is not None:
                # A full buffer is a wake that is under way.
                with contextlib.suppress(BlockingIOError):
                    self._wake_sender.send(b"\0")

    def close(self, reset: bool = False) -> None:
        """Close the socket, once no thread waits for it any more; never raises, never waits."""
        if self.is_foreign:
            self._release()
            return
        with self._guard:
            if self._is_closed:
                return
            self._is_closed = True
        self._say_goodbye(reset)
        self.wake()
        with self._guard:
            if not self._waiting:
                self._release()

    def _release(self) -> None:
        for socket in (self._socket, self._wake_sender, self._wake_receiver):
            if socket is not None:
                socket.close()
        self._socket = self._wake_sender = self._wake_receiver = None


def _poll(interests: list[tuple[int, bool, bool]], seconds: float) -> None:
    if not hasattr(select, "poll"):
        readers = [descriptor for descriptor, readable, _ in interests if readable]
        writers = [descriptor for descriptor, _, writable in interests if writable]
        select.select(readers, writers, writers, seconds)
        return
    poller = select.poll()
    for descriptor, readable, writable in interests:
        poller.register(
            descriptor, (select.POLLIN if readable else 0) | (select.POLLOUT if writable else 0)
        )
    poller.poll(math.ceil(seconds * 1000))
