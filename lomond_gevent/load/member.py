"""One client of a swarm, in a greenlet of its own: connection after connection, until it leaves.

What a connection is used for is written in subclasses (`echo`, `scenarios`, `client`), in
`converse`: a loop over the events of the connection, so that a message costs little more than
such a loop by itself. All other events, and whatever goes wrong, are counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from struct import Struct
from time import monotonic as clock
from typing import TYPE_CHECKING, Any

from gevent import getcurrent

from lomond.errors import WebSocketError
from lomond.events import (
    Binary,
    Connected,
    ConnectFail,
    Disconnected,
    Event,
    Poll,
    Pong,
    Ready,
    Rejected,
    Text,
)
from lomond.websocket import WebSocket

if TYPE_CHECKING:
    from lomond_gevent.load.swarm import Swarm

# A client whose connection is lost comes back after a wait that doubles, in seconds.
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0

# With these codes, or without one, a server may close what is about to be closed anyway.
GOODBYES = (1000, 1001, 1005)

# What claims to have taken longer, in seconds, is no answer to a ping of ours.
LONGEST_PING = 3600.0
# A ping carries the time that it was sent, so that pongs need no book-keeping.
_PING = Struct("!d")
_PHASES = {"dns": "connect_dns", "tcp": "connect_tcp", "tls": "connect_tls"}


class Member:
    """A client that connects, stays, and comes back when it is lost.

    `run` is its greenlet's. It ends soon after `leave`, at the latest after `hang_up`.
    """

    __slots__ = (
        "_events",
        "_is_connecting",
        "_next_ping",
        "_ready_at",
        "_rejected",
        "greenlet",
        "is_leaving",
        "is_open",
        "is_sending",
        "number",
        "swarm",
        "websocket",
    )

    def __init__(self, swarm: Swarm, number: int) -> None:
        self.swarm = swarm
        self.number = number
        """Of all members of all processes, only this one has it."""
        self.websocket: WebSocket = swarm.make_websocket()
        self.greenlet: Any = None
        """What `run` runs in."""
        self.is_open = False
        """From `Ready` on, until the connection has ended."""
        self.is_leaving = False
        """Set once it is to begin nothing new."""
        self.is_sending = False
        """Set while the pacer's message to it is on the way to the kernel."""
        self._is_connecting = False
        self._events: Iterator[Event] | None = None
        self._ready_at = 0.0
        self._next_ping = 0.0
        # The last refusal of an upgrade.
        self._rejected: Rejected | None = None

    # ---- its life ---------------------------------------------------------------------------

    def run(self, intended: float | None = None) -> None:
        """Live: connect, converse, and come back, until it leaves.

        `intended` is when it was to connect, where that follows a schedule (monotonic seconds).
        """
        self.greenlet = getcurrent()
        try:
            self.live(intended)
        finally:
            self.is_leaving = True
            self.swarm.settle(self)
            self.swarm.bury(self)

    def live(self, intended: float | None) -> None:
        """Connect and converse, again and again."""
        wait = FIRST_WAIT
        while not self.is_leaving:
            if self.connect(intended):
                wait = FIRST_WAIT
                self.stay()
            self.swarm.settle(self)
            intended = None
            # Those who were lost together do not come back together.
            self.swarm.rest(wait * self.swarm.chance.uniform(0.5, 1.5))
            wait = min(2 * wait, LONGEST_WAIT)

    def connect(self, intended: float | None = None) -> bool:
        """Connect, once it is let through the door; tell whether the connection is ready."""
        swarm = self.swarm
        if intended is not None:
            # On a schedule: a door would hold the next one back until these are through.
            return self._dial(intended)
        with swarm.door:
            return False if self.is_leaving else self._dial(clock())

    def stay(self) -> None:
        """Use a connection that is ready until it ends."""
        assert self._events is not None, "a connection is used once it is ready"
        try:
            self.converse(self._events)
        finally:
            self._events = None
            if self.is_open:
                # Killed, or the scenario has raised: nobody will see how it ended.
                self._part("closing", "close_timeout" if self.is_leaving else "forced", None)

    def converse(self, events: Iterator[Event]) -> None:
        """Use a connection, to the last of its events."""
        for event in chain(self.first_message(events), events):
            self.note(event)

    # ---- what others ask of it ----------------------------------------------------------------

    def leave(self) -> None:
        """Begin nothing new, and close as soon as nothing is under way; returns at once."""
        self.is_leaving = True
        if self._is_connecting:
            if self.swarm.is_interrupted:
                self.close()
        elif not self.is_waiting:
            self.close()

    def hang_up(self) -> None:
        """Close now, whatever is still under way, which counts as unfinished."""
        self.is_leaving = True
        self.close()

    def close(self) -> None:
        """Begin the closing handshake, or give up connecting."""
        self.websocket.close(1000, "")

    @property
    def is_waiting(self) -> bool:
        """Return whether an answer is still to come."""
        return False

    def enter(self) -> None:
        """Take part in the load, now that it is connected."""
        self.swarm.join(self)

    @property
    def has_turns(self) -> bool:
        """Return whether messages of a schedule are for this one as well."""
        return True

    def begin(self, due: float) -> None:
        """Begin to do what the scenario is about: the load has begun, and it is connected."""

    def send_due(self, due: float) -> None:
        """Send the message that is due; the pacer calls this, and it may wait for the kernel."""

    def check_deadline(self, now: float) -> None:
        """Count answers that did not come in time."""

    # ---- connecting ---------------------------------------------------------------------------

    def _dial(self, began: float) -> bool:
        metrics = self.swarm.metrics
        metrics.connections_attempted += 1
        self._is_connecting = True
        try:
            swarm = self.swarm
            session_class = swarm.session_classes[self.number % len(swarm.session_classes)]
            events = self.websocket.connect(session_class, **swarm.connect_options)
            return self._open(events, began)
        finally:
            self._is_connecting = False

    def _open(self, events: Iterator[Event], began: float) -> bool:
        reached = began
        for event in events:
            kind = type(event)
            if kind is Ready:
                self._become_ready(events, began, reached)
                return True
            if isinstance(event, Connected):
                reached = clock()
                for phase, seconds in event.timings.items():
                    if phase in _PHASES:
                        getattr(self.swarm.metrics, _PHASES[phase]).record(int(seconds * 1e6))
            elif isinstance(event, Rejected):
                self._rejected = event
            elif isinstance(event, ConnectFail | Disconnected):
                self._fail(event)
        return False

    def _become_ready(self, events: Iterator[Event], began: float, reached: float) -> None:
        swarm, now = self.swarm, clock()
        self._events = events
        self._ready_at = now
        self.is_open = True
        # Spread, or thousands who connected together would ping together ever after.
        self._next_ping = now + swarm.chance.random() * swarm.plan.ping_rate
        swarm.metrics.connections_opened += 1
        swarm.metrics.connect.record(int((now - began) * 1e6))
        swarm.metrics.connect_upgrade.record(int((now - reached) * 1e6))
        swarm.clients += 1
        swarm.settle(self)
        if self.is_leaving:
            self.close()
        else:
            self.enter()

    def _fail(self, event: ConnectFail | Disconnected) -> None:
        metrics = self.swarm.metrics
        if event.kind == "closed" and self.swarm.is_interrupted:
            metrics.connections_unfinished += 1
            return
        kind, reason = str(event.kind), event.reason
        if kind == "rejected" and self._rejected is not None:
            response = self._rejected.response
            # Who answers 101 has accepted, and wrongly.
            is_refusal = response.status_code not in (None, 101)
            kind = f"rejected {response.status_code}" if is_refusal else "protocol"
            reason = self._rejected.reason
            if where := response.get("location"):
                reason += f", to {where}"
        elif kind == "closed":
            # Given up, because the load was over.
            kind = "unfinished"
        metrics.connections_failed += 1
        metrics.note_error(event.phase, kind, reason=reason)

    # ---- while it is open -----------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """Deal with an event that is not the scenario's: polls, pongs, the end."""
        kind = type(event)
        if kind is Poll:
            self._ping()
        elif isinstance(event, Pong):
            if len(event.data) == _PING.size:
                delay = clock() - _PING.unpack(event.data)[0]
                # A server may send pongs unasked, with any eight bytes: a NaN is among them.
                if 0 <= delay < LONGEST_PING:
                    self.swarm.metrics.ping.record(int(delay * 1e6))
        elif isinstance(event, Disconnected):
            self._end(event)
        elif isinstance(event, Text | Binary):
            self.count_received(event)

    def count_received(self, event: Text | Binary) -> None:
        """Count a message that the scenario has no other use for."""
        metrics = self.swarm.metrics
        metrics.messages_received += 1
        metrics.bytes_received += measure_payload(event)

    def first_message(self, events: Iterator[Event]) -> Iterator[Event]:
        """Wait for the first message, and note how long it took; yield it, if one came."""
        for event in events:
            if isinstance(event, Text | Binary):
                self.note_first_message()
                yield event
                return
            self.note(event)

    def note_first_message(self) -> None:
        """Note how long the first message took."""
        self.swarm.metrics.first_message.record(int((clock() - self._ready_at) * 1e6))

    def _ping(self) -> None:
        rate = self.swarm.plan.ping_rate
        now = clock()
        if not rate or now < self._next_ping or self.websocket.is_closing:
            return
        self._next_ping = max(self._next_ping + rate, now)
        try:
            self.websocket.send_ping(_PING.pack(now))
        except WebSocketError:
            # The events tell what has become of the connection.
            return

    def _end(self, event: Disconnected) -> None:
        kind: str = event.kind
        if event.graceful and event.closed_by == "server":
            kind = f"closed {event.code}"
        is_wanted = event.graceful and self.is_content(event)
        self._part(event.phase, None if is_wanted else kind, event.code, event.reason)

    def is_content(self, event: Disconnected) -> bool:
        """Return whether it is right for the connection to have ended now, by both sides' will."""
        return event.closed_by == "client" or (self.is_leaving and event.code in GOODBYES)

    def _part(self, phase: str, kind: str | None, code: int | None, reason: str = "") -> None:
        swarm, metrics = self.swarm, self.swarm.metrics
        self.is_open = False
        swarm.clients -= 1
        metrics.session.record(int((clock() - self._ready_at) * 1e6))
        if code is not None:
            metrics.close_codes[code] += 1
        if kind is None:
            metrics.connections_closed += 1
        else:
            metrics.connections_lost += 1
            metrics.note_error(phase, kind, reason=reason)
        swarm.part(self)
        unfinished = metrics.requests_unfinished
        self.abandon()
        if kind is not None and metrics.requests_unfinished > unfinished:
            metrics.connections_cut_off += 1

    def abandon(self) -> None:
        """Forget what was under way: its connection has ended."""


def measure_payload(event: Text | Binary) -> int:
    """Return how many bytes a message has."""
    if isinstance(event, Binary):
        return len(event.data)
    text = event.text
    return len(text) if text.isascii() else len(text.encode())
