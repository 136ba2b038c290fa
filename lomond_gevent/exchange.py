"""Reading in one greenlet, sending from the others of its hub, and from other threads.

What another thread wants is done in the hub, by a greenlet: so there is one order for all who
send, and no watcher is touched from outside of its loop. So nobody meets in a step either, and
the two that each message passes through do without the lock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from time import monotonic
from typing import Any

import gevent
from gevent._hub_local import get_hub_if_exists

from lomond.errors import Kind, TransportFail, WebSocketUnavailable
from lomond.events import Event
from lomond.exchange import Exchange
from lomond.forks import PROCESS
from lomond.outbox import Gate
from lomond.protocol.client import ClientProtocol
from lomond_gevent.hubs import Request, has_ended, is_here, run_soon
from lomond_gevent.transport import GeventTransport

# How long a thread that closes waits for a hub that is busy, in seconds.
CLOSE_PATIENCE = 1.0
# The shortest sleep, in seconds, in which gevent looks at sockets and timers: it calls back who
# sleeps for 0 many times before it does.
MOMENT = 1e-6


class HubExchange(Exchange):
    """An exchange whose senders are greenlets of one hub, or threads that ask it.

    A thread waits for the outcome of what it asked for: its sends keep their order, and their
    errors are raised where they were caused.
    """

    __slots__ = ("_generation", "_hub")

    transport: GeventTransport

    def __init__(
        self,
        protocol: ClientProtocol,
        transport: GeventTransport,
        send_timeout: float | None,
        lock: AbstractContextManager[Any],
        make_gate: Callable[[], Gate],
    ) -> None:
        """Join the two for the greenlets of the hub of this one."""
        super().__init__(protocol, transport, send_timeout, lock, make_gate)
        self._hub = gevent.get_hub()
        self._generation = PROCESS.generation

    # ---- the loop's side ------------------------------------------------------------------

    def _admit_reader(self) -> None:
        if get_hub_if_exists() is not self._hub:
            self._leave_hub()
        if self._generation != PROCESS.generation:
            self.transport.check_process()
        if self.protocol.has_more:
            # One read may hold thousands of messages: the neighbours' turn comes in between.
            gevent.sleep(MOMENT)
            self.transport.check_process()

    def _leave_hub(self) -> None:
        self.transport.check_process()
        if not has_ended(self._hub):
            raise WebSocketUnavailable(
                "the connection belongs to another thread: iterate in the one that connected"
            )
        super().abort("disconnected; the gevent hub of this connection has ended", "closed")

    def _take_batch(self, is_time: bool) -> list[Event]:
        # Steps are taken in the thread of the hub only, and none of them waits: greenlets never
        # meet in one. What each message passes through does without the lock: 5 % less for it.
        return self._next_batch(is_time)

    # ---- what is left for the hub to write --------------------------------------------------

    def _flush_quietly(self) -> None:
        Exchange._flush_quietly(self)
        self._flush_later()

    def _flush_later(self) -> None:
        """Have the hub write what the kernel did not take and no sender waits for."""
        if not self.protocol.outgoing.is_congested or self._outbox.is_taken:
            return
        if self._generation == PROCESS.generation and not has_ended(self._hub):
            self.transport.flush_in_hub(self._flush_rest)

    def _flush_rest(self) -> bool:
        with self._lock:
            if self._outbox.is_taken or self.protocol.is_finished or self.transport.is_foreign:
                return True
            try:
                return self._flush()
            except TransportFail:
                # The loop finds out by reading.
                return True

    # ---- the senders' side, from any thread -------------------------------------------------

    def send(self, step: Callable[..., None], *args: Any) -> None:
        """Take a step that queues a message; return once the kernel has all of it."""
        if self._delegate(step, args):
            return
        if self._outbox.is_taken:
            super().send(step, *args)
            return
        # As there, but without the lock, see `_take_batch`.
        step(*args)
        if not self._flush():
            self._outbox.is_taken = True
            try:
                self._drain(monotonic() + self._send_timeout)
            finally:
                self._leave_turn(None)

    def _delegate(self, step: Callable[..., None], args: tuple[Any, ...]) -> bool:
        if self._generation != PROCESS.generation:
            self.transport.check_process()
        if get_hub_if_exists() is self._hub:
            return False
        request = Request(partial(self.send, step, *args))
        try:
            # Once for the hub, which may be busy, and once for the peer.
            is_sent = request.ask(self._hub, 2 * self._send_timeout)
        finally:
            request.withdraw()
        if not is_sent and has_ended(self._hub):
            # Nobody reads any more.
            self.leave()
            raise WebSocketUnavailable("the gevent hub of this connection has ended")
        if not is_sent:
            raise TransportFail(
                f"the gevent hub did not send for twice the {self._send_timeout}s of send_timeout"
            )
        return True

    def _leave_turn(self, gate: Gate | None) -> None:
        super()._leave_turn(gate)
        # Whoever is killed while sending leaves a whole frame in the outbox.
        self._flush_later()

    def begin_close(self, code: int | None, reason: bytes, timeout: float | None = None) -> None:
        """Begin the closing handshake, or answer the peer's, or give up connecting."""
        self._do_in_hub(super().begin_close, code, reason, timeout)

    def abort(self, reason: str, kind: Kind) -> None:
        """End at once, without another word to the peer."""
        self._do_in_hub(super().abort, reason, kind)

    def leave(self) -> None:
        """Close the socket, and end what has not ended yet; never waits, never raises."""
        leave = super().leave
        # Another thread, where the collector is at work, must not come into a step.
        if is_here(self._hub) or self.transport.is_foreign or not run_soon(self._hub, leave):
            leave()

    def _do_in_hub(self, function: Callable[..., None], *args: Any) -> None:
        if is_here(self._hub) or self.transport.is_foreign:
            function(*args)
            return
        request = Request(partial(function, *args))
        # A hub that is busy closes when it gets to it; one that has ended reads no more.
        if not request.ask(self._hub, CLOSE_PATIENCE) and has_ended(self._hub):
            self.leave()
