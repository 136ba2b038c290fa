"""Thresholds: what a run has to keep to, as `rtt.p99<50ms` or `errors<0.1%`.

A threshold on something that was never measured is crossed: "rtt.p99<50ms" is no good news when
not one answer has come. Failed checks of a scenario are under `checks`, and not among `errors`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING

from lomond_gevent.load.durations import parse_duration
from lomond_gevent.load.report.glossary import COUNTS, HISTOGRAMS, TIMER
from lomond_gevent.load.report.numbers import format_latency, format_share, significant

if TYPE_CHECKING:
    from lomond_gevent.load.histogram import Histogram
    from lomond_gevent.load.result import Result

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
EXAMPLES = "'rtt.p99<50ms', 'errors<0.1%' or 'messages.received.rate>1000'"
PARTS = re.compile(
    r"\s*(?P<metric>[^<>=!]+?)\s*(?P<operator><=|>=|==|!=|<|>)\s*(?P<limit>\S.*?)\s*"
)
# The last part of a metric may have a dot of its own: "rtt.p99.9".
STATISTIC = re.compile(r"(?P<name>.+?)\.(?P<stat>p\d+(?:\.\d+)?|min|max|mean|count)")
RATE = ".rate"
MICROSECONDS = 1_000_000
NOTHING = "nothing measured"

TIME, SHARE, NUMBER = "time", "share", "number"
LIMIT_EXAMPLES = {TIME: "a time with its unit, as 50ms", SHARE: "a share, as 0.1%"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold; `limit` is in microseconds (time), a share of 1, or a plain number."""

    text: str
    metric: str
    stat: str
    operator: str
    limit: float
    kind: str

    @property
    def accepts(self) -> str:
        """Return "errors" or "checks" where it says how many of these may fail, else ""."""
        wanted = {"errors": ("<", "<=", "=="), "checks": (">", ">=", "==")}
        return self.metric if self.operator in wanted.get(self.metric, ()) else ""

    def check(self, result: Result) -> tuple[bool, str]:
        """Compare with a result; return whether it is kept, and what was observed, in words."""
        observed = self.observe(result)
        if observed is None:
            return False, NOTHING
        return OPERATORS[self.operator](observed, self.limit), self.write(observed)

    def observe(self, result: Result) -> float | None:
        """Return the measured value in the unit of `limit`; None where there is none."""
        if self.metric == "errors":
            return error_share(result) if self.kind == SHARE else count_errors(result)
        if self.metric == "checks":
            return check_share(result)
        if self.stat == "rate":
            # A load that never began has no rate.
            return result.rate(self.metric)
        if not self.stat:
            return result.counts.get(self.metric, 0)
        return statistic(result.histograms.get(self.metric), self.stat)

    def write(self, value: float) -> str:
        """Return a value in its unit."""
        if self.kind == TIME:
            return format_latency(value)
        return format_share(value) if self.kind == SHARE else significant(value)


def parse_threshold(text: str) -> Threshold:
    """Read a threshold: a metric, one of < <= > >= == != and a limit.

    Raises ValueError that tells what is wrong with it, or which metrics there are.
    """
    parts = PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no comparison; write {EXAMPLES}")
    metric, stat = split_metric(parts["metric"])
    if metric in ("errors", "checks"):
        is_share = parts["limit"].endswith("%") or metric == "checks"
        kind = SHARE if is_share else NUMBER
    else:
        kind = TIME if stat not in ("", "count", "rate") else NUMBER
    try:
        limit = parse_limit(parts["limit"], kind)
    except ValueError:
        wanted = LIMIT_EXAMPLES.get(kind, "a number, as 1000")
        raise ValueError(f"{text!r}: the limit {parts['limit']!r} is not {wanted}") from None
    return Threshold(text.strip(), metric, stat, parts["operator"], limit, kind)


def split_metric(text: str) -> tuple[str, str]:
    """Return the name of a metric that exists, and which of its values is meant ("" for itself)."""
    if text in ("errors", "checks") or text in COUNTS:
        return text, ""
    if text.endswith(RATE) and text.removesuffix(RATE) in COUNTS:
        return text.removesuffix(RATE), "rate"
    found = STATISTIC.fullmatch(text)
    if found and (found["name"] in HISTOGRAMS or found["name"].startswith(TIMER)):
        if found["stat"].startswith("p") and float(found["stat"][1:]) > 100:
            raise ValueError(f"{text!r}: a percentile is at most p100")
        return found["name"], found["stat"]
    raise ValueError(unknown_metric(text))


def unknown_metric(text: str) -> str:
    """Say which metrics there are, and which one may have been meant."""
    if text in HISTOGRAMS or text.startswith(TIMER):
        return f"{text!r} is a distribution: say which of its values, as {text}.p99"
    times = [*HISTOGRAMS, f"{TIMER}NAME"]
    known = ["errors", "checks", *COUNTS, *(f"{name}.p99" for name in times)]
    close = get_close_matches(text, known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return (
        f"unknown metric {text!r}{hint}; there are: errors, checks; "
        f"{', '.join(times)}, each with .p50 to .p99.99, .min, .max, .mean, .count; "
        f"{', '.join(COUNTS)}, each also with .rate"
    )


def parse_limit(text: str, kind: str) -> float:
    """Read a limit of a kind; raises ValueError."""
    if kind == SHARE:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        # Who writes "checks>=99" means 99 %, and NaN is kept or crossed by nothing.
        if not 0 <= share <= 1:
            raise ValueError(text)
        return share
    if kind == NUMBER:
        number = float(text.replace(",", "").replace("_", ""))
        if not isfinite(number):
            raise ValueError(text)
        return number
    if text[-1].isdigit():
        # Elsewhere a bare number is seconds. Who writes "rtt.p99<50" hardly means 50 s.
        raise ValueError(text)
    return parse_duration(text) * MICROSECONDS


def statistic(histogram: Histogram | None, stat: str) -> float | None:
    """Return one value of a distribution; None where nothing was recorded."""
    if stat == "count":
        return histogram.count if histogram else 0
    if histogram is None or not histogram.count:
        return None
    if stat.startswith("p"):
        return histogram.percentile(float(stat[1:]))
    return float({"min": histogram.min, "max": histogram.max, "mean": histogram.mean}[stat])


def count_errors(result: Result) -> int:
    """Return how many errors there were; failed checks have a threshold of their own."""
    return sum(number for (phase, _), number in result.errors.items() if phase != "check")


def error_share(result: Result) -> float | None:
    """Return what failed as a share of what was tried: connections, and messages of the plan.

    What the schedule wanted and was never sent has failed, and so has what was never answered:
    else a server that is down would fail nothing. A connection that ends before an answer came is
    one failure with it, not two. In `fanout` each delivery counts.
    """
    counts = result.counts
    unsent = counts.get("sends.skipped", 0) + counts.get("sends.behind", 0)
    unfinished = counts.get("requests.unfinished", 0)
    wanted = counts.get("messages.sent", 0)
    if result.plan.scenario == "fanout":
        delivered = result.histograms["delivery"].count if "delivery" in result.histograms else 0
        # Late ones have timed out as well.
        missing = counts.get("requests.timed_out", 0) - counts.get("requests.late", 0)
        wanted = delivered + missing + unfinished
    tried = counts.get("connections.attempted", 0) + wanted + unsent
    failed = count_errors(result) + unsent + unfinished - counts.get("connections.cut_off", 0)
    return min(1.0, failed / tried) if tried else None


def check_share(result: Result) -> float | None:
    """Return the share of the scenario's checks that held."""
    passed = sum(held for held, _ in result.checks.values())
    made = passed + sum(failed for _, failed in result.checks.values())
    return passed / made if made else None
