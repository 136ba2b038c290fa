"""How a client of a scenario of the user's own waits: for messages, for an end, for its turn.

What a function may call is in `client`. Whatever ends a wait is counted here, and none of it keeps
the others from their turn: a function may catch what is raised, and go on.
"""

from __future__ import annotations

from time import monotonic as clock
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event as Signal

from lomond.events import Binary, Disconnected, Event, Text
from lomond_gevent.load.client_errors import (
    ConnectionLost,
    NotConnected,
    PlanOver,
    RequestTimeout,
)
from lomond_gevent.load.inbox import MOST_UNREAD, Inbox, Match, Message
from lomond_gevent.load.pacer import MOMENT

if TYPE_CHECKING:
    from lomond_gevent.load.scripted import ScriptedMember

# So many calls in a row that did not wait, and the others have their turn: also the timers and
# signals that end the load. A sleep of 0 would not let these run.
MOST_CALLS = 20


class Waiting:
    """What a client has received, and its function's wait for more of it."""

    __slots__ = (
        "_calls",
        "_end",
        "_inbox",
        "_is_end_counted",
        "_is_given_up",
        "_member",
        "_signal",
        "is_waiting",
    )

    def __init__(self, member: ScriptedMember) -> None:
        self._member = member
        self._inbox = Inbox(self._note_late)
        # How many calls in a row did not wait.
        self._calls = 0
        # Set whenever something has changed for whoever waits.
        self._signal = Signal()
        self._end: Disconnected | None = None
        # Set once it is counted why there is no connection.
        self._is_end_counted = False
        self._is_given_up = False
        self.is_waiting = False
        """Set while the scenario waits for an answer."""

    # ---- what others tell it --------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Keep an event for whoever waits; the reading greenlet calls this."""
        if isinstance(event, Text | Binary):
            if self._inbox.add(event):
                self._member.swarm.metrics.note(
                    f"a client had more than {MOST_UNREAD:,} unread messages: it dropped the oldest"
                )
        elif isinstance(event, Disconnected):
            self._end = event
        else:
            return
        self._signal.set()

    def begin_anew(self) -> None:
        """Forget the connection of the run of the function before this."""
        self._inbox.clear()
        self._end = None
        self._is_end_counted = False

    def look_up(self) -> None:
        """Have whoever waits look at what has changed."""
        self._signal.set()

    def give_up(self) -> None:
        """End every wait, whether or not something is to come."""
        self._is_given_up = True
        self._signal.set()

    # ---- waiting --------------------------------------------------------------------------------

    def _await(
        self, match: Match | None, timeout: float | None, *, in_turn: bool
    ) -> tuple[Message, float]:
        seconds = self._member.swarm.plan.request_timeout if timeout is None else timeout
        deadline = clock() + seconds
        self.is_waiting = True
        # A request is under way already; who expects something begins to wait now.
        is_under_way = in_turn
        try:
            while (found := self._inbox.find(match, in_turn=in_turn)) is None:
                if self._is_given_up:
                    self._member.swarm.metrics.requests_unfinished += 1
                    raise PlanOver
                if is_under_way:
                    self._count_if_cut_off()
                self._check_connection()
                if clock() >= deadline:
                    raise self._time_out(seconds)
                self._wait(deadline - clock())
                is_under_way = True
            return found
        finally:
            self.is_waiting = False

    def _time_out(self, seconds: float) -> RequestTimeout:
        metrics = self._member.swarm.metrics
        metrics.requests_timed_out += 1
        metrics.note_error("request", "timeout")
        gevent.sleep(MOMENT)
        return RequestTimeout(
            f"client {self._member.number} got no such message within {seconds:g} s"
        )

    def _wait(self, seconds: float | None) -> None:
        self._calls = 0
        self._signal.clear()
        self._signal.wait(seconds)

    def _note_late(self, seconds: float) -> None:
        metrics = self._member.swarm.metrics
        metrics.requests_late += 1
        metrics.rtt.record(int(seconds * 1e6))
        metrics.note(
            "a message was taken for the late answer to a request that had timed out: give "
            "request() a match, where answers are to be told from one another"
        )

    # ---- what keeps a function from going on ----------------------------------------------------

    def _give_way(self) -> None:
        """Let others run now and then, where a function calls and calls and never waits."""
        self._calls += 1
        if self._calls >= MOST_CALLS:
            self._calls = 0
            gevent.sleep(MOMENT)

    def _check_plan(self) -> None:
        self._give_way()
        if self._member.is_leaving:
            gevent.sleep(MOMENT)
            raise PlanOver

    def _check_connection(self) -> None:
        if self._member.is_open and self._end is None:
            return
        metrics, is_counted = self._member.swarm.metrics, self._is_end_counted
        self._is_end_counted = True
        gevent.sleep(MOMENT)
        if self._end is None:
            if not is_counted:
                metrics.note_error("scenario", "not connected", reason="connect() comes first")
            raise NotConnected("connect() comes first")
        if not is_counted and self._is_goodbye(self._end):
            metrics.note_error("request", "closed 1000", reason=self._end.reason)
        raise ConnectionLost(f"the connection has ended: {self._end.reason}")

    def _count_if_cut_off(self) -> None:
        """Count a request whose connection has ended before the answer."""
        if self._end is None:
            return
        metrics = self._member.swarm.metrics
        metrics.requests_unfinished += 1
        is_failure = self._is_goodbye(self._end) or not self._member.is_content(self._end)
        if is_failure and not self._is_end_counted:
            metrics.connections_cut_off += 1

    def _is_goodbye(self, end: Disconnected) -> bool:
        """Return whether the server has closed as one should, but before its time."""
        is_orderly = end.graceful and end.closed_by == "server" and end.code == 1000
        return is_orderly and not self._member.is_leaving
