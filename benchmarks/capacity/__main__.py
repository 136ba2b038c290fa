"""Measure what `docs/capacity.md` is computed from, and print it as options of the sheet.

    python -m benchmarks.capacity [lomond-load] [locust] [--users 5000] [--seconds 30]

The embedded server of `lomond-load` is the other side, a process of its own. It takes two cores
that have nothing else to do, and `pip install -e '.[load,locust]'`. What TLS adds is not measured
here: `make bench` has it ("Connect 10,000, TLS").
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from lomond_gevent.load.plan import Plan
from lomond_gevent.load.preflight import allow_open_files
from lomond_gevent.load.server import EmbeddedServer

TOOLS = ("lomond-load", "locust")
LOCUSTFILE = Path(__file__).with_name("users.py")
Figures = dict[str, float]


def measure(tool: str, work: str, users: int, seconds: float) -> Figures:
    """Return what one process of a tool has told about itself."""
    with EmbeddedServer() as server:
        if tool == "locust":
            headless = ["--headless", "--only-summary", "--loglevel", "ERROR", "--ws-ping", "30"]
            command = ["locust", "-f", str(LOCUSTFILE), *headless, "--host", server.url]
            command += ["-u", str(users), "-r", str(users)]
        else:
            command = ["benchmarks.capacity.loads", server.url, work, str(users), str(seconds)]
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env=os.environ | {"WORK": work, "SECONDS": str(seconds), "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"{tool}, {work}: nothing was measured\n{done.stderr}")
    figures: Figures = json.loads(lines[-1])
    return figures


def measure_costs(tool: str, users: int, seconds: float) -> dict[str, str]:
    """Return the costs of a tool as options of the sheet."""
    idle = measure(tool, "idle", users, seconds)
    # Fewer users for what is busy: a thousand keep a core busy, and each has its turn.
    request, push = (measure(tool, work, min(users, 1000), 10.0) for work in ("request", "push"))
    costs = {
        "--process-memory": f"{idle['process'] / 2**20:.0f}MiB",
        "--user-memory": f"{idle['memory'] / idle['users'] / 1024:.1f}KiB",
        "--connect-cpu": f"{idle['connect_cpu'] / idle['users'] * 1e6:.0f}us",
        "--idle-cpu": f"{idle['work_cpu'] / idle['work_seconds'] / idle['users'] * 1e6:.2f}us",
    }
    for option, figures in (("--message-cpu", request), ("--push-cpu", push)):
        costs[option] = f"{figures['work_cpu'] / figures['messages'] * 1e6:.1f}us"
    return costs


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=" or ".join(TOOLS))
    parser.add_argument("--users", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    unknown = set(options.tools) - set(TOOLS)
    if unknown:
        parser.error(f"{unknown.pop()!r} is no tool: write {' or '.join(TOOLS)}")
    allow_open_files(Plan(clients=options.users))
    for tool in options.tools or TOOLS:
        costs = measure_costs(tool, options.users, options.seconds)
        given = " ".join(f"{option} {value}" for option, value in costs.items())
        print(f"--tool {tool} {given}", flush=True)


if __name__ == "__main__":
    main()
