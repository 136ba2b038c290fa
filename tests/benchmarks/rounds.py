"""Works, peers and results made up for tests: nothing is measured, nothing installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers import Peer
from benchmarks.results import Results
from benchmarks.works import Work

ECHO = Work("echo", "echo", "echo", 10, "round trip")
FLOOD = Work("flood", "flood", "flood", 10, "message")
CONNECT = Work("connect", "connect", "connect", 10, "connection", is_slow=True)
A, B = Peer("a", "A", "a"), Peer("b", "B", "b", lacks={"flood": "it cannot receive"})

RUN = {
    "suite": "digest",
    "date": "2026-01-31",
    "cpu": "a processor",
    "cores": 2,
    "load": 0.1,
    "kernel": "Linux 6.1",
    "python": "CPython 3.13.0",
    "version": "lomond-gevent 1.0",
}


def make_result(cpu: float = 1.0, wall: float = 1.0, **figures: Any) -> dict[str, Any]:
    """Return a round of 1,000 units."""
    return {
        "units": 1000,
        "cpu": cpu,
        "wall": wall,
        "server_cpu": 0.5 * wall,
        "resident": None,
        "p50": 0.001,
        "p99": 0.002,
        "worst": 0.003,
        **figures,
    }


def begin_results(directory: Path) -> Results:
    """Return the results of a run that has just begun."""
    return Results.begin(directory / "results.jsonl", RUN)
