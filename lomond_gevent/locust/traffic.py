"""The traffic of a socket, underneath the calls of tasks: what is sent, and what comes of it.

It stands between three: tasks, which send and wait; the reader, which hands over what comes; and
the user, which ends. The connection itself is in `connection`.
"""

from __future__ import annotations

from math import inf
from time import perf_counter, time
from typing import TYPE_CHECKING

from gevent.event import Event as Signal
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from lomond.errors import WebSocketError
from lomond_gevent.locust.connection import Connection
from lomond_gevent.locust.correlation import Message
from lomond_gevent.locust.inbox import Inbox
from lomond_gevent.locust.notices import say_once
from lomond_gevent.locust.replies import Replies
from lomond_gevent.locust.reply import Reply, Request, cut_short_by
from lomond_gevent.locust.rows import (
    WSC,
    WSR,
    ConnectionLost,
    Interrupted,
    NotConnected,
    Rows,
)
from lomond_gevent.locust.target import Target

if TYPE_CHECKING:
    from lomond_gevent.locust.user import WebSocketUser

# What needs a connection that will not return takes so long, in seconds, and each time twice as
# long: a user without a wait_time would otherwise do nothing else than fail.
_SHORTEST_REST = 0.1
_LONGEST_REST = 1.0


class Traffic:
    """What one socket of a user sends and receives."""

    __slots__ = ("_change", "_next_rest", "connection", "inbox", "replies", "rows", "user")

    def __init__(self, user: WebSocketUser, rows: Rows, inbox: Inbox) -> None:
        self.user = user
        self.rows = rows
        self.inbox = inbox
        self.replies = Replies(user.ws_max_pending)
        self.connection: Connection | None = None
        # Set whenever something has changed for whoever waits, other than for a reply.
        self._change = Signal()
        self._next_rest = _SHORTEST_REST

    @property
    def is_connected(self) -> bool:
        """Tell whether messages can be sent."""
        return self.connection is not None and self.connection.can_send

    @property
    def will_return(self) -> bool:
        """Tell whether there is a connection, or will be again."""
        return self.connection is not None and self.connection.will_return

    @property
    def is_stopping(self) -> bool:
        """Tell whether the user was told to stop."""
        return self.user._state == LOCUST_STATE_STOPPING

    @property
    def url(self) -> str | None:
        """Return where the connection goes to, without what may be secret."""
        return None if self.connection is None else self.connection.url

    # ---- tasks ----------------------------------------------------------------------------------

    def connect(self, target: Target) -> bool:
        """Connect, and have the reader go on."""
        self.connection = Connection(self, target)
        self.inbox.has_left = False
        self._next_rest = _SHORTEST_REST
        return self.connection.start()

    def exchange(self, request: Request) -> None:
        """Send a request and wait for what comes of it; `Request` calls this."""
        self.begin(request, request.seconds_to_wait)
        if not self.is_connected:
            if not self.await_connection(request.deadline):
                request.error = NotConnected()
                return
            request.start_time, request.began = time(), perf_counter()
        is_sent = False
        try:
            self.replies.ask(request)
            if self.transmit(request.payload):
                is_sent = True
                self.replies.wait(request)
            else:
                self.replies.forget(request)
                request.error = ConnectionLost()
        except BaseException as error:
            # Killed, or a function of the user's has raised. Never a success.
            if is_sent or not isinstance(error, Exception):
                # A part of it may have left: the rest will, before anything else.
                self.replies.give_up(request)
            else:
                self.replies.forget(request)
            self.fire_reply(request, request.error or cut_short_by(error))
            raise

    def fire_reply(self, request: Request, exception: Exception | None) -> None:
        """Fire the row of a request; `Request` calls this."""
        self.rows.fire(
            WSC,
            request.name,
            request.seconds,
            request.length,
            exception,
            start_time=request.start_time,
            response=request,
            url=self.url,
        )

    # ---- the reader -----------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Deal with a message; the reader calls this."""
        reply = self.replies.find(message)
        if reply is None:
            self.inbox.take(message)
            if self.inbox.unread:
                self._change.set()
        elif reply.is_late:
            self._take_late(reply)

    def _take_late(self, reply: Reply) -> None:
        name = f"{reply.name} (late)"
        self.rows.fire(
            WSR, name, reply.seconds, reply.length, start_time=reply.start_time, response=reply
        )
        if reply.rule is None and any(other.rule is None for other in self.replies.waiting()):
            say_once(
                self.user.environment,
                f"order of {reply.name}",
                f"{reply.name!r}: a message was taken for the late reply to an earlier request, as "
                "replies come in the order of requests. If the server has left out one, all that "
                "follow are off by one: use match=, or connect again",
            )

    def note_loss(self) -> None:
        """Have nobody wait for what cannot come any more; the reader calls this."""
        self.replies.fail_all(ConnectionLost)
        self._change.set()

    def look_up(self) -> None:
        """Have whoever waits for the connection look at it."""
        self._change.set()

    # ---- the user's end -------------------------------------------------------------------------

    def note_stop(self) -> None:
        """Have whoever waits for what need not come know that the user is told to stop."""
        for reply in self.replies.waiting():
            if not reply.stays_late:
                self.replies.fail(reply, Interrupted())
        self._change.set()

    def begin_close(self, code: int, reason: str) -> None:
        """Say goodbye, if there is a connection, and do not come back."""
        self.inbox.has_left = True
        if self.connection is not None:
            self.connection.begin_close(code, reason)

    def finish(self) -> None:
        """Wait for the end of the connection, for a bounded time."""
        if self.connection is not None:
            self.connection.finish()
        if self.connection is None or not self.connection.is_reading:
            self.replies.stop()

    # ---- waiting --------------------------------------------------------------------------------

    def begin(self, reply: Reply, seconds: float) -> None:
        """Begin the time of a reply; RuntimeError where it could not be waited for."""
        if self.connection is not None and self.connection.is_reading:
            raise RuntimeError(
                f"{reply.name!r} cannot be waited for in on_message, where its reply would have "
                "to be read: do it in a greenlet of its own, gevent.spawn(...)"
            )
        reply.start_time = time()
        reply.began = perf_counter()
        reply.deadline = reply.began + seconds

    def transmit(self, payload: str | bytes) -> bool:
        """Send a message; return whether it has left."""
        connection = self.connection
        assert connection is not None, "it is open"
        try:
            if isinstance(payload, str):
                connection.websocket.send_text(payload)
            else:
                connection.websocket.send_binary(payload)
        except WebSocketError:
            connection.note_failed_send()
            return False
        return True

    def await_connection(self, deadline: float) -> bool:
        """Wait until there is a connection; False where there will be none, or not in time."""
        was_stopping = self.is_stopping
        while not self.is_connected:
            if self.is_stopping and not was_stopping:
                raise StopUser
            if not self.will_return:
                self.rest(deadline)
                return False
            if not self.wait_for_change(deadline):
                return False
        return True

    def rest(self, deadline: float) -> None:
        """Let time pass where nothing can be done, until the deadline at most."""
        now = perf_counter()
        seconds = max(_SHORTEST_REST, min(self._next_rest, deadline - now))
        self._next_rest = min(2 * self._next_rest, _LONGEST_REST)
        self.wait_for_change(now + seconds)

    def wait_for_change(self, deadline: float) -> bool:
        """Wait until something may have changed; False at the deadline."""
        self._change.clear()
        if deadline == inf:
            return bool(self._change.wait())
        return bool(self._change.wait(max(0.0, deadline - perf_counter())))
