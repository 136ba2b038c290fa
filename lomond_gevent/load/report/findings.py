"""What a result comes to: the verdict, and the figures in the order in which reports show them.

The terminal and the page write the same figures in different forms; both take them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from lomond_gevent.load.durations import format_duration
from lomond_gevent.load.redaction import hide_secrets
from lomond_gevent.load.report.glossary import describe_histogram, in_order
from lomond_gevent.load.report.numbers import (
    format_bytes,
    format_count,
    format_latency,
    format_share,
    format_short,
    plural,
    significant,
)
from lomond_gevent.load.result import MOST_UNSENT
from lomond_gevent.load.thresholds import parse_threshold

if TYPE_CHECKING:
    from collections.abc import Callable

    from lomond_gevent.load.histogram import Histogram
    from lomond_gevent.load.plan import Plan
    from lomond_gevent.load.result import Result

OK, FAILED, CROSSED = 0, 1, 99
# A share of what was received that came behind the load, from which on the figures tell.
LATE_SHARE = 0.01
# A share of the schedule that was not sent, from which on the verdict tells.
NOTABLE_SHARE = 0.01
# The distributions that tell how a server did, the first that was measured before the others.
MAIN_HISTOGRAMS = ("rtt", "delivery", "ping", "first_message", "connect")

# Scenarios whose clients send no messages.
SILENT = ("connect", "idle", "flood")
# What the clients of the built-in scenarios do, again and again.
DEEDS = {
    "connect": "each connects, closes, and connects again",
    "idle": "each stays connected and sends pings",
    "echo": "each sends, waits for the answer, sends again",
    "flood": "each receives as fast as it can",
    "fanout": "one sends, and waits until all have received it",
}


class Outcome(NamedTuple):
    """How a threshold was kept."""

    text: str
    is_kept: bool
    observed: str


class Figure(NamedTuple):
    """One line of the overview: what it is, its number, and the same per second or in words."""

    name: str
    value: str
    detail: str


class Measured(NamedTuple):
    """One distribution, with its title and what it means."""

    name: str
    title: str
    meaning: str
    histogram: Histogram


@dataclass(frozen=True)
class Findings:
    """A result, judged by the thresholds of its plan."""

    result: Result

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """Return how each threshold was kept."""
        thresholds = [parse_threshold(text) for text in self.result.plan.thresholds]
        return [Outcome(each.text, *each.check(self.result)) for each in thresholds]

    @cached_property
    def exit_status(self) -> int:
        """Return 99 if a threshold is crossed, 1 if something failed, else 0.

        A crossed threshold comes before all else, for it is what the user asked about. Who says
        with a threshold how many errors, or failed checks, are accepted gets no 1 for these. A run
        that shows nothing has failed whatever was accepted.
        """
        if not all(outcome.is_kept for outcome in self.outcomes):
            return CROSSED
        if self.result.shortfalls:
            return FAILED
        accepted = {parse_threshold(text).accepts for text in self.result.plan.thresholds}
        has_failed = {"checks": self.failed_checks > 0, "errors": self._has_other_failures}
        return (
            FAILED if any(has_failed[name] and name not in accepted for name in has_failed) else OK
        )

    @property
    def failed_checks(self) -> int:
        """Return how often a check of the scenario did not hold."""
        return sum(failed for _, failed in self.result.checks.values())

    @property
    def _has_other_failures(self) -> bool:
        result = self.result
        errors = any(number for (phase, _), number in result.errors.items() if phase != "check")
        return errors or any(result.counts.get(f"connections.{n}") for n in ("failed", "lost"))

    @property
    def verdict(self) -> str:
        """Return how it went, in a sentence."""
        crossed = sum(not outcome.is_kept for outcome in self.outcomes)
        counted = self.result.errors.items()
        errors = sum(number for (phase, _), number in counted if phase != "check")
        parts = [plural(crossed, "threshold") + " crossed"] if crossed else []
        parts += [plural(errors, "error")] if errors else []
        if self._has_other_failures and not errors:
            parts.append("connections failed or were lost")
        parts += [plural(self.failed_checks, "failed check")] if self.failed_checks else []
        parts += self.result.shortfalls
        if self.outcomes and not crossed:
            parts.append("all thresholds kept")
        unsent = self.result.unsent_share
        if not parts:
            parts.append("nothing failed")
        if NOTABLE_SHARE <= unsent <= MOST_UNSENT:
            parts.append(f"{format_share(unsent)} of the schedule was not sent")
        return ", ".join(parts) + early_end(self.result)

    @property
    def measured(self) -> list[Measured]:
        """Return the distributions in which anything was recorded, in order."""
        found = []
        is_scheduled = self.result.plan.rate is not None
        for name in in_order(self.result.histograms):
            histogram = self.result.histograms[name]
            title, meaning = describe_histogram(name, is_scheduled)
            if histogram.count:
                found.append(Measured(name, title, meaning, histogram))
        return found

    @property
    def main(self) -> Measured | None:
        """Return the distribution that tells most about the server."""
        measured = {each.name: each for each in self.measured}
        return next((measured[name] for name in MAIN_HISTOGRAMS if name in measured), None)

    @property
    def cost(self) -> list[Figure]:
        """Return what the load generator itself took."""
        result = self.result
        share = result.cpu_seconds / max(result.duration + result.connecting, 1e-9)
        worst = max((second.lag_max for second in result.series), default=0)
        return [
            Figure(
                "CPU", format_latency(result.cpu_seconds * 1e6), f"{format_share(share)} of a core"
            ),
            Figure("memory", format_bytes(result.peak_memory), "at most"),
            Figure("hub lag", format_latency(worst), "at worst"),
        ]

    @property
    def error_rows(self) -> list[tuple[str, str, int]]:
        """Return phase, kind and number of the errors, the most frequent first."""
        rows = [(phase, kind, number) for (phase, kind), number in self.result.errors.items()]
        return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))

    @property
    def reasons(self) -> list[str]:
        """Return why there were errors, an example for each kind, in the order of `error_rows`."""
        known = self.result.reasons
        rows = [(phase, kind) for phase, kind, _ in self.error_rows if (phase, kind) in known]
        return [f"{phase}: {kind}, first seen: {known[phase, kind]}" for phase, kind in rows]


def heading(result: Result) -> str:
    """Return what was run, how long, against what."""
    return f"{describe_target(result.plan)}, {format_duration(round(result.duration, 1))}"


def early_end(result: Result) -> str:
    """Return that and why a run ended before its time; nothing if it did not."""
    if not result.interrupted and not result.stopped_because:
        return ""
    reason = f": {result.stopped_because}" if result.stopped_because else ""
    return f" (ended before its time{reason})"


def describe_target(plan: Plan) -> str:
    """Return what a plan does, and to whom."""
    url = hide_secrets(plan.url) if plan.url else "the embedded echo server"
    return f"{plan.scenario} against {url}"


def describe_model(plan: Plan) -> str:
    """Return the load that a plan asks for, in a sentence."""
    if plan.model == "closed":
        wanted = "clients by stages" if plan.stages else plural(plan.clients, "client")
        return f"closed model: {wanted}; {describe_scenario(plan)}"
    if plan.arrivals is not None:
        life = f", each for {format_duration(plan.lifetime)}" if plan.lifetime else ""
        number = "by stages" if plan.stages else f"{significant(plan.arrivals)} per second"
        # Only the arrivals are: a server that stalls delays what a client sends next.
        told = "" if plan.scenario in SILENT else ", and latency counts from the actual send"
        return (
            f"open model of arrivals: new clients {number}{life}; {describe_scenario(plan)}{told}"
        )
    number = "by stages" if plan.stages else f"{format_short(plan.rate or 0)} per second"
    wanted = f"messages {number} over {plural(plan.clients, 'client')}"
    return f"open model: {wanted}, on a schedule that does not wait for answers"


def describe_scenario(plan: Plan) -> str:
    """Return what each client does that follows no schedule of messages."""
    if plan.scenario == "connect" and plan.arrivals is not None:
        return "each connects when its time has come, and closes"
    if plan.scenario == "echo" and plan.think:
        pause = format_duration(plan.think)
        return f"each sends, waits for the answer, thinks for {pause}, sends again"
    return DEEDS.get(plan.scenario, f"each runs {plan.scenario}")


def connection_figures(result: Result) -> list[Figure]:
    """Return what became of the connections."""
    names = ["attempted", "opened", "failed", "unfinished", "lost", "closed"]
    numbers = {name: result.counts.get(f"connections.{name}", 0) for name in names}
    if not numbers["unfinished"]:
        del numbers["unfinished"]
    tried = numbers["attempted"]
    return [
        Figure(
            name, format_count(number), format_share(number / tried) if 0 < number != tried else ""
        )
        for name, number in numbers.items()
    ]


def per_second(name: str, result: Result, write: Callable[[float], str], unit: str = " /s") -> str:
    """Return a count as a rate while the load was on; a load that never began has none."""
    rate = result.rate(name)
    return f"{write(rate)}{unit}" if rate is not None else "–"


def late_part(name: str, result: Result) -> str:
    """Return how much of a count came behind the load, where that is more than a hundredth."""
    number = result.counts.get(name, 0)
    late = number - result.counts_in_time.get(name, 0)
    return f", {format_share(late / number)} of it late" if late > number * LATE_SHARE else ""


def traffic_figures(result: Result) -> list[Figure]:
    """Return messages, bytes and requests, each per second too."""
    counts = result.counts
    figures = []
    for way in ("sent", "received"):
        number = counts.get(f"messages.{way}", 0)
        rate = per_second(f"messages.{way}", result, format_short)
        late = late_part(f"messages.{way}", result)
        figures.append(Figure(f"messages {way}", format_count(number), rate + late))
    for way in ("sent", "received"):
        number = counts.get(f"bytes.{way}", 0)
        rate = per_second(f"bytes.{way}", result, format_bytes, "/s")
        figures.append(Figure(f"bytes {way}", format_bytes(number), rate))
    known = ("messages.sent", "messages.received", "bytes.sent", "bytes.received")
    for name in sorted(counts):
        if name not in known and not name.startswith("connections.") and counts[name]:
            words = name.replace(".", " ").replace("_", " ")
            figures.append(Figure(words, format_count(counts[name]), ""))
    return figures
