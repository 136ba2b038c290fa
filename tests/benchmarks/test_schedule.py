"""Whose turn it is: in turn, going on where a run stopped, and giving up in time."""

from __future__ import annotations

from pathlib import Path

from benchmarks.schedule import LONG_ENOUGH, due_turns, list_turns
from tests.benchmarks.rounds import CONNECT, ECHO, FLOOD, A, B, begin_results, make_result


def test_peers_take_turns_and_slow_works_come_last_and_once() -> None:
    turns = list_turns([CONNECT, ECHO], [A, B], rounds=2)

    assert [(work.name, peer.name, number) for work, peer, number in turns] == [
        ("echo", "a", 0),
        ("echo", "b", 0),
        ("echo", "a", 1),
        ("echo", "b", 1),
        ("connect", "a", 0),
        ("connect", "b", 0),
    ]


def test_a_peer_has_no_turn_with_what_it_lacks() -> None:
    assert list_turns([FLOOD], [A, B], rounds=1) == [(FLOOD, A, 0)]


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    results.add(("echo", "a", 0), result=make_result())

    turns = due_turns(list_turns([ECHO], [A, B], rounds=1), results)

    assert list(turns) == [(ECHO, B, 0)]


def test_a_long_round_needs_no_other(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    results.add(("echo", "a", 0), result=make_result(wall=LONG_ENOUGH))

    assert list(due_turns(list_turns([ECHO], [A], rounds=5), results)) == []


def test_a_failure_after_a_success_is_followed_by_another_attempt(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    turns = list_turns([ECHO], [A], rounds=5)
    results.add(("echo", "a", 0), result=make_result())
    results.add(("echo", "a", 1), error="it broke")

    assert next(due_turns(turns, results)) == (ECHO, A, 2)


def test_a_peer_that_fails_at_once_is_given_up(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    results.add(("echo", "a", 0), error="it broke")

    assert list(due_turns(list_turns([ECHO], [A], rounds=5), results)) == []


def test_each_turn_is_decided_when_its_time_has_come(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    turns = due_turns(list_turns([ECHO], [A], rounds=5), results)
    next(turns)
    results.add(("echo", "a", 0), result=make_result(wall=LONG_ENOUGH))

    assert list(turns) == []
