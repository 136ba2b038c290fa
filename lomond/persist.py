"""Connections that come back: connect, wait, connect again, with a jittered back-off.

How long to wait is decided by `BackOffPolicy`, which knows no clock; waiting is the session
class's, so that in greenlets it stops nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from math import isfinite
from random import random as random
from time import monotonic, time
from typing import Any

from lomond import events
from lomond.arguments import check_exit_event, check_session_class
from lomond.exchange import GOING_AWAY
from lomond.session import WebsocketSession
from lomond.transport import ExitEvent
from lomond.websocket import WebSocket

# The longest wait that a server's Retry-After can ask for, in seconds.
MAX_RETRY_AFTER = 300.0
# RFC 9110 §10.2.3 knows whole seconds; some servers give a fraction.
_SECONDS = re.compile(r"\s*[+-]?[0-9]+(?:\.[0-9]*)?\s*")


class BackOffPolicy:
    """Decide how long to wait before the next attempt, from how the last ones went.

    The first wait is `min_wait` and up to 2 seconds more, and that share doubles with every
    failure, up to `max_wait` altogether. The random part is all of the share, so that clients
    that lost the same server do not come back together.
    """

    __slots__ = ("_failures", "_max_wait", "_min_wait")

    def __init__(self, min_wait: float, max_wait: float) -> None:
        """Take both in seconds; ValueError unless 0 <= min_wait <= max_wait."""
        for name, seconds in (("min_wait", min_wait), ("max_wait", max_wait)):
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                raise TypeError(f"{name} must be a number of seconds, not {seconds!r}")
        if not 0 <= min_wait <= max_wait or not isfinite(max_wait):
            raise ValueError(
                "min_wait and max_wait must be seconds, 0 <= min_wait <= max_wait, "
                f"not {min_wait!r} and {max_wait!r}"
            )
        self._min_wait = min_wait
        self._max_wait = max_wait
        self._failures = 0

    def next_delay(
        self,
        chance: float,
        *,
        was_ready_for: float = 0.0,
        retryable: bool = True,
        retry_after: float | None = None,
    ) -> float:
        """Return the seconds to wait after a connection has ended.

        `chance` is a random number in [0, 1). The count of failures begins anew only after a
        connection that was ready for `min_wait`: a server that accepts and hangs up would
        otherwise be asked for ever at the fastest rate. What is not worth repeating waits
        for `max_wait`; what the server asks for by Retry-After is kept to `min_wait` and 300 s,
        and up to `min_wait` is added at random.
        """
        if was_ready_for > 0 and was_ready_for >= self._min_wait:
            self._failures = 0
        else:
            # 2 ** 1024 does not fit a float; after 64 failures max_wait decides anyway.
            self._failures = min(self._failures + 1, 64)
        if retry_after is not None:
            least = self._min_wait if retryable else self._max_wait
            asked = max(least, min(retry_after, MAX_RETRY_AFTER))
            # Everybody was told the same, and must not come back at the same moment.
            return asked + chance * max(0.0, min(self._min_wait, MAX_RETRY_AFTER - asked))
        if not retryable:
            return self._max_wait
        share = min(self._max_wait - self._min_wait, 2.0**self._failures)
        return self._min_wait + chance * share


def parse_retry_after(value: str, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110 §10.2.3).

    `now` is in seconds since the epoch, for the form that is a date; the past is 0. Returns
    None for what is neither a number nor a date.
    """
    if _SECONDS.fullmatch(value):
        seconds = float(value)
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if isfinite(seconds) else None


def persist(
    websocket: WebSocket,
    poll: float = 5,
    min_wait: float = 5,
    max_wait: float = 30,
    ping_rate: float = 30,
    exit_event: ExitEvent | None = None,
    *,
    session_class: Any = None,
    ping_timeout: float | None = None,
    respect_retry_after: bool = True,
    **connect_options: Any,
) -> Iterator[events.Event]:
    """Return the events of one connection after the other, until `exit_event` is set.

    Behind each `Disconnected` or `ConnectFail` comes `BackOff`, and after its delay the next
    `Connecting`.

    Args:
        websocket: what to connect.
        poll: see `WebSocket.connect`.
        min_wait: the shortest time between two attempts, in seconds.
        max_wait: the longest, in seconds.
        ping_rate: see `WebSocket.connect`.
        exit_event: ends it all when set: at once a wait, a live connection with close code 1001
            and within a second. `threading.Event`, or gevent's. Set before, nothing is tried.
        session_class: see `WebSocket.connect`.
        ping_timeout: see `WebSocket.connect`; None for twice the `ping_rate`, 0 for never.
        respect_retry_after: wait as long as a server that rejects asks for, 300 seconds at most.
        connect_options: whatever else `WebSocket.connect` takes.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """
    policy = BackOffPolicy(min_wait, max_wait)
    options = dict(connect_options, poll=poll, ping_rate=ping_rate)
    options["ping_timeout"] = 2 * (ping_rate or 0) if ping_timeout is None else ping_timeout
    if isinstance(websocket, WebSocket):
        # Here, and not only when the first event is asked for.
        websocket.make_settings(**options)
    if session_class is not None:
        options["session_class"] = check_session_class(session_class)
    if check_exit_event(exit_event) is not None and _is_ours(websocket, session_class):
        options["exit_event"] = exit_event
    return _persist(websocket, policy, options, exit_event, respect_retry_after)


def _persist(
    websocket: WebSocket,
    policy: BackOffPolicy,
    options: dict[str, Any],
    exit_event: ExitEvent | None,
    respect_retry_after: bool,
) -> Iterator[events.Event]:
    while not _is_set(exit_event):
        attempt = _Attempt()
        with _closing(websocket.connect(**options)) as run:
            for event in run:
                attempt.note(event)
                yield event
                if _is_set(exit_event) and "exit_event" not in options:
                    websocket.close(GOING_AWAY, b"")
        if _is_set(exit_event):
            return
        delay = policy.next_delay(
            random(),
            was_ready_for=attempt.was_ready_for,
            retryable=attempt.retryable,
            retry_after=attempt.retry_after if respect_retry_after else None,
        )
        yield events.BackOff(delay)
        if _is_set(exit_event) or _sleep(websocket, options, delay, exit_event):
            return


@contextmanager
def _closing(run: Iterator[events.Event]) -> Iterator[Iterator[events.Event]]:
    """Close a run that is left early, and not only when it is collected."""
    try:
        yield run
    finally:
        # What some other class's `connect` returns may be any iterable.
        if hasattr(run, "close"):
            run.close()


def _sleep(
    websocket: object, options: dict[str, Any], delay: float, exit_event: ExitEvent | None
) -> bool:
    """Wait in the way of the session's world: any other would stop its hub."""
    session = websocket.session if isinstance(websocket, WebSocket) else None
    world = options.get("session_class") if session is None else session
    sleep = getattr(world, "sleep", WebsocketSession.sleep)
    return bool(sleep(delay, exit_event))


class _Attempt:
    """What an attempt has told so far, as far as it matters for the next."""

    __slots__ = ("_ready_time", "retry_after", "retryable", "was_ready_for")

    def __init__(self) -> None:
        self._ready_time: float | None = None
        self.was_ready_for = 0.0
        self.retryable = True
        self.retry_after: float | None = None

    def note(self, event: events.Event) -> None:
        if isinstance(event, events.Ready):
            self._ready_time = monotonic()
        elif isinstance(event, events.Rejected):
            value = event.response.get("retry-after")
            self.retry_after = None if value is None else parse_retry_after(value, time())
            self.retryable = event.retryable
        elif isinstance(event, (events.Disconnected, events.ConnectFail)):
            self.retryable = self.retryable and event.retryable
            if self._ready_time is not None:
                self.was_ready_for = monotonic() - self._ready_time


def _is_set(exit_event: ExitEvent | None) -> bool:
    return exit_event is not None and exit_event.is_set()


def _is_ours(websocket: object, session_class: object) -> bool:
    """Tell whether the session will watch the event itself."""
    if not isinstance(websocket, WebSocket):
        return False
    return session_class is None or (
        isinstance(session_class, type) and issubclass(session_class, WebsocketSession)
    )
