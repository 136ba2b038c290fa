"""Mutation testing of the protocol: `python -m tests.mutation.run [module …]`.

Each module is changed in one small place after the other (see `mutants`), and for each mutant the
tests that concern the module are run until one of them fails: then it is killed. At least nine in
ten must be, and those that survive must be in `SURVIVORS.md` with a reason. A mutant that keeps
the tests going for ever counts as killed.

All happens in a copy, `.cache/mutants/tree`. What was judged is kept beside it, so a run that was
ended goes on. A module that has changed is judged again, and of the others what was killed by a
test file that has changed, and what no test has killed. A change of any other file makes no
difference: remove the folder to judge everything anew.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.mutation.mutants import Mutant, make_mutants
from tests.mutation.results import Result, find_problems, summarize
from tests.mutation.session import Session, digest_files, with_imports
from tests.mutation.survivors import ACCEPTED, parse_accepted

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "mutants"
TREE = CACHE / "tree"
COPIED = ("lomond", "lomond_gevent", "tests", "pyproject.toml")
# Of the runner, what makes mutants and judges them.
TOOL = ("mutants.py", "judge.py")
PACKAGE = "lomond.protocol"

# Stands for all test files of a module, where a verdict rests on them all.
ALL = "all"

# For what the tests take in seconds, how long a mutant may keep them: times, and at least.
PATIENCE = 3
LEAST_PATIENCE = 5.0

# The tests that concern a module, those first that find most in the least time.
TESTS = {
    "frames": [
        "rfc6455/test_frames.py",
        "rfc6455/test_close_codes.py",
        "rfc6455/test_control_frames.py",
        "rfc6455/test_text.py",
        "rfc6455/test_fragments.py",
        "rfc6455/test_batches.py",
        "rfc6455/test_received_time.py",
        "rfc6455/test_unfinished_bytes.py",
        "rfc6455/test_closing_handshake.py",
        "rfc6455/test_masking.py",
        "rfc7692/test_frame_limits.py",
        "rfc7692/test_compressed_messages.py",
        "rfc6455/test_accelerator.py",
    ],
    "messages": [
        "rfc6455/test_text.py",
        "rfc6455/test_fragments.py",
        "rfc6455/test_received_time.py",
        "rfc6455/test_unfinished_bytes.py",
        "rfc6455/test_batches.py",
        "rfc7692/test_compressed_fragments.py",
        "rfc7692/test_compressed_messages.py",
    ],
    "deflate": [
        "rfc7692/test_negotiation.py",
        "rfc7692/test_parameters.py",
        "rfc7692/test_codec.py",
        "rfc7692/test_zlib_limits.py",
        "rfc7692/test_compressed_messages.py",
        "rfc7692/test_bounds.py",
    ],
    "handshake": [
        "rfc6455/test_opening_handshake.py",
        "rfc6455/test_request.py",
        "rfc6455/test_request_arguments.py",
        "rfc6455/test_fips.py",
        "rfc7692/test_negotiation.py",
        "rfc6455/test_upgrade_answer.py",
    ],
    "client": [
        "rfc6455/test_received_time.py",
        "rfc6455/test_what_an_end_tells.py",
        "rfc6455/test_closing_handshake.py",
        "rfc6455/test_closing_ends.py",
        "rfc6455/test_heartbeat.py",
        "rfc6455/test_upgrade_answer.py",
        "rfc6455/test_batches.py",
        "rfc6455/test_outgoing.py",
        "rfc6455/test_control_frames.py",
        "rfc6455/test_text.py",
        "rfc7692/test_compressed_messages.py",
        "public/test_sans_io.py",
    ],
}


class Verdict(NamedTuple):
    """What the judge says: a word, the test file that failed, seconds of processor time."""

    word: str
    test: str | None
    seconds: float


class Judge:
    """The process of `judge`, for as long as the `with`."""

    def __enter__(self) -> Judge:
        command = [sys.executable, "-m", "tests.mutation.judge"]
        self._process = subprocess.Popen(
            command, cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self, name: str, source: str | None, seconds: float) -> Verdict:
        """Return the verdict on a module's source, None for its own."""
        tests = [f"tests/{path}" for path in TESTS[name]]
        task = {"module": f"{PACKAGE}.{name}", "source": source, "tests": tests}
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(task | {"seconds": seconds}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the judge has ended; what it wrote is above")
        return Verdict(*json.loads(answer))


def main() -> int:
    """Judge the modules of the command line; return 1 if they are not tested well enough."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.run", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(TESTS))
    names = parser.parse_args().modules or list(TESTS)
    if unknown := set(names).difference(TESTS):
        parser.error(f"there is no module {', '.join(sorted(unknown))}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            parser.error("another run is under way, and there is one copy of the tree for all")
        copy_tree()
        with Judge() as judge:
            results = {name: judge_module(judge, name) for name in names}
    accepted = parse_accepted(ACCEPTED.read_text(encoding="utf-8"))
    print(*summarize(results), sep="\n")
    problems = [
        problem
        for name, result in results.items()
        for problem in find_problems(name, result, accepted.get(name, Counter()))
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def copy_tree() -> None:
    """Copy what the tests need: whoever works in the tree meanwhile changes nothing."""
    shutil.rmtree(TREE, ignore_errors=True)
    for each in COPIED:
        source, target = ROOT / each, TREE / each
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)


def judge_module(judge: Judge, name: str) -> Result:
    """Judge what is not judged yet of one module."""
    path = TREE / "lomond" / "protocol" / f"{name}.py"
    tool = [TREE / "tests" / "mutation" / each for each in TOOL]
    digest = digest_files([path, *tool], f"mutmut {version('mutmut')}, Python {sys.version}")
    tests = {f"tests/{each}": with_imports(TREE / "tests" / each, TREE) for each in TESTS[name]}
    bases = {each: digest_files(files) for each, files in tests.items()}
    bases[ALL] = digest_files(file for files in tests.values() for file in files)
    session = Session(CACHE / f"{name}.jsonl", digest, bases.values())
    mutants = dict(enumerate(make_mutants(path.read_text(encoding="utf-8"))))
    missing = {number: each for number, each in mutants.items() if number not in session.verdicts}
    if missing:
        judge_mutants(judge, name, missing, session, bases)
    survivors = [
        mutant.change
        for number, mutant in mutants.items()
        if session.verdicts[number] == "survived"
    ]
    return Result(Counter(session.verdicts.values()), survivors)


def judge_mutants(
    judge: Judge, name: str, mutants: dict[int, Mutant], session: Session, bases: dict[str, str]
) -> None:
    """Judge these mutants, after a look at whether the tests pass without any."""
    verdict = judge.ask(name, None, 600)
    if verdict.word != "survived":
        raise SystemExit(f"the tests of {name} fail without a mutant: see {CACHE / 'last.txt'}")
    seconds = max(LEAST_PATIENCE, PATIENCE * verdict.seconds)
    print(f"{name}: {len(mutants)} mutants to judge, {verdict.seconds:.1f} s each at the most")
    for count, (number, mutant) in enumerate(mutants.items(), 1):
        verdict = judge.ask(name, mutant.source, seconds)
        session.keep(number, verdict.word, bases[verdict.test or ALL], mutant.change)
        if sys.stdout.isatty():
            print(f"\r{name}: {count} of {len(mutants)}", end="\n" * (count == len(mutants)))


if __name__ == "__main__":
    sys.exit(main())
