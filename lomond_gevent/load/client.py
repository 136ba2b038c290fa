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
pass (no bare `except:`); `finally` and `with` blocks work as ever. A request that gets no answer,
or a connection that is lost, raises a `ScenarioError`: it is counted, and unless the function
catches it, the client begins anew after a pause. So is a server that says goodbye (1000) to
whoever still waits or sends; who expects that reads `events`. Any other exception is an error of
the scenario, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import monotonic as clock
from typing import TYPE_CHECKING

import gevent

from lomond.errors import WebSocketError
from lomond.events import Event
from lomond_gevent.load.client_errors import ConnectionLost, NotConnected, RequestTimeout
from lomond_gevent.load.inbox import Match, Message
from lomond_gevent.load.metrics import Timer
from lomond_gevent.load.pacer import MOMENT
from lomond_gevent.load.waiting import Waiting

if TYPE_CHECKING:
    from lomond_gevent.load.scripted import ScriptedMember


class Client(Waiting):
    """One client of a load."""

    __slots__ = ("_is_started", "intended")

    def __init__(self, member: ScriptedMember) -> None:
        super().__init__(member)
        self._is_started = False
        self.intended: float | None = None

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
        self._give_way()
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
            self._is_end_counted = True
            self._check_plan()
            raise NotConnected(f"client {self.number} could not connect")
        self._inbox.clear()
        self._end = None
        self._is_end_counted = False
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
                that comes behind it and tells whether it is the answer. None takes the first,
                but passes over as many as requests before it have timed out without a match on
                this connection: these are taken for their late answers.
            timeout: seconds to wait, if not the plan's `request_timeout`.

        Raises:
            RequestTimeout: no answer came in time.
            NotConnected, ConnectionLost: see `send`.
        """
        self._check_plan()
        # What is unread by now was there before, and cannot be the answer.
        self._inbox.look_from_here()
        sent_at = clock()
        self._send(message)
        try:
            answer, came_at = self._await(match, timeout, in_turn=True)
        except RequestTimeout:
            if match is None:
                self._inbox.owe(sent_at)
            raise
        self._member.swarm.metrics.rtt.record(int((came_at - sent_at) * 1e6))
        return answer

    def expect(self, match: Match | None = None, timeout: float | None = None) -> Message:
        """Wait for a message, and return it; those before it stay unread.

        See `request` for the arguments and what is raised.
        """
        self._check_plan()
        self._inbox.look_from_start()
        return self._await(match, timeout, in_turn=False)[0]

    def events(self) -> Iterator[Event]:
        """Yield each message, as the events `Text` and `Binary`, and `Disconnected` as the last.

        At the end of the load it raises PlanOver.
        """
        while True:
            self._check_plan()
            if self._inbox:
                yield self._inbox.pop()
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
        if seconds <= 0:
            gevent.sleep(MOMENT)
        while (left := until - clock()) > 0:
            self._wait(left)
            self._check_plan()

    def check(self, name: str, condition: object) -> bool:
        """Count whether a condition holds, under a name; return whether it does."""
        self._give_way()
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
        self._give_way()
        return Timer(self._member.swarm.metrics.timers[name])

    # ---- between the function and the connection ------------------------------------------------

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
            gevent.sleep(MOMENT)
            raise ConnectionLost(str(error)) from error
        metrics.messages_sent += 1
        metrics.bytes_sent += len(message.encode() if isinstance(message, str) else message)
