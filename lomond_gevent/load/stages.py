"""Numbers that move along straight lines over time: how many clients, how many per second.

Pure: seconds in, numbers out. Who follows them is in `swarm` and `pacer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, inf, sqrt
from typing import NamedTuple

Stages = Sequence[tuple[float, float]]
"""Seconds that a stage lasts, and the number that it leads to."""


# Of the area: what the times themselves are uncertain by.
_INSTANT = 1e-6


class _Line(NamedTuple):
    """One stage: where it begins, and the area under all lines before it."""

    start: float
    seconds: float
    first: float
    slope: float
    before: float

    def at(self, time: float) -> float:
        return self.first + self.slope * (time - self.start)

    def area(self, time: float) -> float:
        passed = time - self.start
        return self.before + (self.first + self.slope * passed / 2) * passed

    def reach(self, total: float) -> float:
        """Return when the area is `total`; inf if this line never gets there."""
        rest = total - self.before
        if rest <= 0:
            return self.start
        # The solution of the quadratic that stays exact for small slopes.
        square = self.first * self.first + 2 * self.slope * rest
        divisor = self.first + sqrt(square) if square >= 0 else 0.0
        return self.start + 2 * rest / divisor if divisor > 0 else inf


class Course:
    """Where a number is at each moment of a plan, and the area under it.

    It starts at `start`, and each stage leads to its number along a straight line; a stage of 0
    seconds jumps. After the last it stays.
    """

    __slots__ = ("_lines", "duration", "highest")

    def __init__(self, start: float, stages: Stages) -> None:
        self._lines: list[_Line] = []
        time = before = 0.0
        value = start
        for seconds, target in stages:
            if seconds > 0:
                line = _Line(time, seconds, value, (target - value) / seconds, before)
                self._lines.append(line)
                time += seconds
                before = line.area(time)
            value = target
        self._lines.append(_Line(time, inf, value, 0.0, before))
        self.duration = time
        """When the last stage ends, in seconds."""
        self.highest = max(start, *(target for _, target in stages)) if stages else start

    def at(self, time: float) -> float:
        """Return the number at a time, in seconds from the start."""
        for line in self._lines:
            if time < line.start + line.seconds:
                return line.at(max(time, line.start))
        raise AssertionError("the last line has no end")

    def area(self, time: float) -> float:
        """Return the area up to a time: of messages per second, how many messages."""
        for line in self._lines:
            if time < line.start + line.seconds:
                return line.area(time)
        raise AssertionError("the last line has no end")

    def times(self, offset: float = 0.0, share: float = 1.0) -> Iterator[float]:
        """Yield when each single one is due: the area there is a whole number and `offset`.

        With `share` it is that part of the number which counts. Ends where no more will come.
        """
        total = offset
        for line in self._lines:
            end = line.start + line.seconds
            while (time := line.reach(total / share)) < end:
                yield time
                total += 1.0

    def count_until(self, time: float, offset: float = 0.0, share: float = 1.0) -> int:
        """Return how many of `times` are before a time; what is due within its last instant is not.

        No walk through them: there may be hundreds of millions.
        """
        return max(0, ceil(self.area(time) * share - offset - _INSTANT))
