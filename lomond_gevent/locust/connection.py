"""The connection of a socket: made, read, ended, and made again.

One greenlet for each socket reads, `_live`; it begins where the first attempt has succeeded or
failed, and ends with the socket. Every attempt, end and ping is a row. What messages mean is for
the `traffic` that they are handed to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

import gevent
from gevent import GreenletExit
from locust.exception import StopTest, StopUser

from lomond.errors import WebSocketError
from lomond.events import (
    Binary,
    Closing,
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
from lomond_gevent.locust import connections
from lomond_gevent.locust.notices import say_once
from lomond_gevent.locust.reply import cut_short_by
from lomond_gevent.locust.rows import WS, AbnormalClose, ConnectFailed, Interrupted, NoPong
from lomond_gevent.locust.target import Target

if TYPE_CHECKING:
    from lomond_gevent.locust.traffic import Traffic

_MESSAGES = (Text, Binary)
# How long after `close_timeout` an end that was asked for is enforced, in seconds.
_PATIENCE = 0.5


class Connection:
    """What one call of `connect` has begun, until the next or the end of the user."""

    def __init__(self, traffic: Traffic, target: Target) -> None:
        self._traffic = traffic
        self._user = traffic.user
        self._target = target
        self._next_delay = traffic.user.ws_reconnect.begin()
        self._reader: Any = None
        self.is_open = False
        """Set between the server's agreement and the end."""
        self.can_send = False
        """Set from then until one side begins to close."""
        # When `close` was called, by `perf_counter`; a connection that ends then stays away.
        self._left_at: float | None = None
        # What the connection that is open, or was, has come to.
        self._ready_at = 0.0
        self._may_pass = True
        self._said = ""
        # The ping that is under way: its data, and when it was sent.
        self._ping = b""
        self._pinged_at: float | None = None
        self._pings = 0

    # ---- the user's side ----------------------------------------------------------------------

    @property
    def will_return(self) -> bool:
        """Tell whether it is open or will be again, unless the server does not let it."""
        return self._reader is not None and not self._reader.dead and self._left_at is None

    @property
    def is_reading(self) -> bool:
        """Tell whether this is the greenlet that reads."""
        return gevent.getcurrent() is self._reader

    @property
    def url(self) -> str:
        """Return where to, without what may be secret."""
        return self._target.url

    @property
    def websocket(self) -> Any:
        """Return the `lomond.WebSocket`."""
        return self._target.websocket

    def start(self) -> bool:
        """Connect, in this greenlet, and have the reader go on; return whether it worked.

        The reader begins when this greenlet waits for something: what the server says first
        finds whoever waits for it.
        """
        events = self._attempt()
        delay = 0.0 if events is not None else self._next_delay(0.0, self._may_pass)
        if delay is None:
            return False
        self._reader = gevent.spawn(self._live, events, delay)
        return events is not None

    def begin_close(self, code: int, reason: str) -> None:
        """Say goodbye if there is a connection, and make no other."""
        if self._left_at is None:
            self._left_at = perf_counter()
        self.can_send = False
        if self.is_open:
            self._target.websocket.close(code, reason)

    def finish(self) -> None:
        """Wait for the end of the reader, for a bounded time; whatever comes, it has ended then."""
        reader = self._reader
        if self.is_reading:
            return
        try:
            if self.is_open and reader is not None:
                reader.join(self._user.ws_close_timeout + _PATIENCE)
        finally:
            # It waits before another attempt, or is in the middle of it. Or this one is killed.
            if reader is not None:
                reader.kill(block=False)
            if self.is_open and (reader is None or reader.dead):
                # It has never run: this one was killed first, or a listener stopped the user.
                self._target.websocket.force_disconnect()
                self._note_cut_short()

    def note_failed_send(self) -> None:
        """Have who wants to send wait for the next connection, where this one ends."""
        if not self._target.websocket.is_active:
            self.can_send = False

    # ---- the reader ---------------------------------------------------------------------------

    def _live(self, events: Iterator[Event] | None, delay: float | None) -> None:
        try:
            if events is not None:
                delay = self._stay(events)
            while delay is not None and self._left_at is None:
                gevent.sleep(delay)
                delay = self._stay(self._attempt())
        except (StopUser, StopTest) as error:
            # The policy's, or of a listener to rows: it is meant for the user.
            self._user.end(error)
        except KeyboardInterrupt:
            # It is raised in whichever greenlet runs, and meant for the main one.
            hub: Any = gevent.get_hub()
            hub.loop.run_callback(hub.parent.throw, KeyboardInterrupt)
        finally:
            self._traffic.look_up()

    def _stay(self, events: Iterator[Event] | None) -> float | None:
        """Read to the end, if an attempt has succeeded; return when to make the next."""
        seconds = 0.0
        if events is not None:
            self._converse(events)
            seconds = perf_counter() - self._ready_at
        return self._next_delay(seconds, self._may_pass) if self._left_at is None else None

    def _attempt(self) -> Iterator[Event] | None:
        """Connect once; return the events from then on, or None if it failed."""
        began, start_time = perf_counter(), time()
        context: dict[str, Any] = {}
        failure: Exception | None = None
        try:
            events = self._target.websocket.connect(**self._target.times)
            for event in events:
                if isinstance(event, Connected):
                    context["phases"] = {key: 1000 * value for key, value in event.timings.items()}
                elif isinstance(event, Ready):
                    self._note_open(began, start_time, context, event)
                    return events
                elif failure is None:
                    failure = self._explain(event, context)
        except (GreenletExit, gevent.Timeout) as error:
            # The user was stopped, or did not want to wait so long.
            self._fire("connect", None, cut_short_by(error), context, start_time)
            raise
        text = f"{failure} ({context.get('reason')})"
        say_once(self._user.environment, text, text)
        self._fire("connect", perf_counter() - began, failure, context, start_time)
        return None

    def _note_open(
        self, began: float, start_time: float, context: dict[str, Any], event: Ready
    ) -> None:
        self._ready_at = now = perf_counter()
        self._said, self._pinged_at = "", None
        self.is_open = self.can_send = True
        connections.opened(self._user.environment)
        phases = context.get("phases", {})
        phases["upgrade"] = max(0.0, 1000 * (now - began) - sum(phases.values()))
        context["subprotocol"] = event.protocol
        self._traffic.look_up()
        self._fire("connect", now - began, None, context, start_time, len(event.response.raw))

    def _explain(self, event: Event, context: dict[str, Any]) -> Exception | None:
        if isinstance(event, Rejected):
            self._may_pass = event.retryable
            context["reason"] = event.reason
            status = event.response.status_code
            return ConnectFailed(f"rejected with {status}" if status != 101 else "rejected")
        if isinstance(event, ConnectFail | Disconnected):
            self._may_pass = event.retryable
            context["reason"] = event.reason
            return ConnectFailed(f"cannot connect: {event.kind}")
        return None

    def _converse(self, events: Iterator[Event]) -> None:
        take = self._traffic.take
        try:
            for event in events:
                if isinstance(event, _MESSAGES):
                    take(event)
                else:
                    self._note(event)
        finally:
            if self.is_open:
                # Killed while it was open.
                self._note_cut_short()

    def _note(self, event: Event) -> None:
        if isinstance(event, Poll):
            self._send_ping()
        elif isinstance(event, Pong):
            self._note_pong(event)
        elif isinstance(event, Closing):
            self._said = event.reason
            # RFC 6455 §5.5.1: the server sends nothing after its Close frame, and takes no data
            # after ours, which answers it. TCP may stay for long.
            self.can_send = False
            self._traffic.note_loss()
        elif isinstance(event, Disconnected):
            self._note_closed()
            self._may_pass = event.retryable
            self._fire_close(event)

    def _note_closed(self) -> None:
        self.is_open = self.can_send = False
        connections.closed(self._user.environment)
        self._traffic.note_loss()

    def _note_cut_short(self) -> None:
        self._note_closed()
        # What a listener says of the user has come about already: it ends.
        with suppress(StopUser, StopTest):
            self._fire("close", None, Interrupted(), {"code": 1006, "reason": ""})

    # ---- rows ---------------------------------------------------------------------------------

    def _fire_close(self, event: Disconnected) -> None:
        context = {"code": event.code, "reason": self._said or event.reason}
        seconds, failure = None, None
        if self._left_at is not None:
            seconds = perf_counter() - self._left_at
        is_normal = self._left_at is not None or event.code in self._user.ws_normal_closes
        if not event.graceful:
            failure = AbnormalClose(f"lost: {event.kind}")
        elif event.closed_by == "server" and not is_normal:
            failure = AbnormalClose(f"closed by the server with {event.code}")
        self._fire("close", seconds, failure, context)

    def _send_ping(self) -> None:
        if not self._user_pings:
            return
        if self._pinged_at is not None:
            self._fire("ping", None, NoPong(), {})
        self._pings += 1
        self._ping = b"%d" % self._pings
        self._pinged_at = perf_counter()
        # An end is told by the events that follow.
        with suppress(WebSocketError):
            self._target.websocket.send_ping(self._ping)

    @property
    def _user_pings(self) -> bool:
        return bool(self._target.times["ping_timeout"])

    def _note_pong(self, event: Pong) -> None:
        if self._pinged_at is not None and event.data == self._ping:
            seconds, self._pinged_at = perf_counter() - self._pinged_at, None
            self._fire("ping", seconds, None, {}, length=len(event.data))

    def _fire(
        self,
        what: str,
        seconds: float | None,
        failure: Exception | None,
        context: Mapping[str, Any],
        start_time: float | None = None,
        length: int = 0,
    ) -> None:
        name = what if self._target.name is None else f"{what} {self._target.name}"
        self._traffic.rows.fire(
            WS,
            name,
            seconds,
            length,
            failure,
            context=context,
            start_time=start_time,
            url=self._target.url,
        )
