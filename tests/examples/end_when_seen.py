"""A second locustfile beside an example: ends the run as soon as it has seen what it waits for.

The variable SEEN has it as JSON: how many each row is to count, such as {"WSC echo": 10}.
"""

from __future__ import annotations

import json
import os
from typing import Any

import gevent
from locust import events

INTERVAL = 0.05


@events.test_start.add_listener
def watch(environment: Any, **_: Any) -> None:
    """Begin to look."""
    gevent.spawn(quit_when_seen, environment)


def quit_when_seen(environment: Any) -> None:
    """Look until all is there, and end the run, users first."""
    entries = environment.stats.entries
    awaited = {
        tuple(row.split(" ", 1)[::-1]): n for row, n in json.loads(os.environ["SEEN"]).items()
    }
    while any(key not in entries or entries[key].num_requests < n for key, n in awaited.items()):
        gevent.sleep(INTERVAL)
    environment.runner.quit()
