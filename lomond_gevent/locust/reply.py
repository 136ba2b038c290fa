"""What came of a message that asked for a reply, and the block that judges it.

Sending and waiting are in `traffic`; here is what a user looks at, and which row follows from it.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from gevent import Timeout
from locust.exception import (
    CatchResponseError,
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    ResponseError,
    StopTest,
    StopUser,
)

from lomond.events import Text
from lomond_gevent.locust.correlation import Message, Rule, decode
from lomond_gevent.locust.rows import (
    Failure,
    GivenUp,
    Interrupted,
    NoReply,
    NotJSON,
    ScriptRaised,
)

if TYPE_CHECKING:
    from lomond_gevent.locust.traffic import Traffic

logger = logging.getLogger(__name__)

# By these Locust says what a user does next: no judgement of a reply, and never caught.
FLOW: Final = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)


def cut_short_by(error: BaseException) -> Failure:
    """Return what a row says whose outcome was not awaited, for the error that came between."""
    if isinstance(error, Timeout):
        return GivenUp()
    if isinstance(error, Exception) and not isinstance(error, FLOW):
        return ScriptRaised(error)
    return Interrupted()


def length_of(message: Message) -> int:
    """Return how many bytes a message has."""
    if isinstance(message, Text):
        text = message.text
        return len(text) if text.isascii() else len(text.encode())
    return len(message.data)


class Reply:
    """A message that was waited for, or what came instead.

    message: the event `Text` or `Binary`; None where none came.
    error: why none came, a `rows.NoReply`; None where one did.
    seconds: from before the sending (or, for `expect`, the call) to the reply; None without one.
    """

    __slots__ = (
        "began",
        "deadline",
        "error",
        "greenlet",
        "is_late",
        "message",
        "name",
        "raised",
        "rule",
        "seconds",
        "start_time",
        "stays_late",
    )

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name
        self.rule = rule
        self.message: Message | None = None
        self.error: NoReply | None = None
        self.seconds: float | None = None
        # What a function that looks for the reply has raised.
        self.raised: Exception | None = None
        # When it was sent, by `time` and by `perf_counter`, and until when to wait by the latter.
        self.start_time = self.began = self.deadline = 0.0
        # Set while a greenlet waits for it.
        self.greenlet: Any = None
        # Set once nobody waits any more, though it may still come; and whether that is noticed.
        self.is_late = False
        self.stays_late = True

    def resume(self) -> None:
        """Have who waits for this go on; in the hub only."""
        greenlet = self.greenlet
        if greenlet is not None:
            greenlet.switch()

    @property
    def is_open(self) -> bool:
        """Tell whether the outcome is not known yet."""
        return self.message is None and self.error is None and self.raised is None

    @property
    def ok(self) -> bool:
        """Tell whether there is a message to look at."""
        return self.message is not None

    @property
    def text(self) -> str:
        """Return the message as text; NoReply where none came."""
        message = self._get_message()
        return message.text if isinstance(message, Text) else message.data.decode()

    @property
    def data(self) -> bytes:
        """Return the message as bytes; NoReply where none came."""
        message = self._get_message()
        return message.text.encode() if isinstance(message, Text) else message.data

    @property
    def json(self) -> Any:
        """Return the message decoded as JSON; NotJSON where it is none, NoReply without one."""
        try:
            return decode(self._get_message())
        except ValueError:
            raise NotJSON from None

    @property
    def length(self) -> int:
        """Return how many bytes the message has, 0 without one."""
        return 0 if self.message is None else length_of(self.message)

    def _get_message(self) -> Message:
        if self.message is None:
            raise self.error or RuntimeError(
                f"{self.name!r} has not been sent yet: write `with ws.request(...) as reply:`"
            )
        return self.message


class Request(Reply):
    """A message and its reply: sent where the `with` block begins, a row where it ends.

    In the block `failure` and `success` decide what the row says, whatever came. Else it is a
    failure if no reply came; if the block raises AssertionError or a ResponseError of Locust's
    (such as a look at `json` that is none), which end the block and go no further; or if it raises
    anything else, which passes. Locust's own, StopUser and its like, pass and are no judgement.
    """

    __slots__ = ("_failure", "_is_entered", "_is_success", "_traffic", "payload", "seconds_to_wait")

    def __init__(
        self,
        traffic: Traffic,
        name: str,
        payload: str | bytes,
        rule: Rule,
        seconds_to_wait: float,
    ) -> None:
        super().__init__(name, rule)
        self.payload = payload
        self.seconds_to_wait = seconds_to_wait
        self._traffic = traffic
        self._failure: Exception | None = None
        self._is_success = False
        self._is_entered = False

    def __del__(self) -> None:
        if not self._is_entered:
            logger.error(
                "ws.request(%r) sent nothing: write `with ws.request(...) as reply:`, "
                "or ws.call(...) where there is nothing to judge",
                self.name,
            )

    def success(self) -> None:
        """Have the row be a success, also where no reply came."""
        self._failure, self._is_success = None, True

    def failure(self, reason: str | Exception) -> None:
        """Have the row be a failure; keep the text constant, as Locust has a line for each."""
        self._failure = reason if isinstance(reason, Exception) else CatchResponseError(reason)
        self._is_success = False

    def __enter__(self) -> Request:
        if self._is_entered:
            raise RuntimeError(f"{self.name!r} was sent already: call ws.request for each")
        self._is_entered = True
        self._traffic.exchange(self)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        exception, is_judged = self._judge(error)
        self._traffic.fire_reply(self, exception)
        return is_judged

    def _judge(self, error: BaseException | None) -> tuple[Exception | None, bool]:
        """Return what the row says, and whether what the block raised has done its work."""
        if isinstance(error, AssertionError):
            return CatchResponseError(str(error) or "Assertion failed"), True
        if isinstance(error, ResponseError | CatchResponseError):
            return (self._settle() if error is self.error else error), True
        if error is None or isinstance(error, FLOW):
            return self._settle(), False
        if self._is_success:
            return None, False
        # Any other error of the block's, or it was killed before it came to a judgement.
        return self._settle() or cut_short_by(error), False

    def _settle(self) -> Exception | None:
        if self._is_success:
            return None
        return self._failure or self.error
