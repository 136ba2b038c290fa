"""What Locust's statistics are told: the kinds of rows, the texts of failures, and one door.

Every row that is fired goes through `Rows.fire`; pushes that are only counted are in `pushes`.
Texts are constant, since Locust keeps a line for each text: what a peer said, such as the reason
of its Close frame, is in the context of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import TYPE_CHECKING, Any

from locust.exception import RescheduleTask, ResponseError

if TYPE_CHECKING:
    from locust import User

WS = "WS"
"""A connection: its rows are "connect", "ping" and "close"."""
WSC = "WSC"
"""A request and its reply."""
WSS = "WSS"
"""A message that was sent, and asks for no reply."""
WSR = "WSR"
"""A message that was received, and is no reply in time."""


class Failure(ResponseError):
    """Why a row is a failure. Its text is what Locust shows, and groups by."""

    def __repr__(self) -> str:
        return str(self)


class ConnectFailed(Failure):
    """No connection, or not the one that was asked for."""


class AbnormalClose(Failure):
    """The connection ended as it should not."""


class NoPong(Failure):
    """The server did not answer a ping until the next was due."""

    def __init__(self) -> None:
        super().__init__("no pong in time")


class NotJSON(Failure):
    """The reply is no JSON, and was looked at as such."""

    def __init__(self) -> None:
        super().__init__("the reply is not JSON")


class NoReply(Failure, RescheduleTask):
    """There is no reply to look at: base of those below.

    Whoever looks at a reply that never came gets this. A `with` block ends by it, a task
    without one as if by `return`: in both cases the row says why.
    """


class ReplyTimeout(NoReply):
    """The reply did not come in time."""

    def __init__(self) -> None:
        super().__init__("no reply in time")


class NotConnected(NoReply):
    """There was no connection, and nothing was sent."""

    def __init__(self) -> None:
        super().__init__("not connected")


class ConnectionLost(NoReply):
    """The connection ended before the reply came, or before the message had left."""

    def __init__(self) -> None:
        super().__init__("connection lost")


class Superseded(NoReply):
    """A later request has the same value to match, or there are more than `ws_max_pending`."""

    def __init__(self) -> None:
        super().__init__("superseded by a later request")


class Interrupted(NoReply):
    """The user was stopped before the outcome was known."""

    def __init__(self) -> None:
        super().__init__("interrupted")


class GivenUp(Failure):
    """A `gevent.Timeout` of the script's came before the outcome."""

    def __init__(self) -> None:
        super().__init__("given up by the script")


class ScriptRaised(Failure):
    """What should have judged a reply, or found it, has raised something else."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"the script raised {type(error).__name__}")


class Rows:
    """The door to `environment.events.request` for one user."""

    __slots__ = ("_fails_interrupted", "_fire", "_user")

    def __init__(self, user: User) -> None:
        self._user = user
        self._fire = user.environment.events.request.fire
        # Pacing has rows for users of any kind.
        self._fails_interrupted = getattr(user, "ws_fail_interrupted", False)

    def fire(
        self,
        kind: str,
        name: str,
        seconds: float | None,
        length: int,
        exception: BaseException | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        start_time: float | None = None,
        response: object = None,
        url: str | None = None,
    ) -> None:
        """Fire one row.

        `seconds` is None where no time was measured, never 0 for want of one. `length` is in
        bytes. A listener's StopUser, StopTest and the like pass.

        What was interrupted is never a success of its name. It is a row "name (interrupted)",
        without a time or an exception, or with `ws_fail_interrupted` a failure.
        """
        if isinstance(exception, Interrupted) and not self._fails_interrupted:
            name, seconds, exception = f"{name} (interrupted)", None, None
        context = {**self._user.context(), **context} if context else self._user.context()
        # All that Locust's own clients give: a listener may have each of them as a parameter.
        self._fire(
            request_type=kind,
            name=name,
            response_time=None if seconds is None else seconds * 1000,
            response_length=length,
            response=response,
            context=context,
            exception=exception,
            start_time=time() if start_time is None else start_time,
            url=url,
        )
