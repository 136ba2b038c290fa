"""Sends and closes that come from other threads, handed to the hub of the session."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

from lomond.errors import Kind, WebSocketUnavailable
from lomond.exchange import Exchange


class HubExchange(Exchange):
    """An exchange whose senders are greenlets of one hub, or threads that ask it.

    A thread waits for the outcome of what it asked for: its sends keep their order, and their
    errors are raised where they were caused.
    """

    __slots__ = ("_hub", "_thread")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._hub = gevent.get_hub()
        self._thread = get_ident()

    def send(self, step: Callable[..., None], *args: Any) -> None:
        """Take a step that queues a message; return once the kernel has all of it."""
        if get_ident() == self._thread:
            super().send(step, *args)
        else:
            self._ask_hub(super().send, step, *args)

    def begin_close(self, code: int | None, reason: bytes, timeout: float | None = None) -> None:
        """Begin the closing handshake, or answer the peer's, or give up connecting."""
        if get_ident() == self._thread:
            super().begin_close(code, reason, timeout)
        else:
            self._ask_hub(super().begin_close, code, reason, timeout)

    def abort(self, reason: str, kind: Kind) -> None:
        """End at once, without another word to the peer."""
        if get_ident() == self._thread:
            super().abort(reason, kind)
        else:
            self._ask_hub(super().abort, reason, kind)

    def _ask_hub(self, function: Callable[..., None], *args: Any) -> None:
        # The real ones, also where an application has patched: it is a thread that waits.
        answered = get_original("threading", "Event")()
        raised: list[BaseException] = []

        def answer() -> None:
            try:
                function(*args)
            except BaseException as error:  # raised again, in the thread that asked
                raised.append(error)
            answered.set()

        loop = self._hub.loop
        try:
            # Greenlets start in the order in which they were made.
            loop.run_callback_threadsafe(gevent.Greenlet(answer).start)
        except (AttributeError, ValueError) as error:
            raise WebSocketUnavailable("the hub that ran this connection has ended") from error
        answered.wait()
        if raised:
            raise raised[0]
