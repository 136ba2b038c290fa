"""What this project wants to reach, as ratios within a run.

A ratio is that of CPU time unless `figure` says otherwise; `remark` says why a target is missed,
and what was tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures import Spread, compare
from benchmarks.results import Result, Results, cpu_per_minute, cpu_per_unit, resident_size


@dataclass(frozen=True)
class Target:
    """At most `limit`, or `accelerated` with a compiled accelerator.

    A ratio to the figure of `against`, or without it the figure itself.
    """

    title: str
    work: str
    limit: float
    accelerated: float | None = None
    against: str | None = None
    unit: str = ""
    figure: Callable[[Result], float | None] = cpu_per_unit
    remark: str = ""

    def find_achieved(self, results: Results, peer: str) -> Spread | None:
        """Return what a peer has reached, None if that was not measured."""
        ours = results.figures_of(self.work, peer, self.figure)
        if self.against is None:
            return Spread.of(list(ours.values())) if ours else None
        return compare(ours, results.figures_of(self.work, self.against, self.figure))


TARGETS = (
    Target(
        "echo over 1,000 connections, against bare gevent.socket",
        "echo-1000",
        0.7,
        0.55,
        "bare_gevent",
        remark="half of a round trip and more is the system and the hub: what bytes through a "
        "watcher cost by themselves; the other half are 730 bytecodes and the twenty objects of "
        "a connection, which a thousand connections drive out of the caches. Tried: one pass "
        "from the channel to the batch, with a third fewer instructions (done); framing, masking "
        "and short frames in C (done); the hot modules compiled by Cython, with their attributes "
        "typed (done: half of the instructions; the rest of the time is the system's and gevent's, "
        "and waiting for memory); mypyc (a dropped iterator does not close its socket); reads of "
        "4 KiB (no gain).",
    ),
    Target("the same, against aiohttp", "echo-1000", 0.85, 0.65, "aiohttp"),
    Target("the same, against picows", "echo-1000", 1.7, 1.4, "picows"),
    Target("the same, against websocket-client", "echo-1000", 0.27, 0.23, "websocket_client"),
    Target("flood on one connection, against aiohttp", "flood-1", 0.8, 0.5, "aiohttp"),
    Target("the same, against picows", "flood-1", 2.4, 1.5, "picows"),
    Target(
        "echo of 1 MiB, against picows",
        "echo-1mib",
        3.5,
        1.15,
        "picows",
        remark="the time went into pages that the allocator gave back and took anew for each "
        "message. A long frame has its room from its first read on, and is masked 512 KiB at a "
        "time, as the kernel takes it. Without the accelerator masking takes most of it.",
    ),
    Target(
        "memory of each of 10,000 idle connections",
        "connect-10000",
        11,
        unit="KiB",
        figure=resident_size,
        remark="a greenlet with a bare socket takes 9.9 KiB of it, and the objects of a WebSocket, "
        "its watcher and its timer the rest. The heap takes about the deepest wait of a greenlet, "
        "for the copies of its stack leave holes: so nothing is waited for while the stack is "
        "deep, where that can be had (done: 1.2 KiB where the modules are compiled). Done as well: "
        "what connections have in common is kept once, what most never need is made when it is "
        "needed (0.7 KiB). Tried: one timer for all that poll at a moment (60 bytes less, and "
        "polls a tenth dearer).",
    ),
    Target(
        "connect, against bare gevent.socket",
        "connect-1000",
        1.5,
        against="bare_gevent",
        remark="the Ping that follows Ready is a second send, which the other does not have; the "
        "rest is checking the answer by the RFC and making the objects of a connection, 55 µs. "
        "Done: what connections that are made alike ask for is checked once; no wait where the "
        "kernel has connected at once; an answer that comes whole is checked in one pass: "
        "together 43 % fewer instructions. Tried: the modules of the handshake compiled (4 % "
        "fewer).",
    ),
    Target(
        "5,000 idle for a minute",
        "idle-5000",
        0.8,
        unit="s of CPU",
        figure=cpu_per_minute,
        remark="60,000 polls and 20,000 pings and pongs. They come together at 64 moments of a "
        "period, which halved the cost; each still switches into its greenlet and back, and finds "
        "nothing of its connection in the caches. Neither reading nor a new timer is left in a "
        "poll. Tried: one timer for all that poll at a moment (a tenth dearer).",
    ),
)
