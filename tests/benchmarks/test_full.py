"""A full run: it stops in time, goes on later, and a peer that fails is not its end."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.full import resume, take_turns
from benchmarks.machine import fingerprint_suite
from benchmarks.peers import Peer
from benchmarks.processes import MeasurementError
from benchmarks.results import Results
from benchmarks.schedule import list_turns
from benchmarks.works import Work
from tests.benchmarks.rounds import ECHO, RUN, A, B, begin_results, make_result


def measure_nothing(work: Work, peer: Peer) -> dict[str, Any]:
    """Return a result at once."""
    return make_result()


def fail_for_a(work: Work, peer: Peer) -> dict[str, Any]:
    """Fail for one of two peers."""
    if peer == A:
        raise MeasurementError("a traceback\nConnectionError: refused")
    return make_result()


def test_a_failure_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    results = begin_results(tmp_path)

    assert take_turns(list_turns([ECHO], [A, B], 1), results, fail_for_a, math.inf)
    assert results.errors_of("echo", "a") == ["ConnectionError: refused"]
    assert results.has(("echo", "b", 0))


def test_nothing_is_begun_after_the_deadline(tmp_path: Path) -> None:
    results = begin_results(tmp_path)

    assert not take_turns(list_turns([ECHO], [A], 1), results, measure_nothing, -math.inf)
    assert not results.has(("echo", "a", 0))


def test_a_run_is_complete_when_no_turn_is_due_even_if_time_is_up(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    take_turns(list_turns([ECHO], [A], 1), results, measure_nothing, math.inf)

    assert take_turns(list_turns([ECHO], [A], 1), results, measure_nothing, -math.inf)


def test_an_unfinished_run_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    results = Results.begin(path, {**RUN, "suite": fingerprint_suite()})
    results.add(("echo", "a", 0), result=make_result())

    again = resume(path)

    assert again is not None
    assert again.has(("echo", "a", 0))


def test_a_run_of_other_works_is_not_taken_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_results(tmp_path)

    assert resume(tmp_path / "results.jsonl") is None
    assert "beginning anew" in capsys.readouterr().out


def test_without_a_file_there_is_nothing_to_take_up(tmp_path: Path) -> None:
    assert resume(tmp_path / "results.jsonl") is None
