"""`GeventSession`: the loop of `lomond.session` on greenlets.

It needs no monkey patching and does none, and works the same where an application has patched.
Nothing is made at import: no hub, no greenlet, no socket.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event

from lomond.exchange import Exchange
from lomond.outbox import Gate
from lomond.session import WebsocketSession
from lomond.transport import EXIT_EVENT_INTERVAL, ExitEvent, Transport
from lomond_gevent.exchange import HubExchange
from lomond_gevent.hubs import original
from lomond_gevent.transport import GeventTransport

# One for each connection is 112 bytes.
_LOCKS: WeakKeyDictionary[gevent.hub.Hub, Any] = WeakKeyDictionary()


def _free_locks() -> None:
    # A thread that the child does not have may have held one. In place, as `threading` does it:
    # the connections that the child has inherited are to be closed.
    for lock in list(_LOCKS.values()):
        lock._at_fork_reinit()


# Windows cannot fork.
if hasattr(os, "register_at_fork"):  # pragma: no branch
    os.register_at_fork(after_in_child=_free_locks)


class GeventSession(WebsocketSession):
    """Run a WebSocket's connection in the greenlet that iterates over its events.

    Sending and closing work from any greenlet of the same hub, and from any thread.

    A kill, or a `gevent.Timeout` around a step of the iteration, ends the connection: they pass
    through it like any exception. Who wants to give up waiting without that asks the clock at
    each `Poll`.
    """

    transport_class: ClassVar[type[Transport]] = GeventTransport
    exchange_class: ClassVar[type[Exchange]] = HubExchange

    @staticmethod
    def make_lock() -> AbstractContextManager[Any]:
        """Return the lock that steps of the protocol run under, but for those of each message.

        No step waits, so greenlets never meet at it. It is there for the thread in which the
        collector may end a connection whose hub has ended: so there is one for each hub.
        """
        hub = gevent.get_hub()
        lock: AbstractContextManager[Any] | None = _LOCKS.get(hub)
        if lock is None:
            lock = _LOCKS[hub] = original("_thread", "RLock")()
        return lock

    @staticmethod
    def make_gate() -> Gate:
        """Make what a sender waits on for its turn."""
        gate: Gate = Event()
        return gate

    @staticmethod
    def sleep(seconds: float, exit_event: ExitEvent | None) -> bool:
        """Sleep, for `persist`; return whether `exit_event` was set, which ends the sleep.

        An event of gevent's is seen at once, one of `threading` within 0.25 s: waiting for that
        would stop the hub.
        """
        if exit_event is None:
            gevent.sleep(seconds)
            return False
        if hasattr(exit_event, "rawlink"):
            _sleep_until(exit_event, seconds)
        else:
            deadline = monotonic() + seconds
            while not exit_event.is_set() and (left := deadline - monotonic()) > 0:
                gevent.sleep(min(left, EXIT_EVENT_INTERVAL))
        return exit_event.is_set()


def _sleep_until(exit_event: Any, seconds: float) -> None:
    # Not `exit_event.wait`: only greenlets of one hub may wait for an event of gevent's.
    is_set = Event()

    def wake(_exit_event: object) -> None:
        is_set.set()

    exit_event.rawlink(wake)
    try:
        is_set.wait(seconds)
    finally:
        exit_event.unlink(wake)
