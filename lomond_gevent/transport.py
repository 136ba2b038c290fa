"""Waiting in greenlets: one socket, watched by the hub of the greenlet that connects.

The socket is the standard library's, whether or not an application has patched it; gevent does
the waiting only. Rules of this file:

1. Wait first, then read: every read passes through the hub, so a peer that floods cannot
   starve its neighbours, and no read finds nothing.
2. A wake carries no meaning; whoever waited looks at what has changed. Callbacks switch into
   the waiting greenlet and do nothing else: gevent stops a watcher whose callback raises.
3. Watchers run during a wait only, and are stopped before their descriptor is closed: one left
   behind would hand the bytes of the next socket with that number to the wrong reader.
4. Nothing here knows a session, a WebSocket or a generator: a circle through a watcher's
   callback is never collected.
"""

from __future__ import annotations

import socket as _socket
from _thread import get_ident
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from gevent import get_hub, getcurrent
from gevent.monkey import get_original

from lomond.dialing import Address
from lomond.route import Route
from lomond.transport import EXIT_EVENT_INTERVAL, ExitEvent, Transport, look_up_literal
from lomond_gevent.resolver import look_up

READABLE, WRITABLE = 1, 2


class _Sleeper:
    """A greenlet that waits, while it does."""

    __slots__ = ("greenlet", "timer", "timer_due")

    def __init__(self) -> None:
        self.greenlet: Any = None
        # One timer for many waits: it fires for the earliest deadline it was set to.
        self.timer: Any = None
        self.timer_due = inf

    def wake(self) -> None:
        """Switch into the greenlet, if it still waits; in the hub only."""
        greenlet = self.greenlet
        if greenlet is not None:
            greenlet.switch()

    def ring(self) -> None:
        """Wake, as the timer."""
        self.timer_due = inf
        self.wake()

    def set_timer(self, loop: Any, deadline: float, ref: bool) -> None:
        """See to it that the timer fires at `deadline` at the latest."""
        if deadline >= self.timer_due or deadline == inf:
            return
        self.stop_timer()
        self.timer = loop.timer(max(0.0, deadline - monotonic()), ref=ref)
        # The loop's time stands still while greenlets work: without an update the timer
        # would fire early by as much.
        self.timer.start(self.ring, update=True)
        self.timer_due = deadline

    def stop_timer(self) -> None:
        """Have no timer."""
        if self.timer is not None:
            self.timer.stop()
            self.timer.close()
            self.timer = None
        self.timer_due = inf


class GeventTransport(Transport):
    """A transport whose waits let other greenlets run."""

    __slots__ = ("_hub", "_is_closed", "_reader", "_sleeper", "_thread", "_writers")

    def __init__(self, exit_event: ExitEvent | None = None) -> None:
        super().__init__(exit_event)
        self._hub = get_hub()
        self._thread = get_ident()
        self._is_closed = False
        # The loop's greenlet waits with the first two, again and again.
        self._sleeper = _Sleeper()
        self._reader: Any = None
        # Waits of others, and those for more than reading, each with a watcher of its own.
        self._writers: list[tuple[_Sleeper, Any]] | None = None

    # ---- making the connection ------------------------------------------------------------

    def connect(self, route: Route, deadline: float) -> None:
        """Connect by `deadline` (monotonic seconds); raises ConnectFail."""
        link = getattr(self._exit_event, "rawlink", None)
        if link is not None:
            link(self._on_exit_event)
        super().connect(route, deadline)

    def look_up(self, host: str, port: int, deadline: float) -> list[Address]:
        """Find the addresses of a host; TimeoutError at `deadline` or when cancelled."""
        literal = look_up_literal(get_original("socket", "getaddrinfo"), host, port)
        return literal or look_up(self, self._hub, host, port, deadline)

    def make_socket(self, address: Address) -> _socket.socket:
        """Make a socket of the standard library's."""
        socket: _socket.socket = get_original("socket", "socket")(*address[:3])
        return socket

    def detach(self) -> None:
        """Close that socket."""
        self._stop_watchers()
        super().detach()

    # ---- waiting --------------------------------------------------------------------------

    def wait(self, deadline: float, readable: bool = True, writable: bool = False) -> None:
        """Return when the socket is ready, at `deadline`, or when woken; or for nothing."""
        if self._is_closed or (self.channel is not None and self.channel.is_ready):
            return
        if self._exit_event is not None and not hasattr(self._exit_event, "rawlink"):
            deadline = min(deadline, monotonic() + EXIT_EVENT_INTERVAL)
        sleeper = self._sleeper
        if writable or not readable:
            self._wait_for(sleeper, deadline, readable * READABLE | writable * WRITABLE)
            return
        loop = self._hub.loop
        watcher = self._reader
        if watcher is None:
            assert self._socket is not None, "bytes are waited for once there is a socket"
            watcher = self._reader = loop.io(self._socket.fileno(), READABLE)
        if deadline < sleeper.timer_due:
            # Watching the socket keeps the hub alive, the timer must not.
            sleeper.set_timer(loop, deadline, ref=False)
        greenlet = getcurrent()
        sleeper.greenlet = greenlet
        watcher.start(greenlet.switch)
        try:
            self._hub.switch()
        finally:
            sleeper.greenlet = None
            if not self.is_foreign:
                watcher.stop()

    def wait_to_send(self, deadline: float, readable: bool = False) -> None:
        """Return when the socket takes more, at `deadline`, or when cancelled; or for nothing."""
        if not self._is_closed:
            sleeper = _Sleeper()
            try:
                self._wait_for(sleeper, deadline, WRITABLE | readable * READABLE)
            finally:
                sleeper.stop_timer()

    def _wait_for(self, sleeper: _Sleeper, deadline: float, conditions: int) -> None:
        """Wait with a watcher that nobody else uses; for nothing but a wake without conditions."""
        loop = self._hub.loop
        watcher = None
        if conditions and self._socket is not None:
            watcher = loop.io(self._socket.fileno(), conditions)
        else:
            # Nothing else might keep the hub alive.
            sleeper.stop_timer()
        sleeper.set_timer(loop, deadline, ref=watcher is None)
        entry = (sleeper, watcher)
        self._writers = [*(self._writers or ()), entry]
        greenlet = sleeper.greenlet = getcurrent()
        try:
            if watcher is not None:
                watcher.start(greenlet.switch)
            self._hub.switch()
        finally:
            sleeper.greenlet = None
            self._writers.remove(entry)
            if watcher is not None and not self.is_foreign:
                watcher.stop()
                watcher.close()

    # ---- ending it, from any greenlet or thread -------------------------------------------

    def wake(self) -> None:
        """Have `wait` return."""
        self._run_in_hub(self._sleeper.wake)

    def cancel(self) -> None:
        """End the connection for whoever waits for it; `close` has to follow."""
        super().cancel()
        for sleeper, _ in self._writers or ():
            self._run_in_hub(sleeper.wake)

    def close(self, reset: bool = False) -> None:
        """Close the socket; never raises, never waits."""
        if self._is_closed:
            return
        if self.is_foreign:
            # The loop's descriptors are the parent's too: stopping a watcher could be felt there.
            self._is_closed = True
            self._release()
        elif get_ident() == self._thread or not self._run_in_hub(lambda: self._close(reset)):
            self._close(reset)

    def _close(self, reset: bool) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        unlink = getattr(self._exit_event, "unlink", None)
        if unlink is not None:
            unlink(self._on_exit_event)
        self._say_goodbye(reset)
        self._stop_watchers()
        self._release()

    def _stop_watchers(self) -> None:
        """Stop all watchers and wake who waits for them, before the descriptor is closed."""
        sleepers = [self._sleeper]
        for sleeper, watcher in self._writers or ():
            sleepers.append(sleeper)
            _stop(watcher)
        _stop(self._reader)
        self._reader = None
        for sleeper in sleepers:
            if sleeper.greenlet is not None:
                self._run_in_hub(sleeper.wake)

    def _release(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _on_exit_event(self, _event: object) -> None:
        self.wake()

    def _run_in_hub(self, callback: Callable[[], object]) -> bool:
        """Have the hub call back soon; tell whether it will, which a destroyed one does not."""
        loop = self._hub.loop
        if loop is None:
            return False
        run = loop.run_callback
        if get_ident() != self._thread:
            run = loop.run_callback_threadsafe
        try:
            run(callback)
        except ValueError:
            # What gevent raises for an operation on a loop that was destroyed.
            return False
        return True


def _stop(watcher: Any) -> None:
    if watcher is not None:
        try:
            watcher.stop()
            watcher.close()
        except ValueError:
            # The hub was destroyed, and the watcher with it.
            return
