"""Waiting for replies: greenlets that sleep until theirs has come, or its time is over.

Waiting costs one switch into the hub and one back. There is one timer for all that a socket waits
for, and it is set anew when it rings, not for each request: 0.4 µs less than a timer for each, and
2.5 µs less than a `gevent.Timeout`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import Any

from gevent import get_hub, getcurrent, sleep

from lomond_gevent.locust.correlation import Correlation, Message, Predicate
from lomond_gevent.locust.reply import Reply
from lomond_gevent.locust.rows import NoReply, ReplyTimeout, Superseded


class Replies:
    """All that a socket waits for, or has waited for in vain."""

    __slots__ = ("_alarm", "_alarm_due", "_asked", "_has_woken", "_hub", "_rules")

    def __init__(self, limit: int) -> None:
        """Keep so many at most, late ones included; beyond it the oldest are forgotten."""
        self._hub = get_hub()
        self._asked: Correlation[Reply] = Correlation(limit)
        # Looked at for each message, and most find it empty.
        self._rules = self._asked.rules
        self._alarm: Any = None
        self._alarm_due = inf
        # Set from the moment that a greenlet is to go on until it does.
        self._has_woken = False

    # ---- who asks -----------------------------------------------------------------------------

    def ask(self, reply: Reply) -> None:
        """Look for a reply in all that comes from now on, which is before what is sent next.

        Who waits for one that is forgotten for it goes on without.
        """
        rule = reply.rule
        forgotten = self._asked.add(reply, _guard(rule, reply) if callable(rule) else rule)
        if forgotten:
            for other in forgotten:
                self._fail(other, Superseded())

    def wait(self, reply: Reply) -> None:
        """Return when the outcome is known, at the latest at `reply.deadline`.

        Raises what a function that looks for the reply has raised.
        """
        if reply.is_open:
            if reply.deadline < self._alarm_due:
                self._set_alarm(reply.deadline)
            hub = self._hub
            reply.greenlet = getcurrent()
            try:
                while reply.message is None and reply.is_open:
                    hub.switch()
            finally:
                reply.greenlet = None
                self._has_woken = False
        if reply.raised is not None:
            raise reply.raised

    def forget(self, reply: Reply) -> None:
        """Look for it no more."""
        self._asked.remove(reply)

    # ---- who reads ----------------------------------------------------------------------------

    def find(self, message: Message) -> Reply | None:
        """Return the reply that a message is, and have who waits for it go on; None for none."""
        if self._has_woken:
            # One read may hold several messages. Who was woken by the last of them goes first:
            # the next may be what it wants to wait for then.
            self._has_woken = False
            sleep(0)
        if not self._rules:
            return None
        reply = self._asked.find(message)
        if reply is not None:
            reply.message = message
            reply.seconds = perf_counter() - reply.began
            self._wake(reply)
        return reply

    def fail_all(self, make_error: Callable[[], NoReply]) -> None:
        """Have all who wait go on without; no reply comes any more."""
        for reply in self._asked.clear():
            self._fail(reply, make_error())

    def fail(self, reply: Reply, error: NoReply) -> None:
        """Have who waits for a reply go on without, and look for it no more."""
        self._asked.remove(reply)
        self._fail(reply, error)

    def give_up(self, reply: Reply) -> None:
        """Wait for it no more, though it may come: its place in the order stays its own."""
        reply.is_late = True

    def waiting(self) -> list[Reply]:
        """Return those that somebody waits for."""
        return [reply for reply in self._rules if not reply.is_late]

    def stop(self) -> None:
        """Have no timer any more."""
        if self._alarm is not None:
            self._alarm.stop()
            self._alarm.close()
            self._alarm = None
        self._alarm_due = inf

    # ---- between the two ----------------------------------------------------------------------

    def _fail(self, reply: Reply, error: NoReply) -> None:
        if reply.is_open:
            reply.error = error
            self._wake(reply)

    def _wake(self, reply: Reply) -> None:
        if reply.greenlet is not None:
            self._has_woken = True
            self._hub.loop.run_callback(reply.resume)

    def _set_alarm(self, deadline: float) -> None:
        self.stop()
        self._alarm = self._hub.loop.timer(max(0.0, deadline - perf_counter()), ref=False)
        # The loop's time stands still while greenlets work.
        self._alarm.start(self._ring, update=True)
        self._alarm_due = deadline

    def _ring(self) -> None:
        """End what is over, and ring again for what is not; called by the hub."""
        self.stop()
        now = perf_counter()
        earliest = inf
        for reply in self.waiting():
            if reply.deadline <= now:
                self._expire(reply, now)
            else:
                earliest = min(earliest, reply.deadline)
        if earliest < inf:
            self._set_alarm(earliest)

    def _expire(self, reply: Reply, now: float) -> None:
        if reply.stays_late:
            reply.is_late = True
        else:
            self._asked.remove(reply)
        reply.seconds = now - reply.began
        self._fail(reply, ReplyTimeout())


def _guard(predicate: Predicate, reply: Reply) -> Predicate:
    """Have what a function of the user's raises be raised where it was given."""

    def is_wanted(message: Message) -> object:
        try:
            return predicate(message)
        except Exception as error:  # raised again, by `wait`
            reply.raised = error
            return True

    return is_wanted
