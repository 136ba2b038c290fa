"""What a client is asked to do, and how what it took is measured: the same for every peer.

Only the standard library is used here, for this is imported in each peer's own environment.
No networking belongs here: see `greenlets.py` and `tasks.py`.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

Verb = Literal["echo", "flood", "connect", "idle", "hub"]
Message: TypeAlias = Any
"""`str` or `bytes`: a text or a binary message."""
Times: TypeAlias = "array[float]"
"""`perf_counter()` when the work began, and when each answer came."""

GO = "go"
"""The message that starts a flood."""
FLOODED = "b" * 32
"""Each message of a flood."""

AT_ONCE = 100
"""How many connections are being made at the same time."""
TICK = 0.010
"""Seconds between two ticks of the hub row."""
STARVED = 10
"""Seconds without a tick after which the hub row is given up."""
SETTLING = 1.0
"""Seconds from the last connection to the reading of memory, or to the start of idleness."""


@dataclass(frozen=True)
class Work:
    """One measurement, as the suite asks for it: JSON in the first argument of the command line.

    `messages` is for each connection, `seconds` for the verbs that last so long, `payload` a key
    of `PAYLOADS`, and `cpu` the core to stay on (None for any).
    """

    verb: Verb
    address: str
    connections: int
    messages: int = 1
    payload: str = "text"
    seconds: float = 0.0
    cafile: str | None = None
    compress: bool = False
    cpu: int | None = None
    server_pid: int | None = None

    @classmethod
    def from_command_line(cls) -> Work:
        """Read it, and move to the core that it names."""
        work = cls(**json.loads(sys.argv[1]))
        if work.cpu is not None:
            os.sched_setaffinity(0, {work.cpu})
        return work

    @property
    def echo_url(self) -> str:
        """Where each message comes back, compressed if it came compressed."""
        return f"{self.address}/{'deflate' if self.compress else 'echo'}"

    @property
    def flood_url(self) -> str:
        """Where texts come as fast as they are taken after `GO`: `messages`, or no end of them."""
        return f"{self.address}/flood/{0 if self.verb == 'hub' else self.messages}"

    def make_messages(self) -> Iterator[Message]:
        """Return what one connection sends; on the hub row there is no end of it."""
        endless = cycle(PAYLOADS[self.payload]())
        return endless if self.verb == "hub" else islice(endless, self.messages)


@cache
def make_documents() -> list[Message]:
    """Return 64 different JSON documents of 1 KiB each, the same in each run."""
    chance = random.Random(6455)
    return [make_document(chance) for _ in range(64)]


def make_document(chance: random.Random) -> str:
    """Return quotes of a made-up exchange, cut to 1,024 characters of JSON."""
    quotes: list[dict[str, object]] = []
    while len(text := json.dumps({"channel": "quotes", "data": quotes})) < 900:
        price = chance.randrange(10_000, 99_999)
        quotes.append(
            {"symbol": chance.choice(("LOCH", "NESS", "TARN")), "price": price / 100, "id": price}
        )
    return text + " " * (1024 - len(text))


_TEXT: Message = "a" * 32
_BLOCK: Message = bytes(range(256)) * 4096

PAYLOADS: dict[str, Callable[[], list[Message]]] = {
    "text": lambda: [_TEXT],
    "binary": lambda: [_BLOCK],
    "json": make_documents,
}


class Meter:
    """CPU time (user and system) of this process and of the server's, and wall time, in seconds."""

    def __init__(self, server_pid: int | None) -> None:
        self._server_pid = server_pid
        self.cpu = self.wall = self.server_cpu = 0.0

    def start(self) -> None:
        """Begin the measured part."""
        self._server = self._read_server()
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def stop(self) -> None:
        """End it."""
        self.cpu = time.process_time() - self._cpu
        self.wall = time.perf_counter() - self._wall
        self.server_cpu = self._read_server() - self._server

    def _read_server(self) -> float:
        if self._server_pid is None:
            return 0.0
        after_name = Path(f"/proc/{self._server_pid}/stat").read_text().rpartition(")")[2]
        user, system = after_name.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def read_resident_size() -> int:
    """Return how many bytes of this process are in memory, garbage collected."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def expect_tick() -> None:
    """End this process unless this is called again within `STARVED` seconds.

    A client that reads without ever giving way stops everything else in its process for as long
    as there is something to read, and a flood has no end.
    """
    signal.signal(signal.SIGALRM, lambda *_: fail(f"starved: no tick within {STARVED} seconds"))
    signal.alarm(STARVED)


def gaps_between(stamps: Iterable[Sequence[float]]) -> list[float]:
    """Return the time from each stamp to the next of the same connection, all of them sorted.

    The next message is sent right after an answer has come, so the time between two answers is
    that of a round trip, and one look at the clock for each message is enough.
    """
    return sorted(later - earlier for times in stamps for earlier, later in pairwise(times))


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value that so large a share of the sorted values stays within, None of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def finish(
    meter: Meter, units: int, times: Sequence[float] = (), resident: int | None = None
) -> NoReturn:
    """Print the result, and end this process, which closes all that is open.

    `units` is how often the work was done, `times` are sorted seconds, and `resident` is how many
    bytes this process has grown by, for each connection.
    """
    result = {
        "units": units,
        "cpu": meter.cpu,
        "wall": meter.wall,
        "server_cpu": meter.server_cpu,
        "resident": resident,
        "p50": percentile(times, 0.50),
        "p99": percentile(times, 0.99),
        "worst": percentile(times, 1.0),
    }
    print(json.dumps(result), flush=True)
    # Thousands of closing handshakes would take longer than what was measured.
    os._exit(0)


def fail(reason: object) -> NoReturn:
    """End this process with a message for the suite."""
    # The suite may be gone, and nobody be listening.
    with suppress(OSError):
        print(reason, file=sys.stderr, flush=True)
    os._exit(1)
