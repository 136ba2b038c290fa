"""When users act: in turns with a phase of their own, and as many turns a second as were planned.

Users that were started together and wait for equally long act in lockstep, and measure the crowd
that they are: 400 of them had a median of 79 ms where the same ones spread out had 1.2 ms. `paced`
spreads them.

How far the open model goes here: Locust's users are a closed model, each waits for its task to end,
and arrivals of new users cannot be planned, since workers replace users that have ended.
`RateShape` plans *turns*: as many users as it takes for so many turns a second, each with a turn
once in a period. A server that answers late holds the rate up only where an answer takes longer
than the period, so make the period many times as long. Such turns are missed, and `paced` can
count them; a response time counts from the actual send in any case, and `lateness` tells what to
add to count from when it was due.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, isfinite
from random import random
from time import perf_counter as clock
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

from locust import LoadTestShape

from lomond_gevent.load.stages import Course, Stages
from lomond_gevent.locust.rows import WS, Failure, Rows

if TYPE_CHECKING:
    from locust import User


class TurnMissed(Failure):
    """A turn was not taken: the one before was still going on."""

    def __init__(self) -> None:
        super().__init__("the turn before was not over")


_due: WeakKeyDictionary[User, float] = WeakKeyDictionary()


def paced(
    period: float, *, catch_up: bool = False, count_missed: bool = False
) -> Callable[[User], float]:
    """Return a `wait_time` by which each user acts every `period` seconds, in a phase of its own.

    The first turn is when the user starts, the second at random within the period after it, all
    others at fixed intervals from there, however long each takes. Turns that are over too late
    make the user miss some: they are left out, or with `catch_up` made up for without a wait.
    With `count_missed` each that is left out is a failed row, "WS turn". Raises ValueError unless
    the period is above 0.
    """
    check_period(period)

    def wait_time(user: User) -> float:
        now = clock()
        due = _due.get(user)
        due = now + random() * period if due is None else due + period
        if due < now and not catch_up:
            missed = ceil((now - due) / period)
            due += missed * period
            if count_missed:
                count(user, missed)
        _due[user] = due
        return max(0.0, due - now)

    return wait_time


def count(user: User, missed: int) -> None:
    """Fire a row for each turn that was missed."""
    rows = Rows(user)
    for _ in range(missed):
        rows.fire(WS, "turn", None, 0, TurnMissed())


def lateness(user: User) -> float:
    """Return by how many seconds the turn that is due, or going on, is behind its time.

    At the beginning of a task that is how late it starts: by the hub's lag, or with `catch_up` by
    all that is to be made up for. 0.0 for users that are not `paced`, or in their first turn.
    """
    due = _due.get(user)
    return 0.0 if due is None else max(0.0, clock() - due)


def check_period(period: float) -> float:
    """Return a period of time; ValueError unless it is above 0."""
    if not (period > 0 and isfinite(period)):
        raise ValueError(f"period must be a number of seconds above 0, not {period!r}")
    return period


class RateShape(LoadTestShape):
    """A load shape that plans how many turns a second all users take together.

    For users with `wait_time = paced(period)` and the same `period`:

        class Rate(RateShape):
            period = 30
            stages = ((60, 100), (300, 100))  # climb to 100 a second in a minute, stay there

    Each stage is how many seconds it lasts and the rate that it leads to along a straight line;
    one of 0 seconds jumps. The run ends with the last. See above for what this can promise.
    """

    abstract: ClassVar[bool] = True
    period: float = 10.0
    """Seconds between two turns of a user."""
    stages: Stages = ()
    """Seconds, and turns per second at their end."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Locust has no annotation there
        if not self.stages or any(seconds < 0 or rate < 0 for seconds, rate in self.stages):
            raise ValueError(
                f"{type(self).__name__}.stages must be pairs of seconds and turns per second, "
                f"none below 0, such as ((60, 100), (300, 100)), not {self.stages!r}"
            )
        check_period(self.period)
        self._run_time: Callable[[], float] = self.get_run_time
        self._course = Course(0.0, self.stages)
        self._last = (0, 1.0)

    def tick(self) -> tuple[int, float] | None:
        """Return how many users there are to be, and how many of them to start a second."""
        time = self._run_time()
        if time >= self._course.duration:
            return None
        users = ceil(self._course.at(time) * self.period)
        before, _ = self._last
        # Locust begins anew with whatever differs from the last: the same users are the same pair.
        if users != before:
            self._last = (users, max(1.0, float(abs(users - before))))
        return self._last
