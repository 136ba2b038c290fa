"""What a user of Locust costs, here, by hand, and of Locust alone.

    python -m benchmarks.locust [--rounds 7] [--write]

All take turns, round by round, so that whatever else the machine does meets all of them. Prints
tables; with `--write` they are RESULTS.md beside this file as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.environments import CACHE, InstallationError
from benchmarks.locust.processes import make_pythons, run_locust, start_server
from benchmarks.locust.report import Results, write_report
from benchmarks.locust.works import (
    ALONE,
    BY_HAND,
    CROWDS,
    FEW,
    FLOORS,
    MANY,
    OURS,
    PAIRS,
    Work,
    make_crowd,
)
from benchmarks.machine import describe_run
from benchmarks.processes import (
    BusyError,
    Cores,
    MeasurementError,
    have_machine_alone,
    raise_file_limit,
)

REPORT = Path(__file__).with_name("RESULTS.md")
ROUNDS = 7
# The crowds take long, and vary less.
CROWD_ROUNDS = 3


def list_turns(number: int) -> Iterator[tuple[str, Work]]:
    """Yield what is measured in a round, and by which locustfile."""
    for work in PAIRS:
        yield OURS, work
        yield BY_HAND, work
    for work in FLOORS:
        yield ALONE, work
    for _, locustfile, user_class in CROWDS if number < CROWD_ROUNDS else ():
        yield locustfile, make_crowd(user_class, FEW)
        yield locustfile, make_crowd(user_class, MANY)


def measure(rounds: int) -> Results:
    """Measure all, and return what each round came to."""
    pythons = make_pythons()
    cores = Cores.choose()
    raise_file_limit()
    results: dict[tuple[str, Work], dict[int, Any]] = {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for locustfile, work in list_turns(number):
            with start_server(pythons["server"], cores.server) as address:
                result = run_locust(pythons[locustfile], locustfile, work, address, cores.client)
            results.setdefault((locustfile, work), {})[number] = result
    return results


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locust", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    options = parser.parse_args()
    try:
        with have_machine_alone(CACHE / "lock"):
            machine = describe_run()
            report = write_report(measure(options.rounds), machine)
    except (BusyError, InstallationError, MeasurementError) as error:
        sys.exit(str(error))
    print(report)
    if options.write:
        REPORT.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
