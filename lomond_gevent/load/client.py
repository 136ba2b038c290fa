"""`Client`: what a scenario of your own works with.

    def place_order(client):
        client.connect()
        with client.timer("order"):
            answer = client.request('{"buy": 1}', match=lambda text: '"bought"' in text)
        client.check("has a price", "price" in answer)
        client.sleep(0.5)

`lomond-load wss://host/ --scenario orders.py:place_order` has each client call the function again
and again, with `think` in between, for as long as the load lasts; when it returns, its
connection is closed. It is a plain function: each client runs in a greenlet of its own, and each
call below lets the others go on while it waits. Do not call what blocks the process
(`time.sleep`, requests without gevent). Of messages that nobody reads the newest 1,000 are kept.

What ends it: at the end of the load `sleep` and `events` raise `PlanOver` at once, whatever else
you wait for may finish (within `request_timeout`), and the next call raises `PlanOver`. Let it
pass; `finally` and `with` blocks work as ever. A request that gets no answer, or a connection
that is lost, raises a `ScenarioError`: it is counted, and unless the function catches it, the
client begins anew after a pause. Any other exception is an error of the scenario, and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from time import monotonic as clock
from typing import TYPE_CHECKING, TypeAlias

import gevent
from gevent.event import Event as Signal

from lomond.errors import WebSocketError
from lomond.events import Binary, Disconnected, Event, Text
from lomond_gevent.load.metrics import Timer

if TYPE_CHECKING:
    from lomond_gevent.load.scripted import ScriptedMember

Message: TypeAlias = str | bytes
Match: TypeAlias = Message | Callable[[Message], object]
"""A message that has to be just so, or what tells whether it is the right one."""

# More unread messages than this, and the oldest are dropped: who reads on can answer pings, and
# see the connection end.
MOST_UNREAD = 1000


class PlanOver(BaseException):
    """The load is over: let it pass, as it ends the scenario's function."""


class ScenarioError(Exception):
    """What a scenario has run into, counted already; ends this run of it unless it is caught."""


class NotConnected(ScenarioError):
    """There is no connection: `connect` failed, or was not called."""


class ConnectionLost(ScenarioError):
    """The connection ended while the scenario waited or sent."""


class RequestTimeout(ScenarioError, TimeoutError):
    """What was waited for did not come in time."""


class Client:
    """One client of a load."""

    __slots__ = (
        "_end",
        "_inbox",
        "_is_given_up",
        "_is_started",
        "_looked",
        "_member",
        "_signal",
        "intended",
        "is_waiting",
    )

    def __init__(self, member: ScriptedMember) -> None:
        self._member = member
        # Unread messages, and when they came.
        self._inbox: deque[tuple[Text | Binary, float]] = deque()
        # So many of them, from the first on, cannot be what is waited for.
        self._looked = 0
        # Set whenever something has changed for whoever waits.
        self._signal = Signal()
        self._end: Disconnected | None = None
        self._is_started = False
        self._is_given_up = False
        self.intended: float | None = None
        self.is_waiting = False
        """Set while the scenario waits for an answer."""

    def __repr__(self) -> str:
        return f"<client {self.number}>"

    # ---- who it is ----------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """Return a number that no other client has."""
        return self._member.number

    @property
    def is_connected(self) -> bool:
        """Return whether there is a connection."""
        return self._member.is_open

    @property
    def is_over(self) -> bool:
        """Return whether the load is over: the next call raises PlanOver."""
        return self._member.is_leaving

    # ---- the connection -----------------------------------------------------------------------

    def connect(self, url: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Connect; a connection from before is closed first.

        Args:
            url: where to, if not to the plan's URL.
            headers: further headers, such as a token of this client's own.

        Raises:
            NotConnected: it failed, for a reason that is counted.
        """
        self._check_plan()
        self.end_connection()
        member = self._member
        member.websocket = member.swarm.make_websocket(url, tuple((headers or {}).items()))
        intended, self.intended = self.intended, None
        if not member.connect(intended):
            self._check_plan()
            raise NotConnected(f"client {self.number} could not connect")
        self._inbox.clear()
        self._end = None
        self._is_started = True
        gevent.spawn_raw(self._read)
        self._check_plan()

    def close(self) -> None:
        """Close the connection, and wait until that is done."""
        self.end_connection()
        self._check_plan()

    def send(self, message: Message) -> None:
        """Send a text (str) or binary (bytes) message; return when the kernel has it.

        Raises:
            NotConnected: there is no connection.
            ConnectionLost: it has ended.
        """
        self._check_plan()
        self._send(message)

    def request(
        self, message: Message, match: Match | None = None, timeout: float | None = None
    ) -> Message:
        """Send a message, wait for the answer, and return it; its round trip is recorded.

        Args:
            message: what to send.
            match: the answer, word for word, or a function that is called with each message
                that comes behind it and tells whether it is the answer. None takes the first.
            timeout: seconds to wait, if not the plan's `request_timeout`.

        Raises:
            RequestTimeout: no answer came in time.
            NotConnected, ConnectionLost: see `send`.
        """
        self._check_plan()
        # What is unread by now was there before, and cannot be the answer.
        self._looked = len(self._inbox)
        sent_at = clock()
        self._send(message)
        answer, came_at = self._await(match, timeout)
        self._member.swarm.metrics.rtt.record(int((came_at - sent_at) * 1e6))
        return answer

    def expect(self, match: Match | None = None, timeout: float | None = None) -> Message:
        """Wait for a message, and return it; those before it stay unread.

        See `request` for the arguments and what is raised.
        """
        self._check_plan()
        self._looked = 0
        return self._await(match, timeout)[0]

    def events(self) -> Iterator[Event]:
        """Yield each message, as the events `Text` and `Binary`, and `Disconnected` as the last.

        At the end of the load it raises PlanOver.
        """
        while True:
            self._check_plan()
            if self._inbox:
                yield self._inbox.popleft()[0]
            elif self._end is not None:
                yield self._end
                return
            else:
                self._check_connection()
                self._wait(None)

    # ---- time, and judgement --------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Do nothing for so long; pings and messages are dealt with meanwhile."""
        until = clock() + seconds
        self._check_plan()
        while (left := until - clock()) > 0:
            self._wait(left)
            self._check_plan()

    def check(self, name: str, condition: object) -> bool:
        """Count whether a condition holds, under a name; return whether it does."""
        outcome = self._member.swarm.metrics.checks[name]
        if condition:
            outcome[0] += 1
            return True
        outcome[1] += 1
        self._member.swarm.metrics.note_error("check", "mismatch")
        return False

    def timer(self, name: str) -> Timer:
        """Return a context manager that records how long its block takes, as "timer.<name>".

        A block that raises is not recorded.
        """
        return Timer(self._member.swarm.metrics.timers[name])

    # ---- between the function and the connection ------------------------------------------------

    def take(self, event: Event) -> None:
        """Keep an event for whoever waits; the reading greenlet calls this."""
        if isinstance(event, Text | Binary):
            if len(self._inbox) >= MOST_UNREAD:
                self._drop_oldest()
            self._inbox.append((event, clock()))
        elif isinstance(event, Disconnected):
            self._end = event
        else:
            return
        self._signal.set()

    def look_up(self) -> None:
        """Have whoever waits look at what has changed."""
        self._signal.set()

    def give_up(self) -> None:
        """End every wait, whether or not something is to come."""
        self._is_given_up = True
        self._signal.set()

    def end_connection(self) -> None:
        """Close the connection if there is one, and wait for its end."""
        member = self._member
        if not self._is_started:
            return
        if member.is_open:
            member.close()
        # The reading greenlet has its own time-outs.
        while self._is_started:
            self._wait(None)

    def _drop_oldest(self) -> None:
        self._inbox.popleft()
        self._looked = max(0, self._looked - 1)
        self._member.swarm.metrics.note(
            f"a client had more than {MOST_UNREAD:,} unread messages: it dropped the oldest"
        )

    def _read(self) -> None:
        try:
            self._member.stay()
        finally:
            self._is_started = False
            self._signal.set()

    def _send(self, message: Message) -> None:
        self._check_connection()
        member, metrics = self._member, self._member.swarm.metrics
        try:
            if isinstance(message, str):
                member.websocket.send_text(message)
            else:
                member.websocket.send_binary(message)
        except WebSocketError as error:
            raise ConnectionLost(str(error)) from error
        metrics.messages_sent += 1
        metrics.bytes_sent += len(message.encode() if isinstance(message, str) else message)

    def _await(self, match: Match | None, timeout: float | None) -> tuple[Message, float]:
        seconds = self._member.swarm.plan.request_timeout if timeout is None else timeout
        deadline = clock() + seconds
        self.is_waiting = True
        try:
            while (found := self._find(match)) is None:
                self._check_connection()
                if self._is_given_up:
                    self._member.swarm.metrics.requests_unfinished += 1
                    raise PlanOver
                if clock() >= deadline:
                    raise self._time_out(seconds)
                self._wait(deadline - clock())
            return found
        finally:
            self.is_waiting = False

    def _find(self, match: Match | None) -> tuple[Message, float] | None:
        while self._looked < len(self._inbox):
            event, came_at = self._inbox[self._looked]
            message = event.text if isinstance(event, Text) else event.data
            if match is None or (match(message) if callable(match) else match == message):
                del self._inbox[self._looked]
                return message, came_at
            # Not looked at again: a function may be dear, or count.
            self._looked += 1
        return None

    def _time_out(self, seconds: float) -> RequestTimeout:
        metrics = self._member.swarm.metrics
        metrics.requests_timed_out += 1
        metrics.note_error("request", "timeout")
        return RequestTimeout(f"client {self.number} got no such message within {seconds:g} s")

    def _wait(self, seconds: float | None) -> None:
        self._signal.clear()
        self._signal.wait(seconds)

    def _check_connection(self) -> None:
        if self._end is not None:
            raise ConnectionLost(f"the connection has ended: {self._end.reason}")
        if not self._member.is_open:
            raise NotConnected("connect() comes first")

    def _check_plan(self) -> None:
        if self._member.is_leaving:
            raise PlanOver
