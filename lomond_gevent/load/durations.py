"""Durations and rates as people write them: "1m30s", "20k", "500/s".

Inside of the load generator durations are float seconds and rates float per second; only what a
user types or reads passes through here.
"""

from __future__ import annotations

import re
from math import isfinite

_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(us|µs|ms|s|m|h|d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([kKM]?)(?:/(s|m|h))?")
_MULTIPLES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}


def parse_duration(text: str) -> float:
    """Return the seconds of "250ms", "30s", "2m", "1h", "1m30s" or "10" (seconds).

    Raises ValueError for anything else.
    """
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped):
        return _check_finite(float(stripped), text)
    parts = _PART.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        raise ValueError(
            f"{text!r} is no duration: write a number and a unit, such as 250ms, 30s, 2m or 1m30s"
        )
    return _check_finite(sum(float(number) * _UNITS[unit] for number, unit in parts), text)


def format_duration(seconds: float) -> str:
    """Write seconds as "250 µs", "1.5 ms", "30 s", "1m30s" or "2h05m"."""
    if seconds < 1e-3:
        return f"{_trim(seconds * 1e6)} µs"
    if seconds < 1.0:
        return f"{_trim(seconds * 1e3)} ms"
    if seconds < 60.0:
        return f"{_trim(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if minutes else f"{hours}h"


def parse_rate(text: str) -> float:
    """Return how many per second "20000", "20k", "500/s" or "30/m" are.

    Raises ValueError for anything else.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"{text!r} is no rate: write a number per second, such as 500, 20k or 30/m"
        )
    number, multiple, unit = found.groups()
    return _check_finite(float(number) * _MULTIPLES[multiple] / _UNITS[unit or "s"], text)


def _check_finite(value: float, text: str) -> float:
    if not isfinite(value):
        raise ValueError(f"{text[:20]!r} is too large")
    return value


def _trim(number: float) -> str:
    """Write three digits, and no zeros behind the point."""
    digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
