"""Where on an axis a value is, and which ticks the axis has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lomond_gevent.load.report.charts import bytes_scale
from lomond_gevent.load.report.numbers import format_latency, format_short
from lomond_gevent.load.report.scales import (
    MOST_TICKS,
    LinearScale,
    LogScale,
    PercentileScale,
    Scale,
    time_scale,
    time_unit,
    value_scale,
)


def labels(scale: Scale) -> list[str]:
    """Return the labels of an axis."""
    return [label for _, label in scale.ticks]


def test_a_linear_axis_ends_at_a_round_number() -> None:
    scale = LinearScale(97.0, format_short)

    assert labels(scale) == ["0", "20", "40", "60", "80", "100"]
    assert scale.place(50.0) == 0.5


def test_an_axis_of_nothing_has_a_height() -> None:
    assert LinearScale(0.0, format_short).place(0.0) == 0.0


def test_a_time_axis_ends_with_the_run() -> None:
    scale = time_scale(130.0)

    assert labels(scale) == ["0", "30", "60", "90", "120"]
    assert scale.place(130.0) == 1.0


@pytest.mark.parametrize(
    ("end", "unit", "last"),
    [(180, "s", "180"), (600, "min:s", "10:00"), (7200, "h:min:s", "2:00:00")],
)
def test_a_long_run_is_told_in_minutes(end: float, unit: str, last: str) -> None:
    assert time_unit(end) == unit
    assert labels(time_scale(end))[-1] == last


def test_values_far_apart_have_a_logarithmic_axis() -> None:
    scale = value_scale([250.0, 3_000_000.0], format_latency)

    assert labels(scale) == ["1 ms", "10 ms", "100 ms", "1 s"]
    assert scale.place(250.0) == pytest.approx(0.022, abs=0.001)


def test_values_close_to_each_other_have_a_linear_axis_from_0() -> None:
    assert labels(value_scale([250.0, 900.0], format_latency))[0] == "0 µs"


def test_each_further_nine_takes_the_same_room() -> None:
    scale = PercentileScale(1000)

    assert labels(scale) == ["0", "90", "99", "99.9"]
    assert scale.place(90.0) == pytest.approx(1 / 3)
    assert scale.place(100.0) == 1.0


def test_the_levels_to_draw_rise_to_100() -> None:
    levels = PercentileScale(500).levels()

    assert levels == sorted(levels)
    assert levels[0] == 0.0
    assert levels[-1] == 100.0


def test_bytes_have_ticks_at_round_numbers_of_their_unit() -> None:
    assert labels(bytes_scale(2.4 * 1024**2)) == [
        "0 B",
        "512 KiB",
        "1 MiB",
        "1.5 MiB",
        "2 MiB",
        "2.5 MiB",
    ]


NUMBERS = some.floats(min_value=1e-3, max_value=1e12)


@given(values=some.lists(NUMBERS, min_size=1, max_size=5))
def test_any_values_are_on_their_axis_and_ticks_do_not_crowd(values: list[float]) -> None:
    scale = value_scale(values, format_short)

    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in values)
    assert 2 <= len(scale.ticks) <= MOST_TICKS + 2
    assert all(-1e-9 <= place <= 1 + 1e-9 for place, _ in scale.ticks)


@given(low=NUMBERS, ratio=some.floats(min_value=1, max_value=1e9))
def test_any_logarithmic_axis_holds_its_ends(low: float, ratio: float) -> None:
    scale = LogScale(low, low * ratio, format_short)

    assert scale.low <= low * 1.0002
    assert scale.high >= low * ratio * 0.9998
    assert len(scale.ticks) >= 2
