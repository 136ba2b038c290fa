"""Users act in turns with a phase of their own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from locust import User
from locust.env import Environment

from lomond_gevent.locust import pacing
from lomond_gevent.locust.pacing import RateShape, lateness, paced


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "clock", clock)
    monkeypatch.setattr(pacing, "random", lambda: 0.25)
    return clock


@pytest.fixture
def user() -> User:
    return User(Environment())


def test_the_second_turn_is_at_random_within_the_period(clock: Clock, user: User) -> None:
    assert paced(8)(user) == pytest.approx(2.0)


def test_turns_are_a_period_apart_however_long_they_take(clock: Clock, user: User) -> None:
    wait = paced(8)
    clock.now += wait(user)
    clock.now += 3

    assert wait(user) == pytest.approx(5.0)


def test_missed_turns_are_left_out_and_the_phase_stays(clock: Clock, user: User) -> None:
    wait = paced(8)
    clock.now += wait(user)
    clock.now += 17

    assert wait(user) == pytest.approx(7.0)


def test_missed_turns_are_made_up_for_if_asked_to(clock: Clock, user: User) -> None:
    wait = paced(8, catch_up=True)
    clock.now += wait(user)
    clock.now += 17

    assert [wait(user), wait(user)] == [0.0, 0.0]
    assert wait(user) == pytest.approx(7.0)


def test_lateness_is_counted_from_when_a_turn_was_due(clock: Clock, user: User) -> None:
    wait = paced(8, catch_up=True)
    clock.now += wait(user)
    clock.now += 11
    wait(user)

    assert lateness(user) == pytest.approx(3.0)


def test_a_user_that_is_not_paced_is_never_late(user: User) -> None:
    assert lateness(user) == 0.0


def test_missed_turns_are_failed_rows_if_asked_to(clock: Clock, user: User) -> None:
    fired: list[Any] = []
    user.environment.events.request.add_listener(lambda **row: fired.append(row))
    wait = paced(8, count_missed=True)
    clock.now += wait(user)
    clock.now += 17
    wait(user)

    texts = {(row["request_type"], row["name"], str(row["exception"])) for row in fired}
    assert texts == {("WS", "turn", "the turn before was not over")}
    assert len(fired) == 2


def test_users_that_begin_together_do_not_act_together() -> None:
    wait, environment = paced(10), Environment()

    waits = sorted(wait(User(environment)) for _ in range(200))

    assert waits[0] < 1 and waits[-1] > 9
    assert max(after - before for before, after in pairwise(waits)) < 1


@pytest.mark.parametrize("period", [0, -1, float("inf"), float("nan")])
def test_a_period_is_above_0(period: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        paced(period)


class Rate(RateShape):
    """Climbs to ten turns a second, and stays there."""

    period = 5
    stages = ((10, 10), (20, 10))


def tick_at(shape: RateShape, time: float) -> tuple[int, float] | None:
    shape.start_time -= time - shape.get_run_time()
    return shape.tick()


def test_the_shape_has_the_users_that_a_rate_takes() -> None:
    shape = Rate()

    assert tick_at(shape, 5)[0] == pytest.approx(25, abs=1)  # type: ignore[index]
    assert tick_at(shape, 15)[0] == 50  # type: ignore[index]


def test_the_shape_asks_for_nothing_new_while_the_rate_stays() -> None:
    shape = Rate()

    assert tick_at(shape, 15) == tick_at(shape, 25)


def test_the_run_ends_with_the_last_stage() -> None:
    assert tick_at(Rate(), 31) is None


def test_a_shape_without_stages_is_refused() -> None:
    class Empty(RateShape):
        pass

    with pytest.raises(ValueError, match=r"Empty\.stages"):
        Empty()
