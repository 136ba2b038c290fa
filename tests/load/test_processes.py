"""A load by several processes, forked from one that has no hub yet: so each is a program here."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import LoadError, Plan, PlanError, processes, run, running

pytestmark = pytest.mark.loopback

Test = TypeVar("Test", bound=Callable[..., object])

PROGRAM = """
import json, os, signal, sys
from gevent.event import Event
from lomond_gevent.load import Plan, processes, run, watch
# What waits for a second waits for this, and who was silent for several of them hangs.
watch.SECOND, processes.LONGEST_SILENCE = 0.4, 1.6
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


PLANS: dict[str, tuple[str, dict[str, Any]]] = {}
"""By the name of a test: what its program does meanwhile, and the options of its plan."""


def loads(action: str = "", **options: Any) -> Callable[[Test], Test]:
    """Give a test the figures of a load."""

    def register(test: Test) -> Test:
        PLANS[test.__name__] = (action, {"processes": 2, "clients": 4, **options})
        return test

    return register


@pytest.fixture(scope="module")
def outputs(request: pytest.FixtureRequest) -> dict[str, str]:
    """Run the programs of all chosen tests side by side, each in a process of its own."""
    chosen = {item.name for item in request.session.items}
    programs = {
        name: subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(options), action],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, (action, options) in PLANS.items()
        if name in chosen
    }
    return {name: program.communicate(timeout=60)[0] for name, program in programs.items()}


@pytest.fixture
def figures(outputs: dict[str, str], request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the load of this test came to; its program's standard error is the test's."""
    text = outputs[request.node.name]
    assert text, "the program has failed: see its standard error"
    found: dict[str, Any] = json.loads(text)
    return found


@loads(clients=11, duration=0.4, think=0.01)
def test_two_processes_share_the_clients_and_nothing_is_lost_in_between(
    figures: dict[str, Any],
) -> None:
    assert figures["counts"]["connections.opened"] == 11
    assert figures["counts"]["connections.closed"] == 11
    assert figures["rtt"] == figures["counts"]["messages.received"] == figures["series"] > 50
    assert figures["errors"] == []


def test_a_process_that_cannot_be_forked_is_told_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(processes.os, "fork", refuse)
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(LoadError, match="process 1 of 2 could not be forked"):
        processes.run_processes([lambda *_: None] * 2, lambda _: None, Event())

    assert len(os.listdir("/proc/self/fd")) == before


@loads(duration=0.5, rate=100)
def test_two_processes_share_the_rate(figures: dict[str, Any]) -> None:
    assert figures["counts"]["messages.sent"] == pytest.approx(50, abs=4)


@loads(clients=6, duration=0.5, scenario="fanout", think=0.05)
def test_fanout_reaches_the_clients_of_the_other_process(figures: dict[str, Any]) -> None:
    # Three listen in the speaker's process, and three more whom it does not wait for.
    sent = figures["counts"]["messages.sent"]
    assert 3 * sent < figures["delivery"] <= 6 * sent


@loads("stop", duration=60, think=0.05)
def test_stop_ends_all_processes_gracefully(figures: dict[str, Any]) -> None:
    assert figures["interrupted"] and figures["duration"] < 10
    assert figures["counts"]["connections.closed"] == figures["clients"] == 4


@loads("SIGKILL 1", duration=0.8, think=0.05)
def test_a_process_that_dies_is_an_error(figures: dict[str, Any]) -> None:
    assert ["process", "died", 1] in figures["errors"]
    assert figures["counts"]["connections.closed"] == 2


@loads("SIGKILL 2", duration=60, think=0.05)
def test_where_all_processes_die_what_they_had_reported_is_told(figures: dict[str, Any]) -> None:
    assert ["process", "died", 2] in figures["errors"]
    assert 0 < figures["duration"] < 30
    assert figures["rtt"] > 0


@loads("SIGSTOP 1", duration=0.8, think=0.05)
def test_a_process_that_hangs_is_ended_and_told_from_one_that_died(figures: dict[str, Any]) -> None:
    assert ["process", "silent", 1] in figures["errors"]
    assert figures["counts"]["connections.closed"] == 2


def test_forking_a_process_that_has_a_hub_is_refused() -> None:
    gevent.get_hub()

    with pytest.raises(PlanError, match="before gevent is used"):
        run(Plan(clients=4, processes=2))


def test_a_scenario_file_that_makes_a_hub_is_told_from_a_program_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "early.py"
    file.write_text("def visit(client): pass")
    hubs = iter([None, object()])
    monkeypatch.setattr(running, "get_hub_if_exists", lambda: next(hubs))

    with pytest.raises(PlanError, match=r"early\.py:visit uses it when it is imported"):
        run(Plan(url="ws://127.0.0.1:9/", clients=4, processes=2, scenario=f"{file}:visit"))
