"""Counts of microseconds in the buckets of an HdrHistogram."""

from __future__ import annotations

import json
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lomond_gevent.load.histogram import HIGHEST, Histogram

durations = st.lists(st.integers(0, HIGHEST), min_size=1, max_size=200)


def histogram_of(values: list[int]) -> Histogram:
    """Record all values."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(durations, st.floats(0, 100))
def test_a_percentile_is_the_nearest_rank_within_a_thousandth(values: list[int], q: float) -> None:
    rank = max(1, ceil(round(q * len(values) / 100, 6)))

    found = histogram_of(values).percentile(q)

    assert found == pytest.approx(sorted(values)[rank - 1], rel=0.001, abs=0)


@given(durations, durations)
def test_merging_counts_what_both_have_counted(one: list[int], other: list[int]) -> None:
    merged = histogram_of(one)
    merged.merge(histogram_of(other))

    assert merged == histogram_of(one + other)


@given(durations)
def test_json_brings_the_same_histogram_back(values: list[int]) -> None:
    histogram = histogram_of(values)

    assert Histogram.from_dict(json.loads(json.dumps(histogram.to_dict()))) == histogram


@settings(max_examples=25)  # each makes two histograms of 180 KiB
@given(durations)
def test_hdrhistogram_holds_exactly_the_same_counts(values: list[int]) -> None:
    pytest.importorskip("hdrh.histogram")
    from hdrh.histogram import HdrHistogram

    expected = HdrHistogram(1, HIGHEST, 3)
    for value in values:
        expected.record_value(value)

    assert list(histogram_of(values).to_hdr().counts) == list(expected.counts)


def test_the_encoded_form_is_read_by_hdrhistogram() -> None:
    pytest.importorskip("hdrh.histogram")
    from hdrh.histogram import HdrHistogram

    decoded = HdrHistogram.decode(histogram_of([350, 350, 70_000]).encode())

    assert decoded.get_total_count() == 3
    assert decoded.get_value_at_percentile(50) == 350


def test_99_9_percent_of_1000_are_999() -> None:
    assert histogram_of([*[1] * 999, 2]).percentile(99.9) == 1


def test_sessions_of_some_hours_are_told_apart() -> None:
    two_hours = 7_200_000_000

    assert histogram_of([two_hours, two_hours * 3]).min == pytest.approx(two_hours, rel=0.001)
    assert histogram_of([two_hours, two_hours * 3]).max == pytest.approx(two_hours * 3, rel=0.001)


def test_what_is_below_zero_or_above_a_day_counts_at_the_ends() -> None:
    histogram = histogram_of([-5, HIGHEST * 2])

    assert histogram.min == 0
    assert histogram.max == pytest.approx(HIGHEST, rel=0.001)


def test_mean_and_deviation_are_those_of_the_values() -> None:
    histogram = Histogram()
    histogram.record(100, count=3)
    histogram.record(200)

    assert histogram.mean == 125
    assert histogram.stddev == pytest.approx(43.30127)


def test_an_empty_histogram_has_zeros() -> None:
    empty = Histogram()

    assert (empty.count, empty.min, empty.max, empty.mean, empty.stddev) == (0, 0, 0, 0, 0)
    assert empty.percentiles([50, 99]) == [0, 0]


def test_an_impossible_percentile_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 100, not 101"):
        Histogram().percentile(101)


def test_subtracting_an_earlier_copy_leaves_what_came_since() -> None:
    histogram = histogram_of([10, 5000])
    earlier = histogram.copy()
    histogram.record(5000)

    histogram.subtract(earlier)

    assert histogram == histogram_of([5000])


def test_taking_the_counts_leaves_none() -> None:
    histogram = histogram_of([10])
    taken = Histogram()

    taken.add_counts(histogram.take_counts())

    assert (taken.count, histogram.count) == (1, 0)


def test_a_histogram_of_another_kind_is_not_read() -> None:
    with pytest.raises(ValueError, match="microseconds"):
        Histogram.from_dict({"unit": "ms", "digits": 3, "buckets": []})
