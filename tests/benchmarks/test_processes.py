"""What surrounds a measurement: nothing else is measured, and clients know no proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers import Peer
from benchmarks.processes import (
    BusyError,
    Cores,
    clean_environment,
    have_machine_alone,
    last_line,
)


def test_two_benchmarks_do_not_run_at_once(tmp_path: Path) -> None:
    lock = tmp_path / "cache" / "lock"

    with (
        have_machine_alone(lock),
        pytest.raises(BusyError, match="another benchmark is running"),
        have_machine_alone(lock),
    ):
        pass


def test_one_benchmark_follows_another(tmp_path: Path) -> None:
    for _ in range(2):
        with have_machine_alone(tmp_path / "lock"):
            pass


def test_client_and_server_have_a_core_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {2, 0, 5})

    assert Cores.choose() == Cores(client=5, server=0)


def test_on_a_single_core_nothing_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3})

    assert Cores.choose() == Cores(None, None)


def test_a_client_has_no_proxies_but_what_makes_it_a_variant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")

    environment = clean_environment(Peer("a", "A", "a", environ={"PURE": "1"}))

    assert environment["PURE"] == "1"
    assert "HTTP_PROXY" not in environment


@pytest.mark.parametrize(
    ("text", "expected"), [("", ""), ("one\n two \n\n", "two"), ("Error: no", "Error: no")]
)
def test_of_a_traceback_the_last_line_is_told(text: str, expected: str) -> None:
    assert last_line(text) == expected
