"""python -m benchmarks full|quick|report: see README.md beside this file."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import full, quick
from benchmarks.environments import CACHE, InstallationError
from benchmarks.panels import draw_panels, make_panels
from benchmarks.peers import OURS, PEERS, Peer, find_peer
from benchmarks.processes import BusyError, have_machine_alone
from benchmarks.report import write_report
from benchmarks.results import Results
from benchmarks.works import QUICK, WORKS, Work, find_work

REPORT = Path(__file__).parent / "RESULTS.md"
PICTURE = Path(__file__).parent / "results.svg"

Named = TypeVar("Named")


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    options = make_parser().parse_args(arguments)
    # As by Ctrl-C: whoever is being measured is ended, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        with have_machine_alone(CACHE / "lock"):
            options.run(options)
    except (BusyError, InstallationError) as error:
        sys.exit(str(error))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all three commands."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, about, rounds in (
        ("full", run_full, "measure everything, and write the report", full.ROUNDS),
        ("quick", run_quick, "print what this project costs against three others", quick.ROUNDS),
    ):
        command = commands.add_parser(name, help=about)
        command.set_defaults(run=run)
        command.add_argument("--works", type=list_of(find_work), help="names, with commas between")
        command.add_argument("--peers", type=list_of(find_peer), help="names, with commas between")
        command.add_argument("--rounds", type=positive(int), default=rounds)
    command = commands.choices["full"]
    command.add_argument("--minutes", type=positive(float), default=float("inf"))
    command.add_argument("--fresh", action="store_true", help="forget an unfinished run")
    commands.add_parser("report", help="write the report again").set_defaults(run=report)
    return parser


def list_of(find: Callable[[str], Named]) -> Callable[[str], list[Named]]:
    """Return a type of argument: names with commas between, each of which has to exist."""

    def parse(text: str) -> list[Named]:
        try:
            return [find(name) for name in text.split(",")]
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def positive(number: type[Named]) -> Callable[[str], Named]:
    """Return a type of argument: a number above zero."""

    def parse(text: str) -> Named:
        try:
            value = number(text)  # type: ignore[call-arg]
        except ValueError:
            value = number()
        if value <= number():  # type: ignore[operator]
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above zero")
        return value

    return parse


def run_quick(options: argparse.Namespace) -> None:
    """Print a few ratios."""
    peers: list[Peer] = options.peers or quick.choose_quick_peers()
    works: list[Work] = options.works or list(QUICK)
    quick.run_quick(works, [OURS, *(peer for peer in peers if peer != OURS)], options.rounds)


def run_full(options: argparse.Namespace) -> None:
    """Measure what is left, and report when nothing is."""
    results = full.run_full(
        options.works or WORKS,
        options.peers or PEERS,
        options.rounds,
        options.minutes,
        fresh=options.fresh,
    )
    if results is not None:
        write(results)


def report(options: argparse.Namespace) -> None:
    """Write the report of the last run, finished or not."""
    for path in (full.UNFINISHED, full.FINISHED):
        if path.exists():
            return write(Results.load(path))
    sys.exit("nothing was measured yet: make bench")


def write(results: Results) -> None:
    """Write the report and the picture."""
    REPORT.write_text(write_report(results, WORKS, PEERS), encoding="utf-8")
    draw_panels(make_panels(results, PEERS), PICTURE)
    print(f"written: {REPORT.name}, {PICTURE.name}")


if __name__ == "__main__":
    main()
