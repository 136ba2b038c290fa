"""The command line: `python -m lomond_gevent.load.capacity --users 100000 …`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, NoReturn

from lomond_gevent.load.capacity.costs import TOOLS, Costs
from lomond_gevent.load.capacity.limits import Limits, compare_limits, read_limits
from lomond_gevent.load.capacity.sheet import Load, Machine, check, compute_sheet
from lomond_gevent.load.capacity.tables import LABELS, SIZES_IN_BYTES, make_tables
from lomond_gevent.load.capacity.text import format_json, format_sheet
from lomond_gevent.load.options import WRONG_USAGE, Parser, checked, duration, rate, whole

PROGRAM = "python -m lomond_gevent.load.capacity"
DESCRIPTION = """\
Compute how many workers and machines a load takes, and which limit of the
operating system comes first. Nothing is connected to.
"""
EPILOG = """\
examples:
  %(prog)s --users 100000 --messages-per-second 0.1 --cores 8 --memory 16GiB
      workers and machines of Locust for a request of each user every 10 seconds
  %(prog)s --users 20000 --pushes-per-second 10 --tls --here
      the same on this machine: its cores, its memory, its limits
  %(prog)s --users 5000 --tool lomond-load --messages-per-second 2
      one process more per core, no master

`python -m benchmarks.capacity`, in a checkout, measures the costs on your machine.

exit status: 0, or 2 for wrong usage
"""
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?")
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class CapacityParser(Parser):
    """A parser that names this command in what it says."""

    def error(self, message: str) -> NoReturn:
        """Exit for wrong usage."""
        text = message.removeprefix("argument ")
        self.exit(WRONG_USAGE, f"{PROGRAM}: {text} (see {PROGRAM} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line; return the exit status."""
    parser = make_parser()
    try:
        options = parser.parse_all(argv)
        if options.tables:
            tables = make_tables().items()
            sys.stdout.write("\n".join(f"{name}\n\n{table}" for name, table in tables))
            return 0
        if options.users is None:
            parser.error("--users is missing: how many users are there to be?")
        try:
            sys.stdout.write(make_answer(options))
        except ValueError as error:
            parser.error(as_option(str(error)))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else WRONG_USAGE
    return 0


def make_answer(options: argparse.Namespace) -> str:
    """Return the sheet that the options describe; raises ValueError."""
    load = Load(**pick(options, Load))
    given = pick(options, Costs)
    for name, value in given.items():
        check(name, value, least=1 if name == "most_users" else 0)
    costs = replace(TOOLS[options.tool], **given)
    here = describe_here() if options.here else {}
    machine = Machine(**(here | pick(options, Machine)))
    for name in ("sources", "destinations"):
        check(name, getattr(options, name), least=1)
    ask = read_limits if options.here else Limits.of_memory
    limits = ask(machine.memory, options.sources, options.destinations)
    sheet = compute_sheet(load, costs, machine)
    found = compare_limits(load, sheet, costs, machine, limits)
    write = format_json if options.json else format_sheet
    return write(options.tool, load, costs, machine, sheet, found)


def pick(options: argparse.Namespace, kind: type) -> dict[str, Any]:
    """Return those options that were given and are fields of a dataclass."""
    given = {each.name: getattr(options, each.name) for each in fields(kind)}
    return {name: value for name, value in given.items() if value is not None}


def describe_here() -> dict[str, int]:
    """Return the cores that we may run on, and the memory of this machine."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    can_ask = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if can_ask else os.cpu_count() or 1
    return {"cores": cores, "memory": memory}


def as_option(message: str) -> str:
    """Name an option as it is typed, where a message begins with the name of a field."""
    name, space, rest = message.partition(" ")
    names = {each.name for kind in (Load, Costs, Machine) for each in fields(kind)}
    if name not in names | {"sources", "destinations"}:
        return message
    return f"--{name.replace('_', '-')}{space}{rest}"


def make_parser() -> CapacityParser:
    """Return the parser of the command line."""
    parser = CapacityParser(
        prog=PROGRAM,
        usage="%(prog)s --users N [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_load(parser)
    add_machine(parser)
    add_costs(parser)
    group = parser.add_argument_group("results")
    group.add_argument("--json", action="store_true", help="everything, for programs")
    group.add_argument(
        "--tables", action="store_true", help="the tables of docs/capacity.md, as Markdown"
    )
    return parser


def add_load(parser: argparse.ArgumentParser) -> None:
    """Add what is to be generated."""
    group = parser.add_argument_group("load")
    add = adder(group)
    add("--users", whole, "N", "how many users, each with a connection")
    add("--messages-per-second", rate, "N", "requests of each user, as 0.1 or 6/m (default: 0)")
    add("--pushes-per-second", rate, "N", "messages that each receives unasked (default: 0)")
    add("--size", whole, "BYTES", "of a message (default: 64)")
    add("--ramp", duration, "TIME", "over how long the users come (default: 5m)")
    add("--lifetime", duration, "TIME", "how long a connection lasts before the next (for ever)")
    add("--rows", whole, "N", "rows of Locust's statistics (default: 5)")
    group.add_argument("--tls", action="store_true", help="wss://")
    names = tuple(TOOLS)
    group.add_argument("--tool", choices=names, default=names[0], help=f"(default: {names[0]})")


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add what it runs on."""
    group = parser.add_argument_group("machine")
    add = adder(group)
    add("--cores", whole, "N", "of a machine (default: 8)")
    add("--memory", size, "SIZE", "of a machine (default: 16GiB)")
    add("--cpu-share", share, "SHARE", "of a core that a worker may take (default: 60%%)")
    add("--memory-share", share, "SHARE", "of the memory that is used (default: 80%%)")
    add("--sources", whole, "N", "addresses of a machine to connect from (default: 1)")
    add("--destinations", whole, "N", "addresses, or ports, of the server (default: 1)")
    parser.set_defaults(sources=1, destinations=1)
    group.add_argument(
        "--here", action="store_true", help="take the cores, memory and limits of this machine"
    )


def add_costs(parser: argparse.ArgumentParser) -> None:
    """Add the measured costs, which differ from machine to machine."""
    group = parser.add_argument_group("costs (default: as measured, see docs/capacity.md)")
    add = adder(group)
    for each in fields(Costs):
        option = f"--{each.name.replace('_', '-')}"
        text = LABELS[each.name].replace("… ", "of a user: ")
        if each.name in SIZES_IN_BYTES:
            add(option, size, "SIZE", text)
        elif each.name == "most_users":
            add(option, whole, "N", text)
        else:
            add(option, duration, "TIME", text)


def adder(group: argparse._ArgumentGroup) -> Callable[..., None]:
    """Return a short way to add an option with a value; it is None where it is not given."""

    def add(option: str, parse: Callable[[str], object], metavar: str, text: str) -> None:
        group.add_argument(option, type=parse, metavar=metavar, help=text)

    return add


def parse_size(text: str) -> int:
    """Return the bytes of "16GiB", "26 KiB" or "512"; K, M and G are powers of 1,024.

    Raises ValueError for anything else.
    """
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no size: write a number and a unit, such as 16GiB or 26KiB")
    number, unit = found.groups()
    return int(float(number) * 1024 ** POWERS[unit])


def parse_share(text: str) -> float:
    """Return the share of 1 that "60%" or "0.6" is. Raises ValueError for anything else."""
    stripped = text.strip()
    try:
        if stripped.endswith("%"):
            return float(stripped[:-1]) / 100
        return float(stripped)
    except ValueError:
        raise ValueError(f"{text!r} is no share: write it as 60% or 0.6") from None


size, share = checked(parse_size), checked(parse_share)
