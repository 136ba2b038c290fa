"""The figures are true: beside a server that records its own delays, and stalls for a second.

In the closed model a latency is the delay of that server. In the open model it counts from the
time that a message was due, so all that was due while the server stalled has waited.
"""

from __future__ import annotations

import threading
import time
from itertools import cycle
from math import ceil

import pytest

from lomond_gevent.load import Plan, Result, run
from tests.helpers.frames import server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.loopback

CLIENTS = 8
# Seconds.
DELAYS = (0.020, 0.040, 0.060, 0.080, 0.100)
STALL_AT, STALL = 0.6, 1.0
DURATION = 2.4


class Recorder:
    """A script that echoes with known delays, stalls once, and writes down when it did what."""

    def __init__(self) -> None:
        self.records: dict[int, list[tuple[float, float]]] = {}
        self._first = 0.0
        self._lock = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        peer.accept_upgrade()
        records = self.records.setdefault(peer.number, [])
        for delay in cycle(DELAYS):
            first_byte, payload = peer.read_frame()
            received = time.monotonic()
            if first_byte == 0x88:
                peer.send(server_frame(0x88, payload))
                return
            if first_byte == 0x89:
                continue
            with self._lock:
                self._first = self._first or received
            self._wait(received + delay)
            records.append((received, time.monotonic()))
            peer.send(server_frame(first_byte, payload))

    def _wait(self, until: float) -> None:
        begin = self._first + STALL_AT
        if until > begin and until < begin + STALL:
            until = begin + STALL
        while (left := until - time.monotonic()) > 0:
            time.sleep(left)

    def delays(self) -> list[float]:
        """Return how long each message was with the server."""
        return [sent - got for records in self.records.values() for got, sent in records]

    def delays_since_due(self, rate: float) -> list[float]:
        """Return how long after it was due each message was answered.

        Clients take turns, in the order of their first messages; what came earliest, compared
        with its turn, came on time.
        """
        turns = sorted((records[0][0], records) for records in self.records.values() if records)
        due = {
            (client, number): (client + number * len(turns)) / rate
            for client, (_, records) in enumerate(turns)
            for number in range(len(records))
        }
        began = min(turns[client][1][number][0] - at for (client, number), at in due.items())
        return [turns[c][1][n][1] - began - at for (c, n), at in due.items()]


def rank(values: list[float], q: float) -> float:
    """Return a percentile by nearest rank."""
    return sorted(values)[max(1, ceil(q * len(values) / 100)) - 1]


def check_percentile(result: Result, q: float, delays: list[float]) -> None:
    """Compare within 2 % or 1 ms, and what the client says that it was late by itself."""
    measured, truth = result.histograms["rtt"].percentile(q) / 1e6, rank(delays, q)
    own = result.histograms["lag"].percentile(q) / 1e6
    assert truth - 0.001 <= measured <= truth + max(0.02 * truth, 0.001) + own, f"percentile {q}"


def test_the_closed_model_agrees_with_the_servers_record_and_hides_its_stall() -> None:
    recorder = Recorder()
    with ScriptedServer(recorder) as server:
        result = run(Plan(url=server.url, clients=CLIENTS, duration=DURATION, seed=1))

    assert result.histograms["rtt"].count == len(recorder.delays()) > 80
    for q in (25, 50, 75, 90):
        check_percentile(result, q, recorder.delays())
    # Only those who were waiting when it began have seen it.
    assert result.histograms["rtt"].percentile(90) < 200_000
    assert result.histograms["rtt"].max > 900_000


def test_the_open_model_agrees_with_the_servers_record_and_shows_its_stall() -> None:
    recorder = Recorder()
    plan = {"clients": CLIENTS, "duration": DURATION, "rate": 50.0}
    with ScriptedServer(recorder) as server:
        result = run(Plan(url=server.url, **plan))

    delays = recorder.delays_since_due(rate=50)
    assert result.histograms["rtt"].count == len(delays) == 120
    for q in (25, 50, 75, 90, 99):
        check_percentile(result, q, delays)
    # A third of all was due while it stalled.
    assert result.histograms["rtt"].percentile(90) > 400_000
