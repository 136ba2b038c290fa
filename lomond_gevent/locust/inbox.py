"""What becomes of the messages that nobody waits for: counted, named, timed, handed on."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from locust.exception import StopTest, StopUser

from lomond_gevent.locust.correlation import Message
from lomond_gevent.locust.notices import say_once
from lomond_gevent.locust.pushes import Count, pushes_of
from lomond_gevent.locust.reply import length_of
from lomond_gevent.locust.rows import WSR, Rows

if TYPE_CHECKING:
    from lomond_gevent.locust.user import WebSocketUser

logger = logging.getLogger(__name__)

# More unread messages than this, and the oldest are dropped.
MOST_UNREAD = 1000
# A message that was sent further from now than this, in seconds, was not.
_DAY = 86400.0

OnMessage: TypeAlias = Callable[[Message], object]
PushName: TypeAlias = Callable[[Message], str | None]
SentAt: TypeAlias = Callable[[Message], float | None]


class Inbox:
    """The messages that a socket receives unasked."""

    __slots__ = (
        "_count",
        "_name",
        "_on_message",
        "_push_name",
        "_rows",
        "_sent_at",
        "_user",
        "has_left",
        "unread",
    )

    def __init__(
        self,
        user: WebSocketUser,
        rows: Rows,
        on_message: OnMessage | None,
        push_name: PushName | None,
        sent_at: SentAt | None,
    ) -> None:
        self._user = user
        self._rows = rows
        self._on_message = on_message
        self._push_name = push_name
        self._sent_at = sent_at
        self._name = "message"
        # Where nothing has to be known of each, they are only counted.
        self._count: Count | None = None
        self.unread: deque[Message] | None = None
        """What somebody iterates over, while somebody does; then nothing goes to `on_message`."""
        self.has_left = False
        """Set behind our goodbye: what still comes is counted; `on_message` could not answer."""

    def rename(self, name: str) -> None:
        """Call the rows of what comes from now on so, unless a function names each."""
        self._name = name
        is_plain = self._push_name is None and self._sent_at is None
        environment = self._user.environment
        # Without a runner, as in `run_single_user`, somebody looks at single rows.
        if is_plain and not self._user.ws_each_push and environment.runner is not None:
            self._count = pushes_of(environment).count_of(name)

    def take(self, message: Message) -> None:
        """Deal with a message that has come."""
        try:
            count = self._count
            if count is not None:
                if not count.messages:
                    count.begin()
                count.messages += 1
                count.bytes += length_of(message)
            else:
                name = self._push_name and self._ask(self._push_name, message)
                self.fire(name or self._name, message)
            if self.unread is not None:
                self.unread.append(message)
            elif self._on_message is not None and not self.has_left:
                self._ask(self._on_message, message)
        except (StopUser, StopTest) as error:
            # Of a listener to rows.
            self._user.end(error)

    def fire(self, name: str, message: Message | None, exception: Exception | None = None) -> None:
        """Fire a row for a message that was received, or was not."""
        seconds = None
        if message is not None and self._sent_at is not None:
            seconds = self._ask(self._latency, message)
        length = 0 if message is None else length_of(message)
        start_time = None if message is None else message.received_time - (seconds or 0.0)
        self._rows.fire(
            WSR, name, seconds, length, exception, start_time=start_time, response=message
        )

    def _ask(self, function: Callable[[Message], Any], message: Message) -> Any:
        """Return what a function of the user's says of a message; None where it raises."""
        try:
            return function(message)
        except (StopUser, StopTest) as error:
            self._user.end(error)
        except Exception as error:  # Locust does the same with one that a task raises
            events = self._user.environment.events
            events.user_error.fire(
                user_instance=self._user, exception=error, tb=error.__traceback__
            )
            logger.error("%s\n%s", error, traceback.format_exc())
        return None

    def _latency(self, message: Message) -> float | None:
        sent_at = None if self._sent_at is None else self._sent_at(message)
        if sent_at is None:
            return None
        seconds = message.received_time + self._user.ws_clock_offset - sent_at
        if abs(seconds) > _DAY:
            say_once(
                self._user.environment,
                "sent_at",
                f"sent_at returned {sent_at!r}, which is more than a day from now: it should be "
                "seconds (not milliseconds) since the epoch. Such messages have no time",
            )
            return None
        # Before it was sent: the clocks differ by more than it took.
        return seconds if seconds > 0 else None
