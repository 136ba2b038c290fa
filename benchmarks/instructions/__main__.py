"""Count the instructions that messages cost: `python -m benchmarks.instructions [--set]`.

Counted are the instructions of user space, by valgrind, for one message received in a read of
its own, received in a flood, and sent; each is compared with a small loop of plain Python that
is counted in the same run. No clock and no neighbour has a say in that. The exit code is 1 if
one of them costs 5 % more than in `limits.json`, 2 if nothing could be counted. For a minor
version of CPython without recorded limits there is no verdict.
"""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version

from benchmarks.instructions.counting import REFERENCE, CountingFailed, count_work, ratios_of
from benchmarks.instructions.limits import Limits, Verdict, judge, load_limits, record_limits

MINOR_VERSION = "{}.{}".format(*sys.version_info)


def main() -> int:
    """Count, print, and judge or record; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--set", action="store_true", help="record what was counted as the limits")
    arguments = parser.parse_args()
    try:
        counts = count_work()
    except CountingFailed as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 2
    ratios, limits = ratios_of(counts), load_limits(MINOR_VERSION)
    verdicts = judge(ratios, limits)
    here = describe_python()
    print(f"instructions for a message, {describe(here)}; masking in pure Python")
    print_table(counts, verdicts)
    if arguments.set:
        record_limits(MINOR_VERSION, Limits(recorded_with=here, ratios=ratios))
        print(f"recorded as the limits of CPython {MINOR_VERSION}")
        return 0
    return conclude(verdicts, here, limits)


def describe_python() -> dict[str, str]:
    """Return the versions of what is counted along with this project's code."""
    return {
        "CPython": platform.python_version(),
        "gevent": version("gevent"),
        "greenlet": version("greenlet"),
    }


def describe(versions: dict[str, str]) -> str:
    """Write versions in a row."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def print_table(counts: dict[str, float], verdicts: list[Verdict]) -> None:
    """Print what was counted, and how that compares."""
    print(f"{'':10}{'counted':>9}{'ratio':>9}{'recorded':>10}  change")
    print(f"{REFERENCE:10}{counts[REFERENCE]:9,.0f}{1:9.4f}")
    for verdict in verdicts:
        recorded = "-" if verdict.limit is None else f"{verdict.limit:.4f}"
        counted = counts[verdict.name]
        print(f"{verdict.name:10}{counted:9,.0f}{verdict.ratio:9.4f}{recorded:>10}  {verdict}")


def conclude(verdicts: list[Verdict], here: dict[str, str], limits: Limits | None) -> int:
    """Say what is to be done; return the exit code."""
    record = "make instructions ARGS=--set"
    if limits is None:
        print(f"no limits for CPython {MINOR_VERSION}, so no verdict: record them with `{record}`")
        return 0
    is_too_dear = any(verdict.is_dearer for verdict in verdicts)
    if any(verdict.is_cheaper or verdict.limit is None for verdict in verdicts):
        print(f"record it with `{record}`")
    if is_too_dear:
        if limits["recorded_with"] != here:
            print(f"the limits were recorded with {describe(limits['recorded_with'])}")
        print(f"mend it, or say in the commit why it is worth it and record it with `{record}`")
    return int(is_too_dear)


if __name__ == "__main__":
    sys.exit(main())
