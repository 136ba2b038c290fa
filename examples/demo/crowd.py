"""Many clients, led through the acts: connect, ask in turn, ask flat out, close.

All greenlets of the crowd run in the hub of the greenlet that calls `perform`, which itself only
looks now and then at how far they are.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

import gevent
from gevent.lock import Semaphore

from examples.demo.client import Client
from examples.demo.machine import read_resident_size
from examples.demo.progress import Progress
from examples.demo.tally import Tally

# Seconds between two looks at the crowd, and between two groups of paced questions.
GLANCE = 0.1
PULSE = 0.001
# The largest such group: what is late must not keep the answers from being read.
LARGEST_GROUP = 50
# Seconds without anything new that mean there will be nothing: longer than any time-out.
PATIENCE = 45.0


class Stalled(Exception):
    """Nothing happens any more."""


@dataclass(frozen=True)
class Plan:
    """What a crowd is to do."""

    clients: int
    trips: int
    """Round trips of each client, half of them paced, half flat out."""
    rate: float
    """Paced questions in a second, of all clients together."""
    connecting: int
    """How many may be connecting at the same time: a server's queue is short."""

    @property
    def paced_trips(self) -> int:
        """Return how many of a client's round trips are paced."""
        return (self.trips + 1) // 2


class Crowd:
    """Perform a plan, once."""

    def __init__(self, url: str, plan: Plan, progress: Progress) -> None:
        self.tally = Tally()
        self._url = url
        self._plan = plan
        self._progress = progress
        self._clients: list[Client] = []
        self._greenlets: list[gevent.Greenlet] = []

    def perform(self) -> Tally:
        """Go through the acts, and return what happened; leaves no greenlet behind."""
        paced, trips = self._plan.paced_trips, self._plan.trips
        size = measure_memory()
        try:
            self._act("connect", self._connect, lambda client: client.has_polled, 1)
            grown = measure_memory() - size
            self.tally.bytes_per_connection = grown / max(1, self.tally.connections)
            self._act("ask, paced", self._ask_paced, lambda client: client.answers, paced)
            self._act("ask, flat out", self._ask, lambda client: client.answers, trips, paced)
            self._act("close", self._close, lambda client: client.has_ended, 1)
        except Stalled as error:
            self.tally.note_problem(str(error))
        finally:
            gevent.killall(self._greenlets)
        self.tally.check(self._plan.clients, trips)
        return self.tally

    def _act(
        self,
        title: str,
        work: Callable[[], None],
        count: Callable[[Client], int],
        goal: int,
        done_before: int = 0,
    ) -> None:
        """Do `work`, and wait until `count` is `goal` for each client that has not ended."""
        clients = self._plan.clients
        self._progress.begin(title, clients * (goal - done_before))
        worker = gevent.spawn(work)
        self._greenlets.append(worker)
        done, changed = -1, perf_counter()
        while not worker.dead or any(
            count(client) < goal and not client.has_ended for client in self._clients
        ):
            gevent.sleep(GLANCE)
            before, done = done, sum(map(count, self._clients)) - clients * done_before
            self._progress.show(done)
            if done != before:
                changed = perf_counter()
            elif perf_counter() - changed > PATIENCE:
                raise Stalled(f"nothing has happened for {PATIENCE:.0f} seconds ({title})")
        worker.get()
        self._progress.end(sum(map(count, self._clients)) - clients * done_before)

    # ---- the acts ---------------------------------------------------------------------------

    def _connect(self) -> None:
        door = Semaphore(self._plan.connecting)
        for number in range(self._plan.clients):
            door.acquire()
            client = Client(self._url, number, self.tally)
            self._clients.append(client)
            greenlet = gevent.spawn(client.run, door.release)
            greenlet.link_exception(self._note_crash)
            self._greenlets.append(greenlet)

    def _ask_paced(self) -> None:
        # In the same order each time, so that each client's questions are evenly spread.
        queue = (client for _ in range(self._plan.paced_trips) for client in self._clients)
        total = self._plan.paced_trips * len(self._clients)
        started, asked = perf_counter(), 0
        while asked < total and not all(client.has_ended for client in self._clients):
            gevent.sleep(PULSE)
            due = int((perf_counter() - started) * self._plan.rate) + 1 - asked
            group = list(islice(queue, min(due, LARGEST_GROUP)))
            for client in group:
                client.ask(self.tally.paced)
            asked += len(group)

    def _ask(self) -> None:
        questions = self._plan.trips - self._plan.paced_trips
        if questions:
            for client in self._clients:
                client.ask(self.tally.flat_out, eager_for=questions - 1)

    def _close(self) -> None:
        for client in self._clients:
            client.close()

    def _note_crash(self, greenlet: gevent.Greenlet) -> None:
        self.tally.note_problem(f"a client crashed: {greenlet.exception!r}")


def measure_memory() -> int:
    """Return how many bytes of this process are in memory, without what is garbage."""
    gc.collect()
    return read_resident_size()
