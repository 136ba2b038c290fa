"""What the work may cost: a table by minor versions of CPython, and the verdict on a count.

The table is `limits.json`. It is written by `python -m benchmarks.instructions --set`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, TypedDict

TABLE = Path(__file__).with_name("limits.json")

# Two runs differ by 0.3 % at most.
DEARER_FROM = 1.05
CHEAPER_FROM = 0.90


class Limits(TypedDict):
    """What one minor version of CPython was found to cost, and with what."""

    recorded_with: dict[str, str]
    ratios: dict[str, float]


class Verdict(NamedTuple):
    """What is said of one kind of work."""

    name: str
    ratio: float
    limit: float | None
    """What it was when it was recorded; None if it never was."""

    @property
    def change(self) -> float:
        """Return by which factor it has changed since; 1.0 if there is nothing to compare."""
        return 1.0 if self.limit is None else self.ratio / self.limit

    @property
    def is_dearer(self) -> bool:
        """Tell whether it costs more than it may."""
        return self.change > DEARER_FROM

    @property
    def is_cheaper(self) -> bool:
        """Tell whether a gain is not recorded yet."""
        return self.change < CHEAPER_FROM

    def __str__(self) -> str:
        if self.limit is None:
            return "not recorded"
        change = f"{(self.change - 1) * 100:+.1f} %"
        if self.is_dearer:
            return f"{change}: TOO DEAR, {(DEARER_FROM - 1) * 100:.0f} % more is the limit"
        if self.is_cheaper:
            return f"{change}: cheaper; keep the gain by recording it"
        return change


def judge(ratios: dict[str, float], limits: Limits | None) -> list[Verdict]:
    """Compare ratios with the recorded ones; None if there are none."""
    recorded = {} if limits is None else limits["ratios"]
    return [Verdict(name, ratio, recorded.get(name)) for name, ratio in ratios.items()]


def load_limits(version: str, table: Path = TABLE) -> Limits | None:
    """Return the limits of a minor version ("3.11"); None if none were recorded."""
    limits: Limits | None = _load(table).get(version)
    return limits


def record_limits(version: str, limits: Limits, table: Path = TABLE) -> None:
    """Take limits into the table, in place of those the version had."""
    ratios = {name: round(ratio, 4) for name, ratio in limits["ratios"].items()}
    versions = _load(table)
    versions[version] = {"recorded_with": limits["recorded_with"], "ratios": ratios}
    in_order = dict(sorted(versions.items(), key=lambda item: _numbers(item[0])))
    table.write_text(json.dumps(in_order, indent=2) + "\n", encoding="utf-8")


def _load(table: Path) -> dict[str, Limits]:
    if not table.exists():
        return {}
    versions: dict[str, Limits] = json.loads(table.read_text(encoding="utf-8"))
    return versions


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]
