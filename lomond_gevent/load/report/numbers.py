"""Numbers as a person reads them: with a unit, and no more digits than tell something.

All reports write their numbers with these, so that the terminal and the page say the same. What
machines read (JSON, CSV) is never rounded here.
"""

from __future__ import annotations

MICROSECONDS_IN = {"µs": 1.0, "ms": 1e3, "s": 1e6, "min": 60e6, "h": 3600e6}
KIBI = 1024
SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
# A number below this is shown in whole, not as thousands or millions.
SHORTENED_FROM = 10_000


def format_latency(microseconds: float | None) -> str:
    """Return a time with three digits and its unit: "217 µs", "1.23 ms", "17.5 min"."""
    if microseconds is None:
        return "–"
    unit = latency_unit(microseconds)
    return f"{significant(microseconds / MICROSECONDS_IN[unit])} {unit}"


def latency_unit(microseconds: float) -> str:
    """Choose the unit in which a time is shown."""
    # 999.6 µs would be rounded to 1000 µs.
    if microseconds < 999.5:
        return "µs"
    if microseconds < 999.5e3:
        return "ms"
    if microseconds < 999.5e6:
        return "s"
    return "min" if microseconds < 7200e6 else "h"


def significant(number: float) -> str:
    """Return a number with three digits, without zeros that say nothing: "1.23", "12", "1,234"."""
    magnitude = abs(number)
    if magnitude >= 99.95:
        return f"{number:,.0f}"
    text = f"{number:.1f}" if magnitude >= 9.995 else f"{number:.2f}"
    return text.rstrip("0").rstrip(".")


def format_count(number: float) -> str:
    """Return a whole number: "12,345"."""
    return f"{number:,.0f}"


def format_short(number: float) -> str:
    """Return a number in little space: "9,876", "12.3k", "4.5M"."""
    if abs(number) < SHORTENED_FROM:
        return significant(number)
    if abs(number) < 999_500:
        return f"{significant(number / 1e3)}k"
    return f"{significant(number / 1e6)}M"


def format_bytes(number: float) -> str:
    """Return a number of bytes: "512 B", "1.5 MiB"."""
    for unit in SIZES:
        if abs(number) < 999.5 or unit == SIZES[-1]:
            break
        number /= KIBI
    return f"{significant(number)} {unit}"


def format_share(share: float) -> str:
    """Return a share of 1 in percent: "0.05 %"; what is not nothing is never shown as 0."""
    percent = share * 100
    if 0 < percent < 0.01:
        return f"{percent:.1g} %" if percent >= 0.0001 else "<0.0001 %"
    return f"{significant(percent)} %"


def format_clock(seconds: float) -> str:
    """Return a time of a run: "0:07", "12:30", "1:02:05"."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def format_percentile(quantile: float) -> str:
    """Return the short name of a percentile: "p50", "p99.9"."""
    return f"p{quantile:.10g}"


def plural(number: int, singular: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 error", "12 errors"."""
    return f"{format_count(number)} {singular if number == 1 else many or singular + 's'}"
