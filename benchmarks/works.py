"""What is measured: one line for each row of the tables.

How a work is done is in `clients/`. The counts are such that a round of most clients lasts for
about a second: CPU time is exact to a nanosecond, so more rounds are worth more than long ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

MIB = 1024 * 1024


@dataclass(frozen=True)
class Work:
    """A row: what clients are asked to do, and how it is told.

    `messages` is for each connection, `unit` what a cost is for, `payload` a key of the clients'
    `PAYLOADS`. Of a slow work one round is enough; `patience` is how many seconds a client may
    take for it, connecting included.
    """

    name: str
    title: str
    verb: str
    connections: int
    unit: str
    messages: int = 1
    payload: str = "text"
    seconds: float = 0.0
    compress: bool = False
    tls: bool = False
    is_slow: bool = False
    patience: float = 60.0

    @property
    def units(self) -> str:
        """The unit's plural."""
        return self.unit if self.unit == "MiB" else f"{self.unit}s"

    def to_request(self) -> dict[str, Any]:
        """Return the part of a client's request that does not depend on the machine."""
        names = ("verb", "connections", "messages", "payload", "seconds", "compress")
        return {name: value for name, value in asdict(self).items() if name in names}

    def shorten(self, divisor: int) -> Work:
        """Return the same work with fewer messages."""
        return replace(self, messages=max(1, self.messages // divisor))


TRIP = "round trip"

WORKS = (
    Work("echo-1", "echo, 1 connection", "echo", 1, TRIP, 10_000),
    Work("echo-100", "echo, 100 connections", "echo", 100, TRIP, 200),
    Work("echo-1000", "echo, 1,000 connections", "echo", 1_000, TRIP, 20),
    Work("flood-1", "flood, 1 connection", "flood", 1, "message", 1_000_000),
    Work("flood-100", "flood, 100 connections", "flood", 100, "message", 20_000, patience=120.0),
    Work("echo-1mib", "echo of 1 MiB", "echo", 1, "MiB", 300, "binary"),
    Work(
        "deflate",
        "echo of 1 KiB of JSON, compressed",
        "echo",
        100,
        TRIP,
        100,
        "json",
        compress=True,
    ),
    Work("connect-1000", "connect 1,000", "connect", 1_000, "connection"),
    Work("connect-1000-tls", "connect 1,000, TLS", "connect", 1_000, "connection", tls=True),
    Work("hub", "ticker beside 1,000 echoing and a flood", "hub", 1_000, TRIP, seconds=2.0),
    Work(
        "connect-10000",
        "connect 10,000",
        "connect",
        10_000,
        "connection",
        is_slow=True,
        patience=120.0,
    ),
    Work(
        "connect-10000-tls",
        "connect 10,000, TLS",
        "connect",
        10_000,
        "connection",
        tls=True,
        is_slow=True,
        patience=180.0,
    ),
    Work(
        "idle-5000",
        "5,000 idle",
        "idle",
        5_000,
        "connection",
        seconds=60.0,
        is_slow=True,
        patience=180.0,
    ),
)

QUICK = tuple(
    work.shorten(2)
    for work in WORKS
    if work.name in ("echo-1", "echo-1000", "flood-1", "echo-1mib")
)


def find_work(name: str) -> Work:
    """Return the work of that name; ValueError if there is none."""
    for work in WORKS:
        if work.name == name:
            return work
    known = ", ".join(work.name for work in WORKS)
    raise ValueError(f"there is no work {name!r}; there are {known}")
