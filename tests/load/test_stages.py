"""Numbers that follow straight lines."""

from __future__ import annotations

from itertools import islice, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond_gevent.load.stages import Course

stage_lists = st.lists(
    st.tuples(st.floats(0.1, 100), st.just(0.0) | st.floats(0.01, 1000)), min_size=1, max_size=5
)


def test_a_number_moves_along_the_lines_and_stays_behind_the_last() -> None:
    course = Course(0, ((10, 100), (60, 100), (10, 0)))

    assert [course.at(t) for t in (0, 5, 10, 70, 75, 80, 99)] == [0, 50, 100, 100, 50, 0, 0]
    assert (course.duration, course.highest) == (80, 100)


def test_a_stage_of_no_time_jumps() -> None:
    course = Course(10, ((0, 50), (10, 50)))

    assert course.at(0) == 50


def test_a_constant_rate_is_due_at_equal_intervals() -> None:
    times = list(islice(Course(100, ((10, 100),)).times(0.5), 3))

    assert times == pytest.approx([0.005, 0.015, 0.025])


def test_none_is_due_while_the_rate_is_zero() -> None:
    times = list(Course(0, ((5, 0), (0, 1), (3, 1), (0, 0))).times(0.5))

    assert times == pytest.approx([5.5, 6.5, 7.5])


@given(stage_lists, st.floats(0.1, 1))
def test_each_is_due_where_the_area_is_its_number(
    stages: list[tuple[float, float]], share: float
) -> None:
    course = Course(0, stages)

    for number, time in enumerate(islice(course.times(0.5, share), 10)):
        assert course.area(time) * share == pytest.approx(number + 0.5, rel=1e-6)


@given(stage_lists)
def test_the_times_of_two_shares_are_those_of_the_whole(stages: list[tuple[float, float]]) -> None:
    course = Course(0, stages)
    whole = [time for time in islice(course.times(0.5), 40)]

    halves = [*islice(course.times(0.25, 0.5), 20), *islice(course.times(0.75, 0.5), 20)]

    assert sorted(halves)[: len(whole)] == pytest.approx(whole[: len(halves)])


@given(stage_lists, st.floats(0.1, 1), st.floats(0, 1))
def test_how_many_are_due_is_known_without_going_through_them(
    stages: list[tuple[float, float]], share: float, part: float
) -> None:
    course = Course(0, [(seconds / 100, target) for seconds, target in stages])
    until = course.duration * part

    walked = sum(1 for _ in takewhile(lambda time: time < until, course.times(0.5, share)))

    # What is due within the last instant may be on either side.
    assert abs(course.count_until(until, 0.5, share) - walked) <= 1
