"""What a load has measured: plain data, which reports are made of.

Nothing is measured here (see `metrics`), nothing is printed here (see `report`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.plan import Plan

HISTOGRAMS = (
    "connect",
    "connect.dns",
    "connect.tcp",
    "connect.tls",
    "connect.upgrade",
    "rtt",
    "rtt.service",
    "delivery",
    "delivery.service",
    "ping",
    "first_message",
    "session",
    "lag",
)
"""Every histogram that a result has, filled or not; a user's timers are "timer.<name>"."""

MAIN_LATENCIES = ("rtt", "delivery", "ping", "connect")
"""What a scenario is about is the first of these that was measured."""

COUNTS = (
    "connections.attempted",
    "connections.opened",
    "connections.failed",
    "connections.unfinished",
    "connections.lost",
    "connections.cut_off",
    "connections.closed",
    "messages.sent",
    "messages.received",
    "bytes.sent",
    "bytes.received",
    "requests.timed_out",
    "requests.late",
    "requests.unfinished",
    "sends.skipped",
    "sends.behind",
)
"""Every count that a result has. Bytes are those of payloads; `sends.behind` is how many
messages of the schedule had not left when the load ended; `connections.unfinished` were given up
by an interrupt, and `connections.cut_off` is how many ended, as an error, before an answer came."""

# A share of the schedule that was not sent, above which a run shows nothing.
MOST_UNSENT = 0.5
# Scenarios that are about messages: without a single one nothing was tried.
SENDING = ("echo", "fanout")
RECEIVING = (*SENDING, "flood")


@dataclass(frozen=True, slots=True)
class Latency:
    """One distribution of a second: how many values, and the percentiles in microseconds."""

    count: int
    p50: int
    p90: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True)
class Second:
    """One second of the series; counts are of this second, latencies in microseconds.

    `time` is its end, in seconds since the clients began to connect (`Result.connecting` of them
    are before the load); `clients` is how many were connected then.
    """

    time: float
    clients: int
    opened: int
    failed: int
    lost: int
    sent: int
    received: int
    bytes_sent: int
    bytes_received: int
    errors: int
    rtt_count: int
    rtt_p50: int | None
    rtt_p90: int | None
    rtt_p99: int | None
    rtt_max: int | None
    lag_max: int
    cpu: float
    """Share of one core that this second took; of several processes, the busiest one's."""
    latencies: dict[str, Latency] = field(default_factory=dict)
    """By name, what of `HISTOGRAMS` and of the user's timers was measured in this second; the round
    trip has attributes of its own."""

    def latency(self, name: str) -> Latency | None:
        """Return a distribution by its name, the round trip too; None if nothing was measured."""
        if name != "rtt":
            return self.latencies.get(name)
        if not self.rtt_count:
            return None
        values = (self.rtt_p50, self.rtt_p90, self.rtt_p99, self.rtt_max)
        return Latency(self.rtt_count, *(value or 0 for value in values))


@dataclass(frozen=True, slots=True)
class Live:
    """What an observer is shown once a second: the load so far."""

    elapsed: float
    """Seconds since the clients began to connect."""
    remaining: float
    """Seconds that the load has still to last; all of them while they connect before it."""
    clients: int
    wanted: int
    counts: Mapping[str, int]
    rtt: Histogram
    connect: Histogram
    errors: Mapping[tuple[str, str], int]
    lag: int
    """The longest lag of the last second, in microseconds."""
    cpu: float
    main: str = "rtt"
    """The first of `MAIN_LATENCIES` that was measured so far."""


@dataclass(frozen=True, slots=True)
class Result:
    """All that a load has measured."""

    plan: Plan
    model: str
    started: float
    """When the load began, in seconds since the epoch."""
    duration: float
    """How long it lasted, in seconds: without connecting before it, and closing behind it."""
    interrupted: bool
    histograms: dict[str, Histogram]
    counts: dict[str, int]
    errors: dict[tuple[str, str], int]
    """By phase and kind."""
    close_codes: dict[int, int]
    checks: dict[str, tuple[int, int]]
    """Passed and failed, by name."""
    series: list[Second]
    warnings: list[str]
    machine: dict[str, str]
    cpu_seconds: float
    peak_memory: int
    """Bytes; of several processes, the sum."""
    connecting: float = 0.0
    """How long all clients took to connect before the load began; 0.0 where it began at once."""
    stopped_because: str = field(default="")
    """Why it ended before its time, in words; empty where it did not."""
    counts_in_time: dict[str, int] = field(default_factory=dict)
    """What of the counts came while the load was on: neither while clients connected before it,
    nor while the last answers were awaited behind it."""
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    """By phase and kind of an error, why it was one, in words: the first that was seen."""

    def rate(self, name: str) -> float | None:
        """Return how much of a count came in each second of the load; None if it never began."""
        return self.counts_in_time.get(name, 0) / self.duration if self.duration else None

    @property
    def unsent_share(self) -> float:
        """Return the share of a schedule of messages that was not sent; 0.0 without a schedule."""
        unsent = self.counts.get("sends.skipped", 0) + self.counts.get("sends.behind", 0)
        return unsent / (unsent + self.counts.get("messages.sent", 0)) if unsent else 0.0

    @property
    def shortfalls(self) -> list[str]:
        """Return why this run shows nothing, in words: what it was for has not happened."""
        scenario, counts = self.plan.scenario, self.counts
        opened, sent = counts.get("connections.opened", 0), counts.get("messages.sent", 0)
        found = []
        if not opened and not self._has_own_measurements:
            found.append("no connection was opened")
        elif not sent and scenario in SENDING:
            found.append("nothing was sent")
        elif not counts.get("messages.received", 0) and self._awaits_messages:
            found.append("nothing was received")
        if self.unsent_share > MOST_UNSENT:
            found.append(f"{100 * self.unsent_share:.3g} % of the schedule was not sent")
        return found

    @property
    def _awaits_messages(self) -> bool:
        """Return whether the scenario is nothing without messages of the server."""
        unanswered = ("requests.timed_out", "requests.unfinished")
        if self.plan.is_custom:
            return any(self.counts.get(name) for name in unanswered)
        # Whom a client sends to may be nobody: alone in its room, it hears nothing.
        is_alone = self.plan.scenario == "fanout" and self.plan.most_clients == 1
        return self.plan.scenario in RECEIVING and not is_alone

    @property
    def _has_own_measurements(self) -> bool:
        """Return whether a scenario of the user's own has measured something without connecting."""
        timers = any(h.count for name, h in self.histograms.items() if name.startswith("timer."))
        return self.plan.is_custom and (timers or bool(self.checks))

    @property
    def failed(self) -> bool:
        """Return whether anything went wrong: an error, a failed check, a lost connection.

        A run that shows nothing has failed as well: see `shortfalls`.
        """
        return (
            any(self.errors.values())
            or any(failed for _, failed in self.checks.values())
            or bool(self.counts.get("connections.lost") or self.counts.get("connections.failed"))
            or bool(self.shortfalls)
        )
