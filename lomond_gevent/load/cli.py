"""The command `lomond-load`: a plan from its options, a run, and the reports that were asked for.

All that can be wrong with a command is found before the first connection is made.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import gevent
from gevent.event import Event

from lomond.tls import InsecureTLSWarning
from lomond_gevent.load import run
from lomond_gevent.load.options import PROGRAM, WRONG_USAGE, make_parser, wrong_usage
from lomond_gevent.load.plan import LoadError, Plan, PlanError

if TYPE_CHECKING:
    from rich.console import Console

    from lomond_gevent.load.console import View
    from lomond_gevent.load.report.files import OutputFile
    from lomond_gevent.load.report.findings import Findings

INTERRUPTED = 130
STANDARD_ERROR = 2
INTERRUPTED_TEXT = f"{PROGRAM}: interrupted, without a report"
NOT_WRITTEN = NOT_BEGUN = 1
# What only the command needs, and by which package it comes.
NEEDED = {"rich": "rich", "hdrh": "hdrhistogram"}
FIELDS = {each.name for each in fields(Plan)}
# Options that are not called as what they set.
OPTIONS = {
    "cafile": "cacert",
    "certfile": "cert",
    "headers": "header",
    "keyfile": "key",
    "sources": "source",
    "subprotocols": "subprotocol",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line; return the exit status: 0, 1, 2, 99 or 130 (see --help)."""
    try:
        options = make_parser().parse_all(argv)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else WRONG_USAGE
    try:
        check_packages()
        plan = make_plan(options)
        outputs = make_outputs(options)
        return load(plan, outputs, options)
    except (PlanError, UsageError) as error:
        sys.stderr.write(wrong_usage(as_options(str(error))))
        return WRONG_USAGE
    except LoadError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return NOT_BEGUN
    except KeyboardInterrupt:
        sys.stderr.write(f"{INTERRUPTED_TEXT}\n")
        return INTERRUPTED


class UsageError(ValueError):
    """A command that cannot be carried out; the text says what to do."""


def load(plan: Plan, outputs: Sequence[OutputFile], options: argparse.Namespace) -> int:
    """Run a plan and report; return the exit status."""
    from lomond_gevent.load.console import make_console
    from lomond_gevent.load.report.findings import Findings, describe_target

    # Standard output is for people, unless a program reads it.
    is_taken = any(output.is_standard_output for output in outputs)
    console = make_console(sys.stderr if is_taken else sys.stdout, hasattr(options, "no_color"))
    if not hasattr(options, "quiet"):
        # A load whose reader is gone may still have files to write.
        with suppress(OSError):
            console.print(f"{describe_target(plan)} ({plan.model} model)", markup=False)
    stop = Event()
    view = make_view(console, options)
    with view, interrupts_set(stop, plan, view), warnings.catch_warnings():
        # Who has typed --insecure knows.
        warnings.simplefilter("ignore", InsecureTLSWarning)
        result = run(plan, observer=view, stop=stop)
    findings = Findings(result)
    return report(findings, console, outputs)


def report(findings: Findings, console: Console, outputs: Sequence[OutputFile]) -> int:
    """Write the files and the table; return the exit status."""
    from lomond_gevent.load.report.text import write_text

    missing = [output for output in outputs if not is_written(output, findings)]
    try:
        write_text(console, findings)
        for output in outputs:
            if output not in missing and not output.is_standard_output:
                console.print(f"wrote {output.path}", style="dim", markup=False, highlight=False)
    except OSError as error:
        sys.stderr.write(f"{PROGRAM}: the report could not be written: {error}\n")
        return findings.exit_status or NOT_WRITTEN
    return findings.exit_status or (NOT_WRITTEN if missing else 0)


def is_written(output: OutputFile, findings: Findings) -> bool:
    """Write a file; tell whether it went well, and say so if not."""
    try:
        output.write(findings)
    except OSError as error:
        sys.stderr.write(f"{PROGRAM}: {output.option}: not written: {error}\n")
        return False
    return True


def check_packages() -> None:
    """Say how to install what a bare installation lacks."""
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise UsageError(
            f"needs {' and '.join(missing)}: pip install 'lomond-gevent[load]' brings them"
        )


def make_plan(options: argparse.Namespace) -> Plan:
    """Return the plan that the options describe; raises PlanError."""
    given: dict[str, Any] = {k: value for k, value in vars(options).items() if k in FIELDS}
    repeated = {name: tuple(v) for name, v in given.items() if isinstance(v, list)}
    check_no_use(given)
    return Plan(**(given | repeated))


def check_no_use(given: Mapping[str, object]) -> None:
    """Raise UsageError for an option that another one leaves without any use."""
    if "clients" in given and "arrivals" in given:
        raise UsageError("--clients has no use with --arrivals: give one of them")
    if "stages" not in given:
        return
    if "duration" in given:
        raise UsageError("--duration has no use with --stages, which last as long as they say")
    if "clients" in given and "rate" not in given:
        raise UsageError("--clients has no use with --stages, which say how many there are")


def as_options(message: str) -> str:
    """Name an option as it is typed, where a message of `Plan` begins with its name."""
    name, space, rest = message.partition(" ")
    if name not in FIELDS - {"url", "thresholds"}:
        return message
    return f"--{OPTIONS.get(name, name.replace('_', '-'))}{space}{rest}"


def make_outputs(options: argparse.Namespace) -> list[OutputFile]:
    """Return the files that are asked for; raises UsageError for one that cannot be written."""
    from lomond_gevent.load.report.csv import write_csv
    from lomond_gevent.load.report.files import OutputFile
    from lomond_gevent.load.report.hgrm import write_hgrm
    from lomond_gevent.load.report.html import write_html
    from lomond_gevent.load.report.json import write_json

    forms = {"json": write_json, "csv": write_csv, "html": write_html, "hgrm": write_hgrm}
    outputs = [
        OutputFile(f"--{name}", getattr(options, name), make_text)
        for name, make_text in forms.items()
        if hasattr(options, name)
    ]
    for output in outputs:
        try:
            output.check()
        except OSError as error:
            raise UsageError(f"{output.option}: cannot be written: {error}") from None
    check_apart(outputs)
    return outputs


def check_apart(outputs: Sequence[OutputFile]) -> None:
    """Raise UsageError where one file would overwrite another."""
    if sum(output.is_standard_output for output in outputs) > 1:
        raise UsageError("only one of --json, --csv, --html and --hgrm can go to standard output")
    written: dict[str, OutputFile] = {}
    for output in outputs:
        path = os.path.realpath(output.path)
        # What is no file, as /dev/null, may be written to as often as one likes.
        if output.is_standard_output or (os.path.exists(path) and not os.path.isfile(path)):
            continue
        earlier = written.setdefault(path, output)
        if earlier is not output:
            raise UsageError(
                f"{output.option} would overwrite {output.path}, which is {earlier.option}'s: "
                "give each a file of its own"
            )


def make_view(console: Console, options: argparse.Namespace) -> View:
    """Return what shows the progress."""
    from lomond_gevent.load.console import LiveView, PlainLines, Silence

    if hasattr(options, "quiet"):
        return Silence()
    can_redraw = console.is_terminal and not console.is_dumb_terminal
    return LiveView(console) if can_redraw else PlainLines(console)


@contextmanager
def interrupts_set(stop: Event, plan: Plan, view: View) -> Iterator[None]:
    """Have the first Ctrl-C (or SIGTERM) set `stop`; the second ends the process at once."""
    count = 0

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            stop.set()
            return
        if plan.processes == 1 or count > 2:
            # A scenario that never gives way would hold up, or swallow, whatever were raised.
            end_at_once(view)
        # Here no scenario runs, and those who run one are to be ended. It may be raised in any
        # greenlet, and gets to the main one without a traceback.
        hub = gevent.get_hub()
        hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt)
        raise KeyboardInterrupt

    # Not gevent's signal handlers: they would make a hub before the processes are forked.
    earlier = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in earlier.items():
            signal.signal(each, handler)


def end_at_once(view: View) -> NoReturn:
    """End this process without any clean-up; the embedded server ends with its input."""
    view.restore()
    os.write(STANDARD_ERROR, f"{INTERRUPTED_TEXT}\n".encode())
    os._exit(INTERRUPTED)
