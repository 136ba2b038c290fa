"""What has happened: counts, times, and whatever should not have been."""

from __future__ import annotations

from array import array
from collections import Counter
from math import ceil
from time import perf_counter

from lomond.events import Event


class Trips:
    """Round trips of one act: how long each took, and how long all of them together."""

    def __init__(self) -> None:
        self.latencies = array("d")
        """Seconds from before `send_text` until the answer was in the hands of its greenlet."""
        self._first_sent = float("inf")
        self._last_received = 0.0

    def record(self, sent: float, received: float) -> None:
        """Add one, by the readings of `perf_counter` at both of its ends."""
        self.latencies.append(received - sent)
        self._first_sent = min(self._first_sent, sent)
        self._last_received = received

    @property
    def per_second(self) -> float:
        """Return how many there were in a second; 0.0 if there were none."""
        return rate(len(self.latencies), self._last_received - self._first_sent)

    def percentile(self, share: float) -> float:
        """Return the latency that `share` of all stay within, in seconds; 0.0 if none."""
        if not self.latencies:
            return 0.0
        return sorted(self.latencies)[ceil(share * len(self.latencies)) - 1]


class Tally:
    """What the clients of a crowd have counted together."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        """By the name of the event's class."""
        self.problems: Counter[str] = Counter()
        """What was not expected, in words."""
        self.connections = 0
        self.graceful_closes = 0
        self.paced = Trips()
        self.flat_out = Trips()
        self.bytes_per_connection = 0.0
        self._started = perf_counter()
        self._last_connected = self._started

    def count(self, event: Event) -> None:
        """Count an event."""
        self.events[type(event).__name__] += 1

    def connected(self) -> None:
        """Count a connection that has become ready."""
        self.connections += 1
        self._last_connected = perf_counter()

    def note_problem(self, text: str) -> None:
        """Take note of something that was not expected."""
        self.problems[text] += 1

    @property
    def round_trips(self) -> int:
        """Return how many answers were right."""
        return len(self.paced.latencies) + len(self.flat_out.latencies)

    @property
    def connects_per_second(self) -> float:
        """Return how many connections became ready in a second."""
        return rate(self.connections, self._last_connected - self._started)

    def check(self, clients: int, trips: int) -> None:
        """Take note of whatever is missing of what `clients` should have done."""
        for what, found, expected in (
            ("connections", self.connections, clients),
            ("round trips", self.round_trips, clients * trips),
            ("graceful closes", self.graceful_closes, clients),
        ):
            if found != expected:
                self.note_problem(f"{what}: {found:,} instead of {expected:,}")
        if self.events["Poll"] < clients:
            self.note_problem(f"polls: {self.events['Poll']:,}, not one for each client")


def rate(count: int, seconds: float) -> float:
    """Return how many there were in a second; 0.0 for no time."""
    return count / seconds if count and seconds > 0 else 0.0
