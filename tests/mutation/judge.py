"""Judge mutants: a process that has imported what all tests need, and forks for each mutant.

It runs in the copy of the tree and takes one JSON object a line: the module, the source to be
imported in its place (None for its own), the test files, the seconds that they may take. It
answers with the verdict, the test file that killed the mutant, and the seconds that were taken.
`lomond` must not be imported before the fork: each child imports its own.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType
from typing import NamedTuple

# For the children, whom it takes most of a second.
import gevent  # noqa: F401
import hypothesis
import psutil  # noqa: F401
import pytest
import trustme  # noqa: F401

KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"
# The exit code of a child whose first test file has failed; one more for each further file.
FIRST_FAILED = 100

# Compiled code stands in for some lines of Python, whose mutants show only without it, as those
# of the lines that call it show only with it. See `lomond.protocol.compiled`.
ACCELERATORS = ("none", "")
# What an endless loop may fill, in bytes, before it fails.
MEMORY = 2 << 30
# What pytest printed about the last mutant, for those who wonder.
OUTPUT = "../last.txt"
# Plain, and without a collection of all objects at the end: seconds, in which nothing is found.
OPTIONS = ("-x", "-q", "--tb=line", "--assert=plain", "-p", "no:cacheprovider")
OPTIONS += ("-p", "no:unraisableexception")


class Task(NamedTuple):
    """What is to be judged: see the module."""

    module: str
    source: str | None
    tests: list[str]
    seconds: float


def main() -> None:
    """Answer until there are no more questions."""
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(judge(Task(**json.loads(line)))), flush=True)


def judge(task: Task) -> tuple[str, str | None, float]:
    """Return the verdict, the test file that failed, and the seconds of processor time."""
    seconds = 0.0
    for accelerator in ACCELERATORS:
        code, taken = fork_tests(task, accelerator)
        seconds += taken
        if code in (-signal.SIGXCPU, -signal.SIGALRM):
            return TIMED_OUT, None, seconds
        if code < 0:
            # A crash, or MemoryError where nothing could catch it.
            return KILLED, None, seconds
        if code:
            return KILLED, task.tests[code - FIRST_FAILED], seconds
    return SURVIVED, None, seconds


def fork_tests(task: Task, accelerator: str) -> tuple[int, float]:
    """Run the tests in a child; return its exit code and its seconds of processor time."""
    child = os.fork()
    if not child:
        os.environ["LOMOND_ACCELERATOR"] = accelerator
        run_tests(task)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def run_tests(task: Task) -> None:
    """Run the tests in this process and end it."""
    # The alarm is for a mutant that waits: nothing else would end it. Both signals kill.
    signal.alarm(int(10 * task.seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (int(task.seconds), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = os.open(OUTPUT, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for descriptor in (0, 1, 2):
        os.dup2(output, descriptor)
    if task.source is not None:
        sys.meta_path.insert(0, Substitute(task.module, task.source))
    code = FIRST_FAILED
    try:
        # One file after the other: to collect those that nobody comes to takes its time as well.
        for path in task.tests:
            if pytest.main([*OPTIONS, path], plugins=[Haste()]) != pytest.ExitCode.OK:
                break
            code += 1
        else:
            code = 0
    finally:
        os._exit(code)


class Haste:
    """Have hypothesis only look for a failure: not shrink, explain or remember it."""

    def pytest_configure(self) -> None:
        """Change the profile that `conftest` has loaded before any test is imported."""
        hypothesis.settings.register_profile(
            "mutants",
            deadline=None,
            derandomize=True,
            database=None,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        )
        hypothesis.settings.load_profile("mutants")


class Substitute(MetaPathFinder):
    """Have a module imported from another source than its file."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for this one module only."""
        if name != self._module:
            return None
        assert path is not None
        file = os.path.join(path[0], name.rpartition(".")[2] + ".py")
        return spec_from_file_location(name, file, loader=SourceLoader(name, file, self._source))


class SourceLoader(SourceFileLoader):
    """Load a file as if it had another source."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        """Compile what was given, and keep the result nowhere."""
        return self.source_to_code(self._source.encode(), self.path)


if __name__ == "__main__":
    main()
