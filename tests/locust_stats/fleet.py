"""A fleet on this machine: master and two workers, and whether their figures are the server's.

python -m tests.locust_stats.fleet --users 1000
python -m tests.locust_stats.fleet --users 1000 --processes
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.locust_stats.programs import (
    DEADLINE,
    HERE,
    LOCUST,
    CountingServer,
    environment_for,
    free_port,
)

WORKERS = 2

Key = tuple[str, str]


class Outcome(NamedTuple):
    """What the server and the master say about a run."""

    server: dict[str, int]
    requests: dict[Key, int]
    failures: dict[Key, int]
    untimed: dict[Key, int]
    exact: dict[Key, int]
    """How many each histogram of the master holds."""
    exit_codes: list[int]
    log: str

    def mismatches(self) -> list[str]:
        """Name each figure of the master that is not the server's."""
        timed = {key: n - self.untimed[key] for key, n in self.requests.items() if key[0] != ""}
        pairs = {
            "connections": (self.requests[("WS", "connect")], self.server["connections"]),
            "sent": (
                self.requests[("WSC", "say")] + self.requests.get(("WSS", "fail"), 0),
                self.server["received"],
            ),
            "replies": (
                self.requests[("WSC", "say")] - self.failures[("WSC", "say")],
                self.server["replies"],
            ),
            "unanswered": (self.failures[("WSC", "say")], self.server["ignored"]),
            "pushes": (self.requests[("WSR", "message")], self.server["pushes"]),
            "failed": (self.failures[("WS", "close")], self.server["failed"]),
            "closed": (self.requests[("WS", "close")], self.server["connections"]),
            "times": (self.exact, {key: n for key, n in timed.items() if n}),
        }
        return [f"{name}: {ours} != {its}" for name, (ours, its) in pairs.items() if ours != its]


def run_fleet(users: int, directory: Path, is_forked: bool = False) -> Outcome:
    """Run a test with this many users on two workers: forked, or as processes of their own."""
    with CountingServer() as server:
        environment = environment_for(FLEET_USERS=str(users), FLEET_URL=server.url)
        codes, log = _run_locust(_commands(users, directory, is_forked), environment)
    entries = {
        (entry["method"], entry["name"]): entry
        for entry in json.loads((directory / "master.json").read_text())
    }
    with (directory / "master_websocket.csv").open(newline="") as file:
        exact = {(row["Type"], row["Name"]): int(row["Count"]) for row in csv.DictReader(file)}
    return Outcome(
        server.counts,
        {key: entry["num_requests"] for key, entry in entries.items()},
        {key: entry["num_failures"] for key, entry in entries.items()},
        {key: entry["num_none_requests"] for key, entry in entries.items()},
        exact,
        codes,
        log,
    )


def _commands(users: int, directory: Path, is_forked: bool) -> list[list[str]]:
    locust = [*LOCUST, "-f", str(HERE / "fleet_locustfile.py")]
    port = str(free_port())
    lead = [*locust, "--headless", "--only-summary", "-u", str(users), "-r", str(users)]
    lead += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "-t", str(DEADLINE)]
    lead += ["--csv", str(directory / "master"), "--json-file", str(directory / "master")]
    if is_forked:
        return [[*lead, "--processes", str(WORKERS), "--master-port", port]]
    worker = [*locust, "--worker", "--master-host", "127.0.0.1", "--master-port", port]
    return [[*lead, "--master", "--expect-workers", str(WORKERS)], *([worker] * WORKERS)]


def _run_locust(commands: list[list[str]], environment: dict[str, str]) -> tuple[list[int], str]:
    with tempfile.TemporaryFile("w+") as log:
        running = [
            subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            for command in commands
        ]
        try:
            codes = [process.wait(DEADLINE) for process in running]
        finally:
            for process in running:
                process.kill()
                process.wait()
        log.seek(0)
        return codes, log.read()


def main() -> int:
    """Run a fleet as the command line says, and print both sides' figures."""
    parser = argparse.ArgumentParser(description="compare a fleet's figures with the server's")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--processes", action="store_true", help="forked workers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        outcome = run_fleet(options.users, Path(directory), options.processes)
    print(f"server: {outcome.server}")
    for key, number in sorted(outcome.requests.items()):
        told = f"{number:8,} rows {outcome.failures[key]:8,} failed"
        print(f"{' '.join(key):20} {told} {outcome.exact.get(key, 0):8,} in the histogram")
    mismatches = outcome.mismatches()
    print("\n".join(mismatches) if mismatches else "all figures of the master are the server's")
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
