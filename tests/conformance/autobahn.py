"""Run the Autobahn|Testsuite, and fail unless every case is passed.

    python -m tests.conformance.autobahn                            starts a server of its own
    python -m tests.conformance.autobahn --server ws://HOST:PORT    asks one that runs

A server tells by WebSocket how a client behaved, but only its report tells what it thinks of the
close: `--report FOLDER` names where it writes `index.json`. Without it each close is judged by what
this side saw of it, and the summary says so.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

from tests.conformance.server import FuzzingServer, ServerUnavailable
from tests.conformance.suite import Case, Outcome, Suite, SuiteError
from tests.conformance.verdicts import MAX_TRIES, MISSING, RACING, Verdict, read_report
from tests.conformance.workers import WORLDS, World

# How many cases run side by side, by the beginning of their ids; the first that fits counts. Those
# of 9.* have messages that keep the server busy for long in one go, and it gives a neighbour that
# waits for its Close frame to be read just one second. Those of 12.* and 13.* keep both ends busy
# by turns, the others mostly wait.
AT_ONCE = {"9.": 1, "12.": 2, "13.": 2, "": 16}
QUESTIONS_AT_ONCE = 16
SLOWEST_SHOWN = 3


class Run:
    """All chosen cases with one session class, from the first to the summary."""

    def __init__(self, server: str, session: str, report: Path | None, prefix: str) -> None:
        """Ask the server for its cases; `prefix` chooses some by their ids, "" all."""
        self._world: World = WORLDS[session]
        self._session = session
        self._suite = Suite(server, self._world.session_class, f"lomond-{session}")
        self._report = report
        numbers = range(1, self._suite.count_cases() + 1)
        self.total = len(numbers)
        cases = self._world.map(self._suite.describe, numbers, QUESTIONS_AT_ONCE)
        self._cases = [case for case in cases if case.id.startswith(prefix)]
        self._outcomes: dict[str, Outcome] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._tries: Counter[str] = Counter()
        self._seconds = 0.0

    def run(self) -> None:
        """Run the cases, and those that race again until they pass."""
        begin = monotonic()
        left = self._cases
        for prefix, at_once in AT_ONCE.items():
            self._run_cases([case for case in left if case.id.startswith(prefix)], at_once)
            left = [case for case in left if not case.id.startswith(prefix)]
        self._judge()
        for _ in range(MAX_TRIES - 1):
            again = [case for case in self._find_failed() if case.id in RACING]
            if again:
                self._run_cases(again, 1)
                self._judge()
        self._seconds = monotonic() - begin

    def summarize(self) -> bool:
        """Print how it went; tell whether every case is passed."""
        failed = self._find_failed()
        passed = len(self._cases) - len(failed)
        print(f"{self._session}: {passed} of {len(self._cases)} cases in {self._seconds:.0f} s")
        if len(self._cases) < self.total:
            print(f"  only some were chosen: the server has {self.total}")
        for verdict, count in Counter(self._verdicts[c.id] for c in self._cases).most_common():
            print(f"  {count:4} {verdict}")
        slowest = sorted(self._cases, key=lambda c: self._outcomes[c.id].seconds, reverse=True)
        times = (f"{c.id} {self._outcomes[c.id].seconds:.1f} s" for c in slowest[:SLOWEST_SHOWN])
        print(f"  slowest: {', '.join(times)}")
        for case_id, tries in self._tries.items():
            if tries > 1:
                print(f"  {case_id}, which races in the suite itself, was run {tries} times")
        if self._report is None:
            print("  closes were judged by this side: --report gives the server's own verdict")
        for case in failed:
            self._explain(case)
        sys.stdout.flush()
        return bool(self._cases) and not failed

    def _run_cases(self, cases: list[Case], at_once: int) -> None:
        outcomes = self._world.map(self._suite.run, [case.number for case in cases], at_once)
        for case, outcome in zip(cases, outcomes, strict=True):
            self._outcomes[case.id] = outcome
            self._tries[case.id] += 1

    def _judge(self) -> None:
        self._suite.update_reports()
        if self._report is None:
            verdicts = self._world.map(self._ask, self._cases, QUESTIONS_AT_ONCE)
            self._verdicts = {c.id: v for c, v in zip(self._cases, verdicts, strict=True)}
            return
        found = read_report(self._report, self._suite.agent)
        missing = Verdict(MISSING, MISSING)
        self._verdicts = {case.id: found.get(case.id, missing) for case in self._cases}

    def _ask(self, case: Case) -> Verdict:
        behavior = self._suite.ask_behavior(case.number)
        return Verdict(behavior, "FAILED" if self._outcomes[case.id].problem else "OK")

    def _find_failed(self) -> list[Case]:
        return [case for case in self._cases if not self._is_passed(case)]

    def _is_passed(self, case: Case) -> bool:
        return self._verdicts[case.id].is_passed and not self._outcomes[case.id].is_crash

    def _explain(self, case: Case) -> None:
        print(f"  FAILED {case.id}: {self._verdicts[case.id]}")
        print(f"    {' '.join(case.description.split())}")
        if problem := self._outcomes[case.id].problem:
            print(f"    {problem}")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.autobahn")
    parser.add_argument("--server", help="address of a server; without it one is started")
    parser.add_argument("--report", type=Path, help="folder to which that server writes its report")
    parser.add_argument("--session", choices=[*WORLDS, "both"], default="both")
    parser.add_argument(
        "--count", type=int, default=100, help="messages in the cases 12.* and 13.*"
    )
    parser.add_argument("--cases", default="", metavar="PREFIX", help="only those, such as 9.")
    return parser.parse_args()


def main() -> int:
    """Run what the command line asks for; return the exit status: 0 when all cases are passed."""
    # So that the server ends with a run that is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse_arguments()
    sessions = list(WORLDS) if options.session == "both" else [options.session]
    try:
        with contextlib.ExitStack() as stack:
            server, report = options.server, options.report
            if server is None:
                own = stack.enter_context(FuzzingServer(options.count))
                server, report = own.url, own.report
            is_passed = True
            for session in sessions:
                run = Run(server, session, report, options.cases)
                run.run()
                is_passed = run.summarize() and is_passed
    except (ServerUnavailable, SuiteError) as error:
        print(f"autobahn: {error}", file=sys.stderr)
        return 2
    return 0 if is_passed else 1


if __name__ == "__main__":
    sys.exit(main())
