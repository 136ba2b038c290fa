"""Programs in processes of their own: patched by gevent, forked, or measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["PATCHED", "run_program"]

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = Path(__file__).with_name("programs")
DEADLINE = 60
# Python 3.12 and up warn of any fork beside threads; that it works here is what a test is for.
IGNORED = "ignore:This process:DeprecationWarning"

# How a program is started so that gevent patches before anything else is imported.
PATCHED = ("-m", "gevent.monkey")


def run_program(
    name: str,
    *args: object,
    started_by: tuple[str, ...] = (),
    is_measured: bool = False,
    may_complain: bool = False,
) -> Any:
    """Run a program of the folder `programs`; return the JSON that it prints at its end.

    What `is_measured` runs without the coverage tracer, which costs time and memory. Any words
    on standard error are a failure, unless it `may_complain`: gevent tells there of interrupts.
    """
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    if is_measured:
        environment = {k: v for k, v in environment.items() if not k.startswith("COVERAGE")}
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            IGNORED,
            *started_by,
            str(PROGRAMS / f"{name}.py"),
            *map(str, args),
        ],
        env=environment,
        text=True,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, f"{name}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert may_complain or not done.stderr, f"{name} complains:\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])
