"""`WebSocketClient`: the socket of a user, as tasks use it.

    def on_start(self):
        self.ws.connect("/rooms/42", subprotocols=["chat.v2"])

    @task
    def say(self):
        with self.ws.request("say", json={"id": self.ws.next_id()}, match="id", timeout=5) as reply:
            if reply.json["status"] != "ok":
                reply.failure("not accepted")

What goes wrong in the network is a row and never raises. Whoever waits lets the other users go on.
What sends, reads and waits is in `traffic`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from json import dumps, loads
from math import inf
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from locust.exception import StopTest, StopUser

from lomond_gevent.locust.correlation import Match, Message, Predicate, make_rule
from lomond_gevent.locust.inbox import MOST_UNREAD, Inbox, OnMessage, PushName, SentAt
from lomond_gevent.locust.reply import Reply, Request
from lomond_gevent.locust.rows import WSS, ConnectionLost, Interrupted, NotConnected, Rows
from lomond_gevent.locust.target import Headers, make_target
from lomond_gevent.locust.traffic import Traffic

if TYPE_CHECKING:
    from lomond_gevent.locust.user import WebSocketUser

_UNSET: Any = object()


class WebSocketClient:
    """One socket of a user. It may connect again and again, to one server after the other."""

    def __init__(
        self,
        user: WebSocketUser,
        on_message: OnMessage | None = None,
        push_name: PushName | None = None,
        sent_at: SentAt | None = None,
    ) -> None:
        """Open nothing yet; the functions are those of `WebSocketUser` by these names."""
        self.user = user
        rows = Rows(user)
        self._traffic = Traffic(user, rows, Inbox(user, rows, on_message, push_name, sent_at))
        self._last_id = 0

    # ---- the connection -----------------------------------------------------------------------

    def connect(
        self,
        path: str = "",
        *,
        subprotocols: Iterable[str] | None = None,
        headers: Headers | None = None,
        name: str | None = None,
        timeout: float | None = None,
    ) -> bool:
        """Connect, and return whether it worked; either way there is a row.

        A connection of this socket from before is closed first. What happens after a failure or
        a loss is up to the user's `ws_reconnect`; by default it connects again in the background.

        Args:
            path: a path with its query, at the user's host, of which http:// becomes ws:// and
                https:// wss://; or a whole URL.
            subprotocols: names to offer, if not those of the class or the command line.
            headers: further headers of the upgrade request. Of one name, these count.
            name: what its rows are called: "connect", "ping" and "close" followed by the name, and
                the name alone for the messages that it receives. Without one, "message".
            timeout: seconds for look-up, TCP, TLS and upgrade together, if not the class's
                `ws_connect_timeout`.

        Raises:
            StopTest: there is no host, or it is no URL. The user ends, and the run fails.
            StopUser: it failed, and `ws_reconnect` says so.
            TypeError, ValueError: an argument or an option cannot be used.
        """
        try:
            target = make_target(
                self.user,
                path,
                subprotocols=subprotocols,
                headers=headers,
                name=name,
                timeout=timeout,
            )
        except StopTest as error:
            self.user.note_wrong_host(error)
            raise
        self.close()
        self._traffic.inbox.rename(name or "message")
        return self._traffic.connect(target)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, if there is one, and wait until that is done.

        The server has the user's `ws_close_timeout` for its answer. Does not raise for want of
        one. Called from `on_message` it does not wait.
        """
        self._traffic.begin_close(code, reason)
        self._traffic.finish()

    @property
    def traffic(self) -> Traffic:
        """Return what is underneath, for the user that ends it."""
        return self._traffic

    @property
    def is_connected(self) -> bool:
        """Tell whether messages can be sent."""
        return self._traffic.is_connected

    @property
    def websocket(self) -> Any:
        """Return the `lomond.WebSocket` underneath; None before `connect`."""
        connection = self._traffic.connection
        return None if connection is None else connection.websocket

    # ---- messages -----------------------------------------------------------------------------

    def next_id(self) -> int:
        """Return a number that this socket has not given before: 1, 2, 3 ..."""
        self._last_id += 1
        return self._last_id

    def request(
        self,
        name: str,
        data: str | bytes | None = None,
        *,
        text: str | None = None,
        json: Any = _UNSET,
        match: Match = None,
        timeout: float | None = None,
    ) -> Request:
        """Return a message to send and its reply, for a `with` statement; the row is "WSC name".

        The block begins when the reply has come, or will not: then the row is a failure, and the
        block ends where it looks at the reply. It is the block that judges, see `Request`. A
        user that is killed meanwhile leaves a row "WSC name (interrupted)", without a time and
        no failure, see `ws_fail_interrupted`; a `gevent.Timeout` around it the failure "given up
        by the script". A reply that comes when nobody waits for it any more is a row "WSR name
        (late)", with the time it took.

        Args:
            name: what the row is called. Locust keeps a line for each name: no numbers in it.
            data: the message, text or binary.
            text: a text message.
            json: what is sent as JSON, in a text message.
            match: how the reply is known. None: it is the next message, and those to several
                requests come in their order, late ones included. A server that leaves out a
                reply puts all that follow off by one, until the next `connect`: give a `match`
                where that may be. "id": it has the same value there as the request,
                which is JSON; "a.b" is "b" in "a". ("id", "re"): it has under "re" what the
                request has under "id". Or a function, given each message (an event `Text` with
                `text` and `json`, or `Binary` with `data`) that tells whether it is the one. One
                message answers one request: several replies in one message cannot be told apart.
                A request whose value is sent again meanwhile fails, "superseded by a later
                request".
            timeout: seconds to wait for a connection and the reply, if not the class's
                `ws_timeout`.

        Raises:
            TypeError: not exactly one message was given.
            ValueError: `match` names what the request has not.
        """
        payload = _encode(data, text, json)
        rule = make_rule(match, lambda: loads(payload) if json is _UNSET else json)
        return Request(self._traffic, name, payload, rule, self._limit(timeout))

    def call(
        self,
        name: str,
        data: str | bytes | None = None,
        *,
        text: str | None = None,
        json: Any = _UNSET,
        match: Match = None,
        timeout: float | None = None,
    ) -> Reply:
        """Send a message, wait for its reply, and return it: `request` without a judgement.

        Whether there is one says `ok`. Looking at one that never came ends the task, or
        `on_start`: then the tasks begin.
        """
        with self.request(
            name, data, text=text, json=json, match=match, timeout=timeout
        ) as request:
            pass
        return request

    def send(
        self,
        name: str,
        data: str | bytes | None = None,
        *,
        text: str | None = None,
        json: Any = _UNSET,
    ) -> bool:
        """Send a message that has no reply; return whether it has left. The row is "WSS name".

        The row has no time. See `request` for the arguments. A connection that is about to
        return is waited for, the class's `ws_timeout` at most.
        """
        payload = _encode(data, text, json)
        start_time = time()
        error: Exception | None = Interrupted()
        try:
            if not self._traffic.await_connection(perf_counter() + self.user.ws_timeout):
                error = NotConnected()
            else:
                error = None if self._traffic.transmit(payload) else ConnectionLost()
        finally:
            length = 0 if error else len(payload.encode() if isinstance(payload, str) else payload)
            self._traffic.rows.fire(
                WSS, name, None, length, error, start_time=start_time, url=self._traffic.url
            )
        return error is None

    def expect(
        self, name: str, predicate: Predicate | None = None, timeout: float | None = None
    ) -> Reply:
        """Wait for a message that the server sends of its own accord. The row is "WSR name".

        Messages that came before the call are not looked at, so for the answer to something sent
        use `request`. The row has a time only where `sent_at` of the user knows it; how long it
        was waited for is in `seconds`. When the user is told to stop, waiting ends by StopUser.

        Args:
            name: what the row is called.
            predicate: given each message that no request waits for, tells whether it is the one;
                None takes the first.
            timeout: seconds to wait, if not the class's `ws_timeout`.
        """
        reply = Reply(name, predicate or _is_any)
        reply.stays_late = False
        self._traffic.begin(reply, self._limit(timeout))
        if self._traffic.await_connection(reply.deadline):
            try:
                self._traffic.replies.ask(reply)
                self._traffic.replies.wait(reply)
            finally:
                self._traffic.replies.forget(reply)
        else:
            reply.error = NotConnected()
        if isinstance(reply.error, Interrupted):
            raise StopUser
        self._traffic.inbox.fire(name, reply.message, reply.error)
        return reply

    def events(self, timeout: float | None = None) -> Iterator[Message]:
        """Yield each message that nobody waits for, as the events `Text` and `Binary`.

        Ends when the user is told to stop, when the connection has ended and will not return, and
        `timeout` seconds after the last message. Meanwhile `on_message` is not called. Of
        messages that are not taken the newest 1,000 are kept. Where nothing can come, it takes
        0.1 seconds to end, and each time longer, up to one second.
        """
        unread: deque[Message] = deque(maxlen=MOST_UNREAD)
        self._traffic.inbox.unread = unread
        try:
            deadline = inf if timeout is None else perf_counter() + timeout
            if self._traffic.is_stopping:
                self._traffic.rest(deadline)
            while not self._traffic.is_stopping:
                if unread:
                    yield unread.popleft()
                    deadline = inf if timeout is None else perf_counter() + timeout
                elif not self._traffic.will_return:
                    self._traffic.rest(deadline)
                    return
                elif not self._traffic.wait_for_change(deadline):
                    return
        finally:
            self._traffic.inbox.unread = None

    def _limit(self, timeout: float | None) -> float:
        return self.user.ws_timeout if timeout is None else timeout


def _is_any(_message: Message) -> bool:
    return True


def _encode(data: str | bytes | None, text: str | None, json: Any) -> str | bytes:
    """Return the message that was given in one of three ways; TypeError unless it is one."""
    given = [value for value in (data, text) if value is not None]
    if json is not _UNSET:
        given.append(dumps(json))
    if len(given) != 1 or not isinstance(given[0], str | bytes):
        raise TypeError("give the message as data= (str or bytes), text= or json=, one of them")
    return given[0]
