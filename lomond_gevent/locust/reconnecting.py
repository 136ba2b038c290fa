"""What becomes of a user whose connection failed or was lost: policies.

A policy decides; who waits and connects is in `connection`. It is one object for all users of a
class, and keeps nothing of any of them: `begin` makes what counts the failures of one socket.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Protocol, TypeAlias

from locust.exception import StopUser

from lomond.persist import BackOffPolicy

NextDelay: TypeAlias = Callable[[float, bool], float | None]
"""Given how many seconds the connection was open, 0 for one that failed, and whether the failure
was one that may pass: the seconds until the next attempt, or None to stay away. May raise
StopUser."""


class Reconnect(Protocol):
    """What `ws_reconnect` may be."""

    def begin(self) -> NextDelay:
        """Begin to count for one socket."""


class NoReconnect:
    """Stay away: requests fail as "not connected" until the user calls `connect` again."""

    def begin(self) -> NextDelay:
        """Begin to count for one socket."""
        return lambda _seconds, _may_pass: None


class BackOff:
    """Connect again, in the background, after waits that grow and are spread at random.

    The first wait is `min_wait` and up to 2 seconds more, that share doubles with each failure,
    and `max_wait` is the longest.
    """

    def __init__(self, min_wait: float = 1.0, max_wait: float = 30.0) -> None:
        """Take both in seconds; TypeError or ValueError for what makes no sense."""
        BackOffPolicy(min_wait, max_wait)
        self._limits = min_wait, max_wait

    def begin(self) -> NextDelay:
        """Begin to count for one socket."""
        policy = BackOffPolicy(*self._limits)

        def next_delay(seconds: float, may_pass: bool) -> float:
            return policy.next_delay(random(), was_ready_for=seconds, retryable=may_pass)

        return next_delay


class StopUserOnLoss:
    """End the user: `connect` raises StopUser, and a lost connection has its task end by it."""

    def begin(self) -> NextDelay:
        """Begin to count for one socket."""

        def next_delay(_seconds: float, _may_pass: bool) -> None:
            raise StopUser

        return next_delay
