"""The same figures as `users`, of `lomond-load`: `python -m benchmarks.capacity.loads URL …`."""

from __future__ import annotations

import json
import sys

from benchmarks.capacity.process import Usage
from lomond_gevent.load import Live, Plan, Second, run

SCENARIOS = {"idle": "idle", "request": "echo", "push": "fanout"}
PATHS = {"idle": "/echo", "request": "/echo", "push": "/fanout"}


def main(url: str, work: str, clients: int, seconds: float) -> None:
    """Measure, and print one line of JSON."""
    rate = 10.0 if work == "push" else None
    url += PATHS[work]
    # What is loaded with the first connection is nothing that each of them costs.
    run(Plan(url=url, clients=2, duration=0.5))
    before = Usage()
    looks: list[tuple[Usage, int]] = []

    def look(second: Second, live: Live) -> None:
        if live.clients == clients:
            looks.append((Usage(), live.counts["messages.received"]))

    plan = Plan(url=url, clients=clients, duration=seconds, scenario=SCENARIOS[work], rate=rate)
    run(plan, observer=look)
    (started, first), (ended, last) = looks[0], looks[-1]
    figures = {
        "users": clients,
        "memory": ended.memory - before.memory,
        "process": before.memory,
        # Up to a second of the work is in it: a fiftieth, where the users are thousands and idle.
        "connect_cpu": started.cpu - before.cpu,
        "work_cpu": ended.cpu - started.cpu,
        "work_seconds": ended.time - started.time,
        "messages": last - first,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
