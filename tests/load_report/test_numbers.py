"""Numbers as reports write them."""

from __future__ import annotations

import pytest

from lomond_gevent.load.report.numbers import (
    format_bytes,
    format_clock,
    format_latency,
    format_share,
    format_short,
    plural,
)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (None, "–"),
        (0, "0 µs"),
        (217, "217 µs"),
        (999.4, "999 µs"),
        (999.6, "1 ms"),
        (1234, "1.23 ms"),
        (99_960, "100 ms"),
        (999_600, "1 s"),
        (1_050_000, "1.05 s"),
        (1_050_000_000, "17.5 min"),
        (9_000_000_000, "2.5 h"),
    ],
)
def test_a_latency_has_three_digits_and_the_unit_that_suits_it(
    microseconds: float | None, text: str
) -> None:
    assert format_latency(microseconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.5, "0.5"), (9999, "9,999"), (12_345, "12.3k"), (999_600, "1M"), (4.5e6, "4.5M")],
)
def test_a_short_number_is_shortened_from_ten_thousand_on(number: float, text: str) -> None:
    assert format_short(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (512, "512 B"), (1023, "1 KiB"), (1536, "1.5 KiB"), (3 * 1024**4, "3 TiB")],
)
def test_bytes_have_units_of_1024(number: float, text: str) -> None:
    assert format_bytes(number) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.0005, "0.05 %"), (0.00001, "0.001 %"), (1e-9, "<0.0001 %")],
)
def test_a_share_that_is_not_nothing_is_not_shown_as_nothing(share: float, text: str) -> None:
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00"), (7, "0:07"), (59.6, "1:00"), (3725, "1:02:05")]
)
def test_a_clock_counts_minutes_and_hours(seconds: float, text: str) -> None:
    assert format_clock(seconds) == text


def test_a_noun_follows_its_number() -> None:
    assert plural(1, "error") == "1 error"
    assert plural(1200, "error") == "1,200 errors"
    assert plural(2, "process", "processes") == "2 processes"
