"""Many idle connections in one process that is not patched.

    crowd.py URL CLIENTS SECONDS POLL PING_RATE

Prints what the connections saw, how late a 50 ms ticker beside the idle ones was (by the
clock, and by the time that this process worked), and the memory of each.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Iterator

import gevent

from lomond import events
from lomond_gevent import connect

url = sys.argv[1]
clients, seconds, poll, ping_rate = map(float, sys.argv[2:])

# Connecting at once; a listener has room for so many.
CONNECTING = 100
# What the first connections make once for all, as imports and free lists, is not counted.
WARM_UP = 50
TICK = 0.05

ready = 0
unexpected: list[str] = []


class Seen:
    """What one connection has seen since everybody was ready."""

    everybody: list[Seen] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.polls = 0
        self.pongs = 0
        self.everybody.append(self)


def watch() -> None:
    """Be one of the connections, with the defaults but for the two rates."""
    global ready
    seen = Seen()
    for event in connect(url, poll=poll, ping_rate=ping_rate):
        if isinstance(event, events.Poll):
            seen.polls += 1
        elif isinstance(event, events.Pong):
            seen.pongs += 1
        elif isinstance(event, events.Ready):
            ready += 1
        elif not isinstance(event, (events.Connecting, events.Connected)):
            unexpected.append(repr(event))


def connect_all(number: int) -> None:
    """Add so many connections, a few at a time."""
    wanted = ready + number
    for left in range(number, 0, -CONNECTING):
        for _ in range(min(left, CONNECTING)):
            gevent.spawn(watch)
        while ready < wanted - left + min(left, CONNECTING) and not unexpected:
            gevent.sleep(0.005)


def tick() -> Iterator[tuple[float, float]]:
    """Yield how late each tick was, by the clock, and how long this process worked until then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        due, worked = time.monotonic() + TICK, time.process_time()
        gevent.sleep(TICK)
        yield time.monotonic() - due, time.process_time() - worked


def resident() -> int:
    """Return the resident set of this process in bytes."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
connect_all(WARM_UP)
before = resident()
connect_all(int(clients))
memory = resident() - before
for seen in Seen.everybody:
    seen.polls = seen.pongs = 0
late = sorted(tick())
print(
    json.dumps(
        {
            "ready": ready - WARM_UP,
            "unexpected": unexpected,
            "fewest_polls": min(seen.polls for seen in Seen.everybody),
            "fewest_pongs": min(seen.pongs for seen in Seen.everybody),
            "ticks": len(late),
            "latest": max(seconds for seconds, _ in late),
            "longest_work": max(seconds for _, seconds in late),
            "bytes_each": memory / clients,
        }
    )
)
sys.stdout.flush()
# Without taking them apart one by one.
os._exit(0)
