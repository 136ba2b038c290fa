"""The full run: every work, every peer, in pieces as long as there is time for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.environments import (
    CACHE,
    InstallationError,
    make_environment,
    make_peer_environment,
)
from benchmarks.machine import describe_run, fingerprint_suite
from benchmarks.peers import Peer
from benchmarks.processes import Cores, MeasurementError, last_line, measure, raise_file_limit
from benchmarks.results import Results, cpu_per_unit
from benchmarks.schedule import Turn, due_turns, list_turns
from benchmarks.works import Work

ROUNDS = 5
UNFINISHED = CACHE / "results.jsonl"
FINISHED = CACHE / "results-finished.jsonl"

Measure = Callable[[Work, Peer], dict[str, object]]


def run_full(
    works: Sequence[Work], peers: Sequence[Peer], rounds: int, minutes: float, *, fresh: bool
) -> Results | None:
    """Measure what is still to be measured; return all results, or None if time was up.

    An unfinished run goes on with this project as it was installed when the run began.
    """
    raise_file_limit()
    results = None if fresh else resume(UNFINISHED)
    if results is None:
        results = begin(peers)
    cores = Cores.choose()
    server = make_environment("server")

    def measure_here(work: Work, peer: Peer) -> dict[str, object]:
        python = make_environment(peer.name)
        return measure(peer, work, python, server, cores)

    turns = list_turns(works, peers, rounds)
    deadline = time.monotonic() + minutes * 60
    if not take_turns(turns, results, measure_here, deadline):
        print(f"time is up; the same command goes on with {UNFINISHED.name}")
        return None
    UNFINISHED.replace(FINISHED)
    return results


def resume(path: Path) -> Results | None:
    """Return the results of a run that was not finished, None if there is nothing to go on with."""
    if not path.exists():
        return None
    results = Results.load(path)
    if results.run["suite"] != fingerprint_suite():
        print("the works or the clients have changed since: beginning anew")
        return None
    print(f"going on with the run of {results.run['date']}")
    return results


def begin(peers: Sequence[Peer]) -> Results:
    """Install everything, this project as it is now, and start a file of results."""
    make_environment("server")
    for peer in peers:
        try:
            make_peer_environment(peer)
        except InstallationError as error:
            # Its rounds will fail, and say so.
            print(error)
    return Results.begin(UNFINISHED, describe_run())


def take_turns(
    turns: Sequence[Turn], results: Results, measure_one: Measure, deadline: float
) -> bool:
    """Measure the turns that are due, until the deadline; tell whether none is left."""
    for work, peer, number in due_turns(turns, results):
        if time.monotonic() > deadline:
            return False
        key = (work.name, peer.name, number)
        try:
            result = measure_one(work, peer)
        except (MeasurementError, InstallationError) as error:
            results.add(key, error=last_line(str(error)))
            outcome = str(error)
        else:
            results.add(key, result=result)
            outcome = f"{cpu_per_unit(result) * 1e6:,.2f} us"
        print(f"round {number + 1}  {work.name:18}{peer.name:20}{outcome}", flush=True)
    return True
