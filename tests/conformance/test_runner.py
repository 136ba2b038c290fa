"""The runner passes no client that the suite does not pass.

The suite's words: OK and INFORMATIONAL, for the behavior and for the close, are a pass; NON-STRICT,
UNCLEAN, WRONG CODE, UNIMPLEMENTED and FAILED are none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lomond import events
from tests.conformance import autobahn, server
from tests.conformance.autobahn import Run
from tests.conformance.server import FuzzingServer, ServerUnavailable
from tests.conformance.suite import Case, Outcome, explain_end
from tests.conformance.verdicts import Verdict, read_report


class FakeSuite:
    """A server with a few cases, whose verdicts on each of their runs are given."""

    behaviors: dict[str, Sequence[str]]
    problem = ""
    is_crash = False

    def __init__(self, *_arguments: object) -> None:
        self.agent = "client"
        self._runs = dict.fromkeys(self.behaviors, 0)

    def count_cases(self) -> int:
        return len(self.behaviors)

    def describe(self, number: int) -> Case:
        return Case(number, list(self.behaviors)[number - 1], "what it is about")

    def run(self, number: int) -> Outcome:
        self._runs[self.describe(number).id] += 1
        return Outcome(0.5, self.problem, self.is_crash)

    def ask_behavior(self, number: int) -> str:
        case = self.describe(number).id
        return self.behaviors[case][self._runs[case] - 1]

    def update_reports(self) -> None:
        return


def run_cases(
    monkeypatch: pytest.MonkeyPatch,
    behaviors: dict[str, Sequence[str]],
    report: Path | None = None,
    problem: str = "",
    is_crash: bool = False,
) -> bool:
    monkeypatch.setattr(autobahn, "Suite", FakeSuite)
    monkeypatch.setattr(FakeSuite, "behaviors", behaviors, raising=False)
    monkeypatch.setattr(FakeSuite, "problem", problem)
    monkeypatch.setattr(FakeSuite, "is_crash", is_crash)
    run = Run("ws://127.0.0.1:1", "blocking", report, "")
    run.run()
    return run.summarize()


def write_report(folder: Path, results: dict[str, tuple[str, str]]) -> None:
    cases = {case: {"behavior": b, "behaviorClose": c} for case, (b, c) in results.items()}
    (folder / "index.json").write_text(json.dumps({"client": cases}))


@pytest.mark.parametrize(
    ("behavior", "close", "is_passed"),
    [
        ("OK", "OK", True),
        ("INFORMATIONAL", "INFORMATIONAL", True),
        ("NON-STRICT", "OK", False),
        ("OK", "UNCLEAN", False),
        ("UNIMPLEMENTED", "OK", False),
        ("FAILED", "FAILED", False),
    ],
)
def test_only_the_two_best_verdicts_pass(behavior: str, close: str, is_passed: bool) -> None:
    assert Verdict(behavior, close).is_passed == is_passed


def test_a_run_passes_when_all_its_cases_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_cases(monkeypatch, {"1.1.1": ["OK"], "7.1.6": ["INFORMATIONAL"]})


def test_one_failing_case_fails_the_run_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run_cases(monkeypatch, {"1.1.1": ["OK"], "6.4.2": ["NON-STRICT"]})

    printed = capsys.readouterr().out
    assert "blocking: 1 of 2 cases" in printed
    assert "FAILED 6.4.2: behavior NON-STRICT, close OK" in printed


def test_a_case_that_races_may_pass_at_its_third_run_which_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cases(monkeypatch, {"4.1.5": ["FAILED", "NON-STRICT", "OK"]})

    assert "4.1.5, which races in the suite itself, was run 3 times" in capsys.readouterr().out


def test_a_case_that_races_is_run_no_fourth_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not run_cases(monkeypatch, {"4.2.5": ["FAILED", "FAILED", "FAILED", "OK"]})


def test_no_other_case_is_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not run_cases(monkeypatch, {"4.1.4": ["FAILED", "OK"]})


def test_the_report_decides_on_the_close(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_report(tmp_path, {"1.1.1": ("OK", "WRONG CODE")})

    assert not run_cases(monkeypatch, {"1.1.1": ["OK"]}, tmp_path)


def test_a_case_that_the_report_leaves_out_is_not_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_report(tmp_path, {"1.1.1": ("OK", "OK")})

    assert not run_cases(monkeypatch, {"1.1.1": ["OK"], "1.1.2": ["OK"]}, tmp_path)


def test_without_a_report_a_lost_connection_fails_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not run_cases(monkeypatch, {"1.1.1": ["OK"]}, problem="socket fail; connection lost")


def test_a_client_that_raises_has_not_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_report(tmp_path, {"1.1.1": ("OK", "OK")})

    assert not run_cases(monkeypatch, {"1.1.1": ["OK"]}, tmp_path, "it raised", is_crash=True)


def test_a_report_is_read_for_one_agent_alone(tmp_path: Path) -> None:
    write_report(tmp_path, {"1.1.1": ("OK", "UNCLEAN")})

    assert read_report(tmp_path, "client") == {"1.1.1": Verdict("OK", "UNCLEAN")}
    assert read_report(tmp_path, "another") == {}


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        (events.Disconnected("closed", True), ""),
        (events.Disconnected("bad", kind="protocol", closed_by="client"), ""),
        (events.Disconnected("lost", kind="eof"), "lost"),
        (events.ConnectFail("refused"), "the connection was never made"),
        (None, "the connection was never made"),
    ],
)
def test_an_end_without_a_closing_handshake_is_a_problem(
    last: events.Event | None, problem: str
) -> None:
    assert explain_end(last).startswith(problem)
    assert bool(explain_end(last)) == bool(problem)


def test_where_there_is_no_server_its_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTOBAHN_SERVER", str(tmp_path))

    with pytest.raises(ServerUnavailable, match=f"no fuzzing server in {tmp_path}"):
        FuzzingServer(count=5)


def test_where_no_python_has_lib2to3_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "can_translate", lambda _python: False)

    with pytest.raises(ServerUnavailable, match="needs a Python with lib2to3"):
        server.find_python()
