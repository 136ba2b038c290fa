"""The report says what was measured, who is missing and why, and which targets are missed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from benchmarks.machine import describe_run
from benchmarks.panels import make_panels
from benchmarks.peers import FLOOR, OURS, find_peer
from benchmarks.report import number, tell_target, tell_work, write_report
from benchmarks.results import Results
from benchmarks.targets import Target
from benchmarks.works import WORKS, find_work
from tests.benchmarks.rounds import begin_results, make_result

PEERS = (OURS, FLOOR, find_peer("picows"))
ECHO, DEFLATE = find_work("echo-1000"), find_work("deflate")
TARGET = Target("echo", "echo-1000", 0.7, 0.55, "bare_gevent")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two rounds of an echo, in which this project takes half of what the floor does."""
    results = begin_results(tmp_path)
    for round_number, mood in enumerate((1.0, 3.0)):
        results.add((ECHO.name, OURS.name, round_number), result=make_result(cpu=0.02 * mood))
        results.add((ECHO.name, FLOOR.name, round_number), result=make_result(cpu=0.04 * mood))
    results.add((ECHO.name, "picows", 0), error="not done after 120 seconds")
    return results


def test_a_row_has_costs_their_spread_and_the_ratio_to_the_floor(results: Results) -> None:
    table = "\n".join(tell_work(results, ECHO, PEERS))

    assert "| **lomond_gevent** | 40.0 (20.0–60.0) | 0.50 (0.50–0.50) | 1,000 |" in table


def test_a_peer_that_failed_is_named_with_its_message(results: Results) -> None:
    assert "- picows: not done after 120 seconds." in "\n".join(tell_work(results, ECHO, PEERS))


def test_a_peer_that_cannot_is_named_with_the_reason(results: Results) -> None:
    results.add((DEFLATE.name, OURS.name, 0), result=make_result(resident=2048))

    assert "- picows: it has no permessage-deflate." in "\n".join(
        tell_work(results, DEFLATE, PEERS)
    )


def test_a_work_that_nobody_did_has_no_table(results: Results) -> None:
    assert list(tell_work(results, DEFLATE, PEERS)) == []


def test_a_target_that_is_reached(results: Results) -> None:
    row = tell_target(results, TARGET)

    assert row == "| echo | ≤ 0.7 | not measured | ≤ 0.55 | 0.50 (0.50–0.50) |"


def test_a_target_that_is_missed(results: Results) -> None:
    row = tell_target(results, Target("echo", "echo-1000", 0.4, against="bare_gevent"))

    assert row.endswith(", **missed** |")


def test_a_target_that_was_not_measured(results: Results) -> None:
    assert tell_target(results, Target("hub", "hub", 1.0)).endswith("| not measured |")


def test_the_whole_report_is_written_of_few_results(results: Results) -> None:
    text = write_report(results, WORKS, PEERS)

    assert (
        "Measured on 2026-01-31: a processor, 2 cores, Linux 6.1, CPython 3.13.0; the load" in text
    )
    assert "## Echo, 1,000 connections" in text


def test_a_run_is_described_without_names_of_hosts_and_users() -> None:
    description = str(describe_run())

    assert socket.gethostname() not in description.replace("lomond-gevent", "")
    assert os.getcwd() not in description


def test_the_picture_has_bars_of_what_was_measured(results: Results) -> None:
    (panel,) = make_panels(results, PEERS)

    assert panel["bars"] == [
        {"label": "lomond_gevent", "value": pytest.approx(40), "kind": "ours"},
        {"label": "bare gevent.socket", "value": pytest.approx(80), "kind": "floor"},
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.026, "0.03"), (12.34, "12.3"), (123.4, "123"), (1234567.0, "1,234,567")]
)
def test_numbers_have_as_many_digits_as_mean_something(value: float, text: str) -> None:
    assert number(value) == text
