"""Users of which each does a fixed amount of work, and one in ten ends badly.

The master ends the run when all of that was reported, so that both sides have the same to count.
"""

from __future__ import annotations

import os
from itertools import count
from typing import Any

import gevent
from locust import constant, events, runners, task
from locust.runners import MasterRunner

from lomond_gevent.locust import NoReconnect, WebSocketUser

# Of 3 seconds, which a test would only wait for.
runners.WORKER_REPORT_INTERVAL = 0.5

REQUESTS = 10
IGNORED_AT = 4
FAILING = 10
USERS = int(os.environ["FLEET_USERS"])


class Worker(WebSocketUser):
    """Sends its requests, of which one is never answered, and then waits for the end."""

    host = os.environ["FLEET_URL"]
    wait_time = constant(0)
    ws_reconnect = NoReconnect()
    numbers = count()

    def on_start(self) -> None:
        """Connect, and join those who fail if it is this one's turn."""
        self.is_failing = next(self.numbers) % FAILING == 0
        self.ws.connect("/")

    def on_stop(self) -> None:
        """Take longer to end than Locust's master listens to workers that quit."""
        gevent.sleep(1.0)

    @task
    def work(self) -> None:
        """Do all the work at once; the task ends with the user."""
        for number in range(REQUESTS):
            do = "ignore" if number == IGNORED_AT else "reply"
            request = {"id": self.ws.next_id(), "do": do}
            self.ws.call("say", json=request, match="id", timeout=30 if do == "reply" else 0.2)
        if self.is_failing:
            self.ws.send("fail", json={"id": 0, "do": "fail"})
        gevent.sleep(3600)


@events.init.add_listener
def end_when_done(environment: Any, **_: Any) -> None:
    """Have the master quit once all requests and failures have been reported."""
    if not isinstance(environment.runner, MasterRunner):
        return
    quitting: list[Any] = []

    def look(**_: Any) -> None:
        stats = environment.stats
        sent = stats.get("say", "WSC").num_requests
        # Each worker numbers its own users.
        failing = sum(-(-each.user_count // FAILING) for each in environment.runner.clients.all)
        failures = USERS + failing
        if sent >= USERS * REQUESTS and stats.num_failures >= failures and not quitting:
            quitting.append(gevent.spawn(environment.runner.quit))

    environment.events.worker_report.add_listener(look)
