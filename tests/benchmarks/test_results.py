"""What was measured outlives the process that measured it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results import Results, cpu_per_minute, cpu_per_unit, rate, server_share
from tests.benchmarks.rounds import RUN, begin_results, make_result


def test_results_are_read_again(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    results.add(("echo", "a", 0), result=make_result(cpu=2.0))
    results.add(("echo", "a", 1), error="it broke")

    again = Results.load(tmp_path / "results.jsonl")

    assert again.run == RUN
    assert again.figures_of("echo", "a", cpu_per_unit) == {0: 0.002}
    assert again.errors_of("echo", "a") == ["it broke"]


def test_a_line_that_was_cut_off_was_not_measured(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    results.add(("echo", "a", 0), result=make_result())
    path = tmp_path / "results.jsonl"
    path.write_text(path.read_text() + '{"key": ["echo", "a", 1], "res')

    again = Results.load(path)

    assert again.has(("echo", "a", 0))
    assert not again.has(("echo", "a", 1))


def test_what_is_added_after_a_cut_off_line_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    begin_results(tmp_path)
    path.write_text(path.read_text() + '{"key": ["ec')
    Results.load(path).add(("echo", "a", 0), result=make_result())

    assert Results.load(path).has(("echo", "a", 0))


def test_a_figure_that_was_not_looked_at_is_left_out(tmp_path: Path) -> None:
    results = begin_results(tmp_path)
    results.add(("echo", "a", 0), result=make_result(resident=None))
    results.add(("echo", "a", 1), result=make_result(resident=2048))

    assert results.figures_of("echo", "a", lambda result: result["resident"]) == {1: 2048}


def test_figures_are_for_a_unit_of_work_or_of_time() -> None:
    result = make_result(cpu=1.0, wall=2.0)

    assert cpu_per_unit(result) == 0.001
    assert cpu_per_minute(result) == 30.0
    assert rate(result) == 500.0
    assert server_share(result) == 0.5
