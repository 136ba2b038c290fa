"""Counting instructions: one run of `work` under callgrind, cut into its pieces.

Callgrind writes what it has counted so far, and begins anew, whenever a certain C function is
entered. The function is `getpgrp`, which nobody else calls.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
WORK = "benchmarks.instructions.work"
REFERENCE = "reference"
CUT_BEFORE = "getpgrp"


class CountingFailed(Exception):
    """There is nothing to judge; the text says why and what helps."""


def count_work() -> dict[str, float]:
    """Run the work; return the instructions for one unit of each kind of it."""
    valgrind = which("valgrind")
    if valgrind is None:
        raise CountingFailed("there is no valgrind: install it (apt-get install valgrind)")
    work = [sys.executable, "-s", "-m", WORK]
    # Once as it is: modules that are compiled in the same process move addresses by 0.6 %.
    run(work)
    with TemporaryDirectory() as folder:
        profile = Path(folder, "callgrind.out")
        callgrind = [valgrind, "--tool=callgrind", "-q", "--combine-dumps=yes"]
        options = [f"--dump-before={CUT_BEFORE}", f"--callgrind-out-file={profile}"]
        pieces = run([*fix_addresses(), *callgrind, *options, *work])
        with profile.open(encoding="utf-8", errors="replace") as lines:
            return parse_counts(pieces, lines)


def run(command: list[str]) -> str:
    """Run a command; return what it printed. Raises CountingFailed."""
    # Nothing else from outside: no proxy, no other loop of gevent's, one order of sets. And one
    # number for all machines: what is counted is pure Python, wherever else there is better.
    pure = {"LOMOND_ACCELERATOR": "none"}
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0", **pure}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise CountingFailed(f"the work ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout


def fix_addresses() -> list[str]:
    """Return the command in front of another that gives it the same addresses in each run.

    Caches of CPython's are keyed by addresses: without this two runs differ by 0.7 %, with it by
    0.01 %. Empty where it does not exist, or a container forbids it.
    """
    command = ["setarch", platform.machine(), "-R"]
    if which("setarch") is None:
        return []
    tried = subprocess.run([*command, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [] if tried.returncode else command


def parse_counts(pieces: str, profile: Iterable[str]) -> dict[str, float]:
    """Join the names of the pieces with callgrind's totals; return medians for one unit each.

    `pieces` has a line for each piece, its name and its units, in order; `profile` is what
    callgrind has written. Raises CountingFailed where the two do not belong together.
    """
    totals = [int(line.split()[1]) for line in profile if line.startswith("totals: ")]
    named = [line.split() for line in pieces.splitlines()]
    # What lies between two pieces has a total of its own, and so has what is before and behind.
    if len(totals) != 2 * len(named) + 1:
        raise CountingFailed(
            f"callgrind wrote {len(totals)} totals for {len(named)} pieces, not "
            f"{2 * len(named) + 1}: does this Python call {CUT_BEFORE} for os.{CUT_BEFORE}?"
        )
    counts: dict[str, list[float]] = {}
    for (name, units), total in zip(named, totals[1::2], strict=True):
        counts.setdefault(name, []).append(total / int(units))
    return {name: median(each) for name, each in counts.items()}


def ratios_of(counts: dict[str, float]) -> dict[str, float]:
    """Return what each kind of work costs, in turns of the reference loop."""
    return {name: each / counts[REFERENCE] for name, each in counts.items() if name != REFERENCE}
