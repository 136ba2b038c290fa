"""Medians and ratios: what the benchmarks make of their rounds."""

from __future__ import annotations

import pytest

from benchmarks.figures import Spread, compare


def test_a_spread_is_the_median_between_the_least_and_the_greatest() -> None:
    assert Spread.of([3.0, 1.0, 10.0, 2.0, 4.0]) == Spread(3.0, 1.0, 10.0, 5)


def test_ratios_are_taken_within_a_round() -> None:
    # The machine was twice as slow in round 1, for both.
    ratio = compare({0: 1.0, 1: 2.0}, {0: 2.0, 1: 4.0})

    assert ratio == Spread(0.5, 0.5, 0.5, 2)


def test_a_round_that_only_one_of_them_has_does_not_count() -> None:
    assert compare({0: 1.0, 1: 9.0}, {0: 4.0, 2: 1.0}) == Spread(0.25, 0.25, 0.25, 1)


@pytest.mark.parametrize("theirs", [{}, {1: 1.0}, {0: 0.0}])
def test_without_a_common_round_there_is_no_ratio(theirs: dict[int, float]) -> None:
    assert compare({0: 1.0}, theirs) is None
