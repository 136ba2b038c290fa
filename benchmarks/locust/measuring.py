"""What the locustfiles have in common: when the measured part begins, and when it is over.

Nothing of a WebSocket belongs here. Each locustfile runs as Locust's own process, which gets what
it is to do from the variable LOCUST_BENCHMARK, as JSON, and prints a line of JSON when it is done.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from time import perf_counter
from typing import Any

import gevent
from gevent.event import Event
from locust import events

SETTING: dict[str, Any] = json.loads(os.environ["LOCUST_BENCHMARK"])
USERS: int = SETTING["users"]
MESSAGES: int = SETTING["messages"]
"""How many each user sends, or receives."""
PATH: str = SETTING["path"]
TEXT = "a" * 64
# Seconds between two looks at the statistics, which this project tells once a second of pushes.
LOOK = 0.05
# Until what was made for the start is over.
SETTLING = 0.5

if SETTING["cpu"] is not None:
    os.sched_setaffinity(0, {SETTING["cpu"]})


def read_cpu() -> float:
    """Return the CPU time of this process so far, in seconds: user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def read_resident_size() -> int:
    """Return how much memory this process holds, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Course:
    """One run: users arrive, all begin at the same moment, and leave when they are done."""

    def __init__(self) -> None:
        self._arrived = self._left = 0
        self._all_arrived, self._all_left, self._begin = Event(), Event(), Event()

    def arrive(self) -> None:
        """Be ready to begin, which is when all are; a user's `on_start` ends with it."""
        self._arrived += 1
        if self._arrived == USERS:
            self._all_arrived.set()
        self._begin.wait()

    def leave(self) -> None:
        """Be done, and stay until the end of the run."""
        self._left += 1
        if self._left == USERS:
            self._all_left.set()
        gevent.sleep(3600)

    def watch(self, environment: Any, **_: Any) -> None:
        """Measure, from the beginning of the test."""
        gevent.spawn(self._measure, environment, read_cpu())

    def _measure(self, environment: Any, cpu_at_start: float) -> None:
        self._all_arrived.wait()
        connecting = read_cpu() - cpu_at_start
        gevent.sleep(SETTLING)
        resident = read_resident_size()
        began, cpu = perf_counter(), read_cpu()
        self._begin.set()
        self._await_end(environment.stats)
        result = {
            "cpu": read_cpu() - cpu,
            "wall": perf_counter() - began,
            "connecting": connecting,
            "resident": resident,
            "failures": environment.stats.num_failures,
            "errors": [e.to_name() for e in environment.stats.errors.values()],
        }
        print(json.dumps(result), flush=True)
        sys.stderr.flush()
        # An orderly end of the users is nothing that is measured.
        os._exit(0)

    def _await_end(self, stats: Any) -> None:
        row = SETTING["until_row"]
        if row is None:
            self._all_left.wait()
            return
        kind, name = row
        while stats.get(name, kind).num_requests < USERS * MESSAGES:
            gevent.sleep(LOOK)


course = Course()
events.test_start.add_listener(course.watch)
