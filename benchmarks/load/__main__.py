"""The load generator's echo scenario beside a plain loop, and its memory for each client.

    python -m benchmarks.load [--rounds 9] [--clients 100] [--many 10000]

Both talk to the embedded server from one process, in turns, so that whatever else the machine
does meets both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

from lomond_gevent.load.plan import Plan
from lomond_gevent.load.preflight import allow_open_files
from lomond_gevent.load.server import EmbeddedServer

PAIRS = """
import sys
from benchmarks.load.plain import Crowd
from lomond_gevent.load import Plan, run
url, clients, seconds, size, rounds = sys.argv[1], *map(int, sys.argv[2:])
def load():
    plan = Plan(url=url, clients=clients, duration=seconds + 0.7, size=size)
    result = run(plan)
    seen = [s for s in zip(result.series, result.series[1:])
            if result.connecting < s[0].time and s[1].time < result.connecting + plan.duration]
    cpu = sum(now.cpu * (now.time - before.time) for before, now in seen)
    return cpu / sum(now.received for _, now in seen)
for _ in range(rounds):
    print(Crowd(url, size).measure(clients, seconds), load())
"""

MANY = """
import gc, os, sys, gevent
from lomond_gevent.load import Plan, run
url, clients = sys.argv[1], int(sys.argv[2])
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
# What is loaded with the first connection is nothing that each of them costs.
run(Plan(url=url, clients=10, duration=0.5))
gc.collect()
before, most = resident(), 0
def look(second, live):
    global most
    if second.clients == clients and second.received:
        most = max(most, resident())
result = run(Plan(url=url, clients=clients, duration=6, think=5), observer=look)
print((most - before) / clients, result.counts["connections.opened"],
      result.counts["connections.lost"], result.counts["connections.closed"],
      result.counts["messages.received"], sum(result.errors.values()))
"""


def run_python(*arguments: str) -> list[float]:
    """Return the numbers that a process prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--many", type=int, default=10_000)
    options = parser.parse_args()
    allow_open_files(Plan(clients=max(options.many, options.clients)))
    with EmbeddedServer() as server:
        url = f"{server.url}/echo"
        work = [url, *map(str, (options.clients, options.seconds, 64, options.rounds))]
        costs = run_python("-c", PAIRS, *work)
    pairs = list(zip(costs[::2], costs[1::2], strict=True))
    for plain, loaded in pairs:
        print(f"CPU for a round trip: plain {plain * 1e6:.1f} us, load {loaded * 1e6:.1f} us")
    ratios = [loaded / plain for plain, loaded in pairs]
    print(f"load / plain: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if options.many:
        with EmbeddedServer() as server:
            size, opened, lost, closed, trips, errors = run_python(
                "-c", MANY, f"{server.url}/echo", str(options.many)
            )
        print(
            f"{opened:,.0f} connected, {lost:.0f} lost, {closed:,.0f} closed gracefully, "
            f"{trips:,.0f} round trips, {errors:.0f} errors; {size / 1024:.1f} KiB for each client"
        )


if __name__ == "__main__":
    main()
