"""Medians, spreads, and ratios within a round. Plain numbers in, plain numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with the least and the greatest of them."""

    median: float
    least: float
    greatest: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        return cls(median(values), min(values), max(values), len(values))


def compare(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """Return the ratio of two costs, of the rounds that have both; None if there are none.

    Each round is compared with itself only: a machine's mood changes in minutes, and the two
    were measured one after the other.
    """
    ratios = [cost / theirs[number] for number, cost in ours.items() if theirs.get(number, 0) > 0]
    return Spread.of(ratios) if ratios else None
