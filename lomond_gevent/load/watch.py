"""What is looked at again and again: hub lag, deadlines of answers, and the figures of a second.

The lag of the hub is how much later than asked for a greenlet wakes. It is in every latency that
this process measures, so it is measured as well.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic as clock
from time import process_time
from typing import TYPE_CHECKING, Any

import gevent

from lomond_gevent.load.metrics import Delta
from lomond_gevent.load.pacer import MOMENT

if TYPE_CHECKING:
    from lomond_gevent.load.swarm import Swarm

# How often, in seconds, the lag is measured, and the deadlines are looked at.
TICK = 0.02
SWEEP = 0.2
# How often the figures are reported, in seconds.
SECOND = 1.0


def sleep_until(due: float) -> None:
    """Sleep, for a moment at least.

    A sleep of 0 would queue up behind all callbacks that the hub still has to do, by the
    thousand where thousands of clients come or go; a timer does not.
    """
    gevent.sleep(max(MOMENT, due - clock()))


class Watch:
    """Two greenlets beside the clients of a process."""

    def __init__(self, swarm: Swarm, report: Callable[[Delta], object]) -> None:
        self._swarm = swarm
        self._report = report
        self.failure: Exception | None = None
        """What kept a second from being reported; it has ended the load."""
        self._greenlets: list[Any] = []
        self._lag_max = 0
        self._started = 0.0
        self._cpu = 0.0
        self._looked = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._started = self._looked = clock()
        self._cpu = process_time()
        self._greenlets = [gevent.spawn(self._tick), gevent.spawn(self._count_seconds)]

    def stop(self) -> None:
        """End, with a report on what has happened since the last."""
        gevent.killall(self._greenlets)
        self._report(self._look(is_last=True))

    def _tick(self) -> None:
        swarm = self._swarm
        record = swarm.metrics.lag.record
        due = clock() + TICK
        sweep_due = due + SWEEP
        while True:
            sleep_until(due)
            now = clock()
            lag = int((now - due) * 1e6)
            self._lag_max = max(self._lag_max, lag)
            # Ticks that this one has held up would have been late as well.
            while due <= now:
                # Where clients connect first, or close afterwards, no latency is measured.
                if swarm.is_loading:
                    record(int((now - due) * 1e6))
                due += TICK
            if now >= sweep_due:
                sweep_due = now + SWEEP
                for member in list(swarm.members):
                    member.check_deadline(now)

    def _count_seconds(self) -> None:
        due = self._started + SECOND
        while True:
            sleep_until(due)
            try:
                self._report(self._look())
            except Exception as error:  # the observer's; raised again where the load was asked for
                self.failure = error
                self._swarm.interrupt()
                return
            due = max(due + SECOND, clock())

    def _look(self, is_last: bool = False) -> Delta:
        swarm, now, cpu = self._swarm, clock(), process_time()
        delta = swarm.metrics.take()
        passed = max(now - self._looked, 1e-9)
        delta |= {
            "elapsed": now - self._started,
            "since_began": None if swarm.began is None else now - swarm.began,
            "clients": swarm.clients,
            "wanted": swarm.wanted,
            "lag_max": self._lag_max,
            "cpu_seconds": cpu - self._cpu,
            "cpu": (cpu - self._cpu) / passed,
            "is_last": is_last,
        }
        if is_last:
            began = now if swarm.began is None else swarm.began
            delta |= {
                "connecting": began - self._started,
                "duration": max(0.0, (swarm.ended or now) - began),
                "is_interrupted": swarm.is_interrupted,
            }
        self._lag_max, self._cpu, self._looked = 0, cpu, now
        return delta
