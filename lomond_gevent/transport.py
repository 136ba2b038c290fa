"""Waiting in greenlets: one socket, watched by the hub of the greenlet that connects.

The socket is the standard library's, whether or not an application has patched it; gevent does
the waiting only. Rules of this file:

1. Wait first, then read: every read passes through the hub, so a peer that floods cannot
   starve its neighbours, and hardly a read finds nothing.
2. A wake carries no meaning, but that the clock was the reason; whoever waited looks at what has
   changed. Callbacks do next to nothing and never raise: gevent stops a watcher whose does.
3. Watchers of the socket run during a wait only, but for the one that writes what was left over;
   the timer goes on, for most deadlines are polls, in step. All are stopped before their descriptor
   is closed: one left behind would hand the bytes of the next socket with that number to the wrong
   reader, and libev aborts a forked process that has one.
4. Nothing here knows a session, a WebSocket or a generator: a circle through a watcher's
   callback is never collected.
"""

from __future__ import annotations

import socket as _socket
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from gevent import get_hub, getcurrent

from lomond.dialing import Address
from lomond.forks import PROCESS
from lomond.route import Route
from lomond.transport import EXIT_EVENT_INTERVAL, ExitEvent, Transport, look_up_literal
from lomond_gevent.hubs import is_here, original, run_soon, stop_watcher
from lomond_gevent.resolver import look_up

READABLE, WRITABLE = 1, 2
# A timer that rings later than this, in seconds, is set anew: a deadline between the time that it
# is thought to ring at and the time that it does would be missed by as much.
LATE = 0.01


class _Sleeper:
    """A greenlet that waits, while it does, and what the hub watches for it."""

    __slots__ = ("_timer", "greenlet", "interval", "is_time", "timer_due", "watcher")

    def __init__(self) -> None:
        self.greenlet: Any = None
        # Of the socket; made for the first wait, and kept for the next.
        self.watcher: Any = None
        # One timer for many waits: it fires for the earliest deadline it was set to, and then
        # again and again, in step: where nothing but polls is due it is never set anew.
        self._timer: Any = None
        self.timer_due = inf
        self.interval = inf
        self.is_time = False

    def wake(self) -> None:
        """Switch into the greenlet, if it still waits; in the hub only."""
        greenlet = self.greenlet
        if greenlet is not None:
            greenlet.switch()

    def __call__(self) -> None:
        """Ring: the timer calls this itself, for a bound method is 64 bytes for each."""
        if monotonic() - self.timer_due > LATE:
            # What rings so late goes on from now, out of step: the next wait sets it anew.
            self._stop_timer()
        else:
            self.timer_due += self.interval
        self.is_time = True
        self.wake()

    def set_timer(self, loop: Any, deadline: float, *, ref: bool = False) -> None:
        """Have the timer fire at `deadline`; with `ref` it keeps the hub alive until then."""
        self._stop_timer()
        if deadline < inf:
            repeat = self.interval if self.interval < inf else 0.0
            self._timer = loop.timer(max(0.0, deadline - monotonic()), repeat, ref=ref)
            # The loop's time stands still while greenlets work: without an update the timer
            # would fire early by as much.
            self._timer.start(self, update=True)
            self.timer_due = deadline

    def stop(self) -> None:
        """Have nothing watched any more."""
        self._stop_timer()
        if self.watcher is not None:
            stop_watcher(self.watcher)
            self.watcher = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            stop_watcher(self._timer)
            self._timer = None
        self.timer_due = inf


class GeventTransport(Transport):
    """A transport whose waits let other greenlets run."""

    __slots__ = ("_flusher", "_hub", "_is_closed", "_sender_sleepers", "_sleeper")

    def __init__(self, exit_event: ExitEvent | None = None) -> None:
        super().__init__(exit_event)
        self._hub = get_hub()
        self._is_closed = False
        # The loop's greenlet waits with the first, again and again.
        self._sleeper = _Sleeper()
        self._sender_sleepers: tuple[_Sleeper, ...] = ()
        # Runs while there are bytes that nobody waits for; of the socket, it alone outlives a wait.
        self._flusher: Any = None

    # ---- making the connection ------------------------------------------------------------

    def connect(self, route: Route, deadline: float) -> None:
        """Connect by `deadline` (monotonic seconds); raises ConnectFail."""
        link = getattr(self._exit_event, "rawlink", None)
        if link is not None and not self.is_cancelled:
            link(self._on_exit_event)
        super().connect(route, deadline)

    def look_up(self, host: str, port: int, deadline: float) -> list[Address]:
        """Find the addresses of a host; TimeoutError at `deadline` or when cancelled."""
        literal = look_up_literal(original("socket", "getaddrinfo"), host, port)
        return literal or look_up(self, self._hub, host, port, deadline)

    def make_socket(self, address: Address) -> _socket.socket:
        """Make a socket of the standard library's."""
        socket: _socket.socket = original("socket", "socket")(*address[:3])
        return socket

    def detach(self) -> None:
        """Close that socket."""
        self._sleeper.stop()
        super().detach()

    # ---- waiting --------------------------------------------------------------------------

    def wait(self, deadline: float, readable: bool = True, writable: bool = False) -> bool:
        """Return when the socket is ready, at `deadline`, or when woken; or for nothing."""
        channel = self.channel
        if self._is_closed or (channel is not None and channel.is_ready):
            return False
        if self._exit_event is not None and not hasattr(self._exit_event, "rawlink"):
            deadline = min(deadline, monotonic() + EXIT_EVENT_INTERVAL)
        sleeper = self._sleeper
        if not readable or (writable and self._flusher is None):
            self._wait_for(readable * READABLE | writable * WRITABLE, deadline, sleeper)
            return False
        hub = self._hub
        watcher = sleeper.watcher
        if watcher is None:
            assert self._socket is not None, "bytes are waited for once there is a socket"
            watcher = sleeper.watcher = hub.loop.io(self._socket.fileno(), READABLE)
        if deadline < sleeper.timer_due:
            # Watching the socket keeps the hub alive, the timer must not.
            sleeper.interval = self.interval
            sleeper.set_timer(hub.loop, deadline)
        sleeper.is_time = False
        greenlet = getcurrent()
        try:
            sleeper.greenlet = greenlet
            watcher.start(greenlet.switch)
            hub.switch()
            # In one turn of the loop timers come first: whoever is late for each poll would hear
            # the bell every time, and never read. With libuv a watcher does not tell.
            is_time = sleeper.is_time and not getattr(watcher, "pending", True)
        finally:
            sleeper.greenlet = None
            # A hub that was destroyed has left its watchers as they were, or taken them along.
            if hub.loop is not None:
                watcher.stop()
        # A fork copies every greenlet, those that wait as well.
        if self._generation != PROCESS.generation:
            self.check_process()
        return is_time

    def wait_to_send(self, deadline: float, readable: bool = False) -> None:
        """Return when the socket takes more, at `deadline`, or when cancelled; or for nothing."""
        if self._is_closed:
            return
        sleeper = _Sleeper()
        self._sender_sleepers += (sleeper,)
        try:
            self._wait_for(WRITABLE | readable * READABLE, deadline, sleeper)
        finally:
            others = tuple(other for other in self._sender_sleepers if other is not sleeper)
            self._sender_sleepers = others

    def _wait_for(self, conditions: int, deadline: float, sleeper: _Sleeper) -> None:
        """Wait with a watcher of its own, or without conditions for nothing but a wake."""
        hub = self._hub
        sleeper.stop()
        try:
            if conditions and self._socket is not None:
                sleeper.watcher = hub.loop.io(self._socket.fileno(), conditions)
            # Where nothing is watched, nothing else might keep the hub alive.
            sleeper.set_timer(hub.loop, deadline, ref=sleeper.watcher is None)
            sleeper.greenlet = greenlet = getcurrent()
            if sleeper.watcher is not None:
                sleeper.watcher.start(greenlet.switch)
            hub.switch()
            self.check_process()
        finally:
            sleeper.greenlet = None
            sleeper.stop()

    def flush_in_hub(self, flush: Callable[[], bool]) -> None:
        """Call `flush` in the hub whenever the socket takes more, until it returns True."""
        if self._flusher is None and self._socket is not None:
            self._flusher = self._hub.loop.io(self._socket.fileno(), WRITABLE, ref=False)
            self._flusher.start(self._call_flush, flush)

    def _call_flush(self, flush: Callable[[], bool]) -> None:
        if flush():
            self._stop_flusher()

    def _stop_flusher(self) -> None:
        if self._flusher is not None:
            stop_watcher(self._flusher)
            self._flusher = None

    # ---- ending it, from any greenlet or thread -------------------------------------------

    def wake(self) -> None:
        """Have `wait` return."""
        run_soon(self._hub, self._sleeper.wake)

    def close(self, reset: bool = False) -> None:
        """Close the socket; never raises, never waits."""
        if self.is_foreign or is_here(self._hub) or not run_soon(self._hub, self._close, reset):
            self._close(reset)

    def _close(self, reset: bool) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        unlink = getattr(self._exit_event, "unlink", None)
        if unlink is not None:
            unlink(self._on_exit_event)
        if not self.is_foreign:
            self._say_goodbye(reset)
        # Before the descriptor is closed, see above.
        self._stop_flusher()
        for sleeper in (self._sleeper, *self._sender_sleepers):
            sleeper.stop()
            run_soon(self._hub, sleeper.wake)
        super().detach()

    def _on_exit_event(self, _event: object) -> None:
        self.wake()
