"""`WebSocketUser`: Locust's `User` with a WebSocket.

    class Chat(WebSocketUser):
        host = "wss://chat.example.org"
        wait_time = between(1, 3)

It may be mixed with Locust's other users: `class Shop(WebSocketUser, FastHttpUser)` has `self.ws`
and `self.client`, at one host.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from ssl import SSLContext
from typing import Any

import gevent
from gevent import GreenletExit
from locust import User
from locust.exception import StopTest, StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from lomond_gevent.exchange import MOMENT
from lomond_gevent.locust.client import WebSocketClient
from lomond_gevent.locust.correlation import Message
from lomond_gevent.locust.inbox import OnMessage, PushName, SentAt
from lomond_gevent.locust.notices import say_once
from lomond_gevent.locust.reconnecting import BackOff, Reconnect
from lomond_gevent.locust.rows import NoReply


class WebSocketUser(User):
    """A user that has a WebSocket, `self.ws`; see `client.WebSocketClient` for what it does.

    The connection is the user's: when the user ends, for whatever reason, it is closed after
    `on_stop`, within `ws_close_timeout`. What an attribute leaves open, the options of the command
    line decide (`--ws-header` and so on).
    """

    abstract = True

    ws_subprotocols: Sequence[str] | None = None
    """Sub-protocols to offer."""
    ws_headers: Mapping[str, str] | None = None
    """Further headers of the upgrade request."""
    ws_insecure: bool | None = None
    """Accept any certificate."""
    ws_ca: str | None = None
    """A PEM file of trusted authorities."""
    ws_ssl_context_factory: Callable[[], SSLContext] | None = None
    """Makes a TLS context, which all users of a process share; it then decides alone."""
    ws_compress: bool | None = None
    """Offer permessage-deflate."""
    ws_ping: float | None = None
    """Seconds between pings, each of which is a row, 0 for none. A server that is silent for twice
    as long is taken for lost."""
    ws_connect_timeout: float = 30.0
    """Seconds that connecting may take, the upgrade included."""
    ws_timeout: float = 30.0
    """Seconds to wait for a reply, where the call does not say."""
    ws_close_timeout: float = 1.0
    """Seconds that the server has to answer our Close frame."""
    ws_close_code: int = 1001
    """What to close with when the user ends."""
    ws_normal_closes: Collection[int] = (1000, 1005)
    """Close codes of the server that are no failure; 1005 is a Close frame without a code."""
    ws_reconnect: Reconnect = BackOff()
    """What happens when connecting has failed, or a connection that was not closed by the user has
    ended: `BackOff`, `NoReconnect`, `StopUserOnLoss` or a policy of your own."""
    ws_max_pending: int = 1000
    """How many requests a socket remembers, those included whose replies are late. Beyond it the
    oldest is forgotten, and fails if it is still waited for: "superseded by a later request"."""
    ws_each_push: bool = False
    """Fire `events.request` for each received message. Without it those that need no function of
    yours are counted, and enter Locust's statistics once a second: a listener of your own does not
    see them. `run_single_user` has each in any case."""
    ws_fail_interrupted: bool = False
    """Whether what was under way when a user was killed is a failure, "interrupted". It is never a
    success of its name: without this it is a row "name (interrupted)" that has no time and is no
    failure, as nobody has judged it. With --stop-timeout what is under way may finish."""
    ws_clock_offset: float = 0.0
    """How far the server's clock is ahead of ours, in seconds, for `sent_at`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sockets: list[WebSocketClient] = []
        # Runs the tasks, while it does.
        self._runner: Any = None
        self.ws = self.new_websocket()

    def new_websocket(
        self,
        on_message: OnMessage | None = None,
        push_name: PushName | None = None,
        sent_at: SentAt | None = None,
    ) -> WebSocketClient:
        """Return another socket, which ends with the user as well.

        What happens to its messages is up to the functions, by default the user's methods.
        """
        socket = WebSocketClient(
            self,
            on_message or self._overridden("on_message"),
            push_name or self._overridden("push_name"),
            sent_at or self._overridden("sent_at"),
        )
        self._sockets.append(socket)
        return socket

    def _overridden(self, name: str) -> Any:
        """Return a method that a subclass has made its own; None is for what costs nothing."""
        is_own = getattr(type(self), name) is not getattr(WebSocketUser, name)
        return getattr(self, name) if is_own else None

    # ---- to be overridden ---------------------------------------------------------------------

    def on_message(self, message: Message) -> None:
        """Take a message that nobody waits for, an event `Text` or `Binary`.

        Called in the greenlet that reads: it may send, and must not wait for replies. What it
        raises is logged and counted as an error of the user; StopUser ends the user.
        """

    def push_name(self, message: Message) -> str | None:
        """Return what the row of a message that nobody waits for is called; None for as usual.

        Locust keeps a line for each name: let there be few.
        """

    def sent_at(self, message: Message) -> float | None:
        """Return when the server sent a message, in seconds since the epoch, if that tells.

        Then its row has a time. See `ws_clock_offset` as well: what would have come before it was
        sent has no time.
        """

    # ---- Locust's side ------------------------------------------------------------------------

    # Locust calls it final so that nobody breaks it, and has no other place that is reached on
    # every way out: `on_stop` is the user's, and is not called where `on_start` has failed.
    def run(self) -> None:  # type: ignore[misc]
        """Run until the user ends, and end the sockets with it."""
        self._runner = gevent.getcurrent()
        # Of the instance, as subclasses have their own.
        self.on_start = partial(self._begin, self.on_start)  # type: ignore[method-assign]
        # It has no annotations.
        run: Any = super().run
        try:
            run()
        finally:
            self._runner = None
            for socket in self._sockets:
                socket.traffic.begin_close(self.ws_close_code, "")
            for socket in self._sockets:
                socket.traffic.finish()

    def _begin(self, on_start: Callable[[], object]) -> None:
        """Do what `on_start` says, as far as it comes."""
        try:
            on_start()
        except NoReply as error:
            # A row says so already. A task would end by it, and the next begin.
            name = type(self).__name__
            say_once(
                self.environment,
                f"on_start of {name}",
                f"on_start of {name} looked at a reply that never came ({error}), and ended there. "
                "The tasks begin all the same",
            )
        except (StopUser, StopTest):
            # Locust would show a traceback for each user. `on_stop` follows all the same.
            raise GreenletExit from None

    def note_wrong_host(self, error: StopTest) -> None:
        """Have the run fail where there is nothing to connect to, and say so once."""
        say_once(self.environment, "host", str(error))
        self.environment.events.user_error.fire(
            user_instance=self, exception=error, tb=error.__traceback__
        )

    def stop(self, force: bool = False) -> bool:
        """Have the user stop, also where it waits for what may never come.

        Without `force` a task that is under way is finished, and what waits between tasks ends.
        """
        if not force:
            # Locust stops the hub for tens of milliseconds before it gets here. Whose wait is over
            # by now would wake up between being found asleep and being killed for that, with a
            # request under way. So they wake up first; what follows, no timer comes between.
            gevent.sleep(MOMENT)
            gevent.sleep(0)
            if self._state == LOCUST_STATE_STOPPING:
                return False
        is_killed = bool(super().stop(force))
        if not is_killed:
            for socket in self._sockets:
                socket.traffic.note_stop()
        return is_killed

    def end(self, error: BaseException) -> None:
        """Have a StopUser or StopTest raised where the user is, from another greenlet."""
        if self._runner is not None:
            gevent.kill(self._runner, error)
