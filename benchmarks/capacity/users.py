"""The locustfile that `python -m benchmarks.capacity` measures: WORK says what its users do.

It prints one line of JSON: how many users, the CPU until all are connected, then what SECONDS of
the work took, how many messages that was, and the resident memory before and after.
"""

from __future__ import annotations

import json
import os
from typing import Any

import gevent
from locust import constant, events, task
from locust.env import Environment

from benchmarks.capacity.process import Usage
from lomond_gevent.locust import WebSocketUser
from lomond_gevent.locust.connections import gauge_of

WORK = os.environ["WORK"]
SECONDS = float(os.environ["SECONDS"])
ROW = {"idle": "WS", "request": "WSC", "push": "WSR"}[WORK]
SPEAKERS = iter([True])


class Measured(WebSocketUser):
    """Rests, asks at once again when it is answered, or listens to the one that speaks."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Connect."""
        self.ws.connect("/fanout" if WORK == "push" else "/echo")
        self.is_speaker = WORK == "push" and next(SPEAKERS, False)

    @task
    def work(self) -> None:
        """Do what is measured, once."""
        if WORK == "request":
            with self.ws.request("echo", text="x" * 64):
                pass
        elif self.is_speaker:
            self.ws.send("speak", text="x" * 64)
            gevent.sleep(0.1)
        else:
            gevent.sleep(3600)


def rows_of(environment: Environment) -> int:
    """Return how many messages of the measured kind Locust has counted."""
    entries = environment.stats.entries.items()
    return sum(entry.num_requests for (_, kind), entry in entries if kind == ROW)


@events.test_start.add_listener
def measure(environment: Environment, **_: Any) -> None:
    """Begin to measure; Locust ends when that is done."""
    gevent.spawn(observe, environment, Usage())


def observe(environment: Environment, before: Usage) -> None:
    """Wait for the connections, then measure the work."""
    options = environment.parsed_options
    assert options is not None and environment.runner is not None
    gauge = gauge_of(environment)
    while gauge.open < options.num_users:
        gevent.sleep(0.05)
    connected = Usage()
    # Counted pushes enter the statistics once a second.
    gevent.sleep(2)
    started, rows = Usage(), rows_of(environment)
    gevent.sleep(SECONDS)
    ended, messages = Usage(), rows_of(environment) - rows
    figures = {
        "users": options.num_users,
        "memory": ended.memory - before.memory,
        "process": before.memory,
        "connect_cpu": connected.cpu - before.cpu,
        "work_cpu": ended.cpu - started.cpu,
        "work_seconds": ended.time - started.time,
        "messages": messages,
    }
    print(json.dumps(figures), flush=True)
    environment.runner.quit()
