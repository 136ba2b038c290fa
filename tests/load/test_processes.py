"""A load by several processes, forked from one that has no hub yet: so each is a program here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import gevent
import pytest

from lomond_gevent.load import Plan, PlanError, run

pytestmark = pytest.mark.loopback

PROGRAM = """
import json, os, signal, sys
from gevent.event import Event
from lomond_gevent.load import Plan, processes, run
processes.LONGEST_SILENCE = 3.0
stop, deaths = Event(), []
def look(second, live):
    if sys.argv[2] == "stop":
        stop.set()
    if sys.argv[2].startswith("SIG") and not deaths:
        # Of the embedded server and the two processes, the last or the last two.
        name, number = sys.argv[2].split()
        children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
        deaths.extend(map(int, children[-int(number):]))
        for child in deaths:
            os.kill(child, getattr(signal, name))
result = run(Plan(**json.loads(sys.argv[1])), observer=look, stop=stop)
print(json.dumps({
    "counts": result.counts, "errors": [[*key, n] for key, n in result.errors.items()],
    "rtt": result.histograms["rtt"].count, "delivery": result.histograms["delivery"].count,
    "series": sum(second.received for second in result.series),
    "clients": max(second.clients for second in result.series),
    "interrupted": result.interrupted, "duration": result.duration,
}))
"""


def load(action: str = "", **options: Any) -> dict[str, Any]:
    """Run a plan in a process of its own; return its figures."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps({"processes": 2, **options}), action],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_two_processes_share_the_clients_and_nothing_is_lost_in_between() -> None:
    figures = load(clients=11, duration=0.4, think=0.01)

    assert figures["counts"]["connections.opened"] == 11
    assert figures["counts"]["connections.closed"] == 11
    assert figures["rtt"] == figures["counts"]["messages.received"] == figures["series"] > 50
    assert figures["errors"] == []


def test_two_processes_share_the_rate() -> None:
    figures = load(clients=4, duration=0.5, rate=100)

    assert figures["counts"]["messages.sent"] == pytest.approx(50, abs=4)


def test_fanout_reaches_the_clients_of_the_other_process() -> None:
    figures = load(clients=6, duration=0.5, scenario="fanout", think=0.05)

    assert figures["delivery"] == 6 * figures["counts"]["messages.sent"] > 0


def test_stop_ends_all_processes_gracefully() -> None:
    figures = load("stop", clients=4, duration=60, think=0.05)

    assert figures["interrupted"] and figures["duration"] < 10
    assert figures["counts"]["connections.closed"] == figures["clients"] == 4


def test_a_process_that_dies_is_an_error() -> None:
    figures = load("SIGKILL 1", clients=4, duration=1.2, think=0.05)

    assert ["process", "died", 1] in figures["errors"]
    assert figures["counts"]["connections.closed"] == 2


def test_where_all_processes_die_what_they_had_reported_is_told() -> None:
    figures = load("SIGKILL 2", clients=4, duration=60, think=0.05)

    assert ["process", "died", 2] in figures["errors"]
    assert 0.5 < figures["duration"] < 30
    assert figures["rtt"] > 0


def test_a_process_that_hangs_is_ended_and_counts_as_one_that_died() -> None:
    figures = load("SIGSTOP 1", clients=4, duration=1.2, think=0.05)

    assert ["process", "died", 1] in figures["errors"]
    assert figures["counts"]["connections.closed"] == 2


def test_forking_a_process_that_has_a_hub_is_refused() -> None:
    gevent.get_hub()

    with pytest.raises(PlanError, match="before gevent is used"):
        run(Plan(clients=4, processes=2))
