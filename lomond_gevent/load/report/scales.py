"""Scales of a plot: where on an axis a value is, and which ticks the axis has.

A place is a share of the axis: 0 at its beginning, 1 at its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from lomond_gevent.load.report.numbers import format_clock, significant

Tick = tuple[float, str]

# More would run into each other on a telephone.
MOST_TICKS = 6
NICE_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
# From this ratio of the largest to the smallest value on, a linear axis shows only the largest.
LOGARITHMIC_FROM = 30
# A run that is longer than so many seconds is told in minutes.
IN_SECONDS = 180
# The plot by percentile ends here at the latest: five nines.
MOST_DECADES = 5


class Scale(Protocol):
    """Where values are, and the ticks as pairs of place and label."""

    ticks: list[Tick]

    def place(self, value: float) -> float:
        """Return where on the axis a value is."""


@dataclass
class LinearScale:
    """From 0 to `high`; with `is_rounded` to the next tick at or above it."""

    high: float
    label: Callable[[float], str]
    steps: tuple[float, ...] = ()
    is_rounded: bool = True
    ticks: list[Tick] = field(init=False)

    def __post_init__(self) -> None:
        self.high = self.high if self.high > 0 else 1.0
        step = self._step()
        # A hair above or below a tick is on it.
        if self.is_rounded:
            self.high = step * math.ceil(self.high / step - 1e-9)
        values = [step * number for number in range(math.floor(self.high / step + 1e-9) + 1)]
        self.ticks = [(self.place(value), self.label(value)) for value in values]

    def place(self, value: float) -> float:
        """Return where on the axis a value is."""
        return value / self.high

    def _step(self) -> float:
        least = self.high / MOST_TICKS
        for step in self.steps:
            if step >= least:
                return step
        magnitude = 10.0 ** math.floor(math.log10(least))
        return next(magnitude * nice for nice in NICE_STEPS if magnitude * nice >= least * 0.999)


@dataclass
class LogScale:
    """From `low` to `high`, with ticks at powers of ten, and between them where there is room."""

    low: float
    high: float
    label: Callable[[float], str]
    ticks: list[Tick] = field(init=False)

    def __post_init__(self) -> None:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [10.0**power * part for power in powers for part in (1, 2, 5)]
        # The axis ends at the values next to those it shows, not at a power of ten far from them.
        self.low = max((v for v in values if v <= self.low * 1.0001), default=values[0])
        self.high = min((v for v in values if v >= self.high * 0.9999), default=values[-1])
        self.high = max(self.high, self.low * 10)
        shown = [value for value in values if self.low <= value <= self.high * 1.0001]
        if len(shown) > MOST_TICKS:
            shown = [value for value in shown if value in {10.0**power for power in powers}]
        step = math.ceil(len(shown) / MOST_TICKS)
        self.ticks = [(self.place(value), self.label(value)) for value in shown[::step]]

    def place(self, value: float) -> float:
        """Return where on the axis a value is."""
        value = min(max(value, self.low), self.high)
        return math.log(value / self.low) / math.log(self.high / self.low)


@dataclass
class PercentileScale:
    """As HdrHistogram plots them: each further nine takes the same room."""

    count: int
    decades: float = field(init=False)
    ticks: list[Tick] = field(init=False)

    def __post_init__(self) -> None:
        self.decades = min(MOST_DECADES, max(1.0, math.log10(max(1, self.count))))
        whole = range(1, math.floor(self.decades + 1e-9) + 1)
        levels = [0.0, *(100 - 100 / 10**power for power in whole)]
        self.ticks = [(self.place(level), f"{level:.10g}") for level in levels]

    def place(self, value: float) -> float:
        """Return where on the axis a percentile is; 100 is where the axis ends."""
        if value >= 100:
            return 1.0
        return min(1.0, -math.log10(1 - value / 100) / self.decades)

    def levels(self, per_decade: int = 24) -> list[float]:
        """Return the percentiles to draw, the last of them 100."""
        steps = math.ceil(self.decades * per_decade)
        return [*(100 - 100 / 10 ** (step / per_decade) for step in range(steps)), 100.0]


def value_scale(values: list[float], label: Callable[[float], str]) -> Scale:
    """Choose the scale that shows both the smallest and the largest of positive values."""
    least = min((value for value in values if value > 0), default=1.0)
    most = max(values, default=1.0)
    if most / least >= LOGARITHMIC_FROM:
        return LogScale(least, most, label)
    return LinearScale(most, label)


def time_scale(end: float) -> LinearScale:
    """Return the scale of a run; its labels are seconds, or those of a clock if it was long."""
    is_short = end <= IN_SECONDS

    def label(value: float) -> str:
        return significant(value) if is_short else format_clock(value)

    steps = tuple(map(float, NICE_SECONDS)) if end >= MOST_TICKS else ()
    return LinearScale(end, label, steps=steps, is_rounded=False)


def time_unit(end: float) -> str:
    """Return what the labels of `time_scale` are in."""
    return "s" if end <= IN_SECONDS else "min:s" if end < 3600 else "h:min:s"
