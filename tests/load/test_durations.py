"""Durations and rates as people type them."""

from __future__ import annotations

import pytest

from lomond_gevent.load.durations import format_duration, parse_duration, parse_rate


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1m30s", 90.0),
        ("10", 10.0),
        ("0.5", 0.5),
        ("1.5h", 5400.0),
        ("750us", 0.00075),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "10x", "-1s", "1m 30s", "1s,", "nan", "inf", "1e400"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: write a number and a unit"):
        parse_duration(text)


def test_a_duration_that_no_float_holds_is_too_large() -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_duration("9" * 400)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00025, "250 µs"),
        (0.0015, "1.5 ms"),
        (0.25, "250 ms"),
        (30.0, "30 s"),
        (90.0, "1m30s"),
        (120.0, "2m"),
        (7500.0, "2h05m"),
        (3600.0, "1h"),
    ],
)
def test_a_duration_is_written(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "rate"), [("20000", 2e4), ("20k", 2e4), ("500/s", 500.0), ("30/m", 0.5), ("2M", 2e6)]
)
def test_a_rate_is_read(text: str, rate: float) -> None:
    assert parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "k", "10/x", "-5", "ten"])
def test_what_is_no_rate_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)
