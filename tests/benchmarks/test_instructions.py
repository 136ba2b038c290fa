"""The gate on instruction counts: reading what callgrind wrote, and the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.instructions.counting import CountingFailed, parse_counts, ratios_of
from benchmarks.instructions.limits import Limits, judge, load_limits, record_limits

PIECES = "reference 10\nreceive 5\n"
# What callgrind writes of each part, without the functions.
PARTS = "part: {}\ndesc: Trigger: --dump-before=getpgrp\nevents: Ir\nsummary: {}\n\ntotals: {}\n"


def profile_of(*totals: int) -> list[str]:
    """Write a profile that was cut into parts of so many instructions."""
    parts = (PARTS.format(number, total, total) for number, total in enumerate(totals, 1))
    return "".join(parts).splitlines(keepends=True)


def limits_of(**ratios: float) -> Limits:
    """Return what was recorded of a version."""
    return Limits(recorded_with={"gevent": "26.9.0"}, ratios=ratios)


def test_what_lies_between_the_pieces_is_not_counted() -> None:
    counts = parse_counts(PIECES, profile_of(9000, 1000, 77, 600, 8000))

    assert counts == {"reference": 100, "receive": 120}


def test_of_a_piece_that_is_run_some_times_the_median_counts() -> None:
    counts = parse_counts("send 1\n" * 3, profile_of(0, 103, 0, 101, 0, 180, 0))

    assert counts == {"send": 103}


def test_a_profile_that_was_not_cut_is_no_count() -> None:
    with pytest.raises(CountingFailed, match="1 totals for 2 pieces, not 5"):
        parse_counts(PIECES, profile_of(9000))


def test_work_is_compared_with_the_reference() -> None:
    assert ratios_of({"reference": 50.0, "send": 75.0}) == {"send": 1.5}


@pytest.mark.parametrize(
    ("ratio", "is_dearer", "is_cheaper"),
    [
        (2.20, True, False),
        (2.11, True, False),
        (2.09, False, False),
        (1.81, False, False),
        (1.79, False, True),
    ],
)
def test_five_percent_more_fails_and_ten_percent_less_asks_to_be_recorded(
    ratio: float, is_dearer: bool, is_cheaper: bool
) -> None:
    [verdict] = judge({"receive": ratio}, limits_of(receive=2.0))

    assert (verdict.is_dearer, verdict.is_cheaper) == (is_dearer, is_cheaper)


def test_a_verdict_tells_the_change() -> None:
    verdicts = judge({"receive": 2.2, "send": 1.0, "flood": 1.6}, limits_of(receive=2.0, flood=2.0))

    assert [str(verdict) for verdict in verdicts] == [
        "+10.0 %: TOO DEAR, 5 % more is the limit",
        "not recorded",
        "-20.0 %: cheaper; keep the gain by recording it",
    ]


def test_a_version_without_limits_gets_no_verdict(tmp_path: Path) -> None:
    limits = load_limits("3.99", tmp_path / "limits.json")

    [verdict] = judge({"receive": 2.0}, limits)

    assert limits is None
    assert not verdict.is_dearer


def test_recording_one_version_keeps_the_others(tmp_path: Path) -> None:
    table = tmp_path / "limits.json"
    for version, ratio in (("3.11", 2.0), ("3.9", 4.0), ("3.11", 1.5)):
        record_limits(version, limits_of(receive=ratio), table)

    assert load_limits("3.9", table) == limits_of(receive=4.0)
    assert load_limits("3.11", table) == limits_of(receive=1.5)


def test_the_table_in_the_repository_can_be_read() -> None:
    limits = load_limits("3.11")

    assert limits is not None
    assert set(limits["ratios"]) == {"receive", "flood", "send"}
