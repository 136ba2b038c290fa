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
    "connections.lost",
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
messages of the schedule had not left when the load ended."""


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

    @property
    def failed(self) -> bool:
        """Return whether anything went wrong: an error, a failed check, a lost connection."""
        return (
            any(self.errors.values())
            or any(failed for _, failed in self.checks.values())
            or bool(self.counts.get("connections.lost") or self.counts.get("connections.failed"))
        )
