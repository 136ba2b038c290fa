"""Mixed traffic for as long as one likes, and the memory of the clients meanwhile.

    python -m tests.soak --seconds 600

Two processes, one for each session class, converse with servers in this one: some workers send
messages of all sizes back and forth, with and without compression and TLS, others end connections
in every way of `tests.hostile.ways`. Exits with 1 where a resident set grows, or a client fails.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import psutil

from lomond import events
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import world_of
from tests.helpers.scripted_server import Peer, ScriptedServer
from tests.hostile.ways import NOWHERE, WAYS, Places, serve

__all__ = ["growth_of", "main"]

SESSIONS = ("lomond.session:WebsocketSession", "lomond_gevent:GeventSession")
TALKERS, LEAVERS = 4, 8
MESSAGES = 100
SAMPLES = 60
MIB = 1 << 20
# What the allocator's moods amount to, in bytes, and what keeps them low: large blocks go back to
# the system at once, and threads share two arenas.
TOLERANCE = 3 * MIB
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "2"}


class ForgetfulServer(ScriptedServer):
    """A server that keeps nothing of a connection that is over."""

    def _run(self, peer: Peer) -> None:
        super()._run(peer)
        self.peers.remove(peer)
        self._threads.remove(threading.current_thread())


# ---- the clients -----------------------------------------------------------------------------


def talk(places: Places, number: int, is_over: Any) -> int:
    """Have messages of all sizes echoed, on one connection after the other; count them."""
    chance = Random(number)
    urls = [base + path for base in places[1:3] for path in ("echo", "compressed")]
    total = 0
    while not is_over():
        websocket = places.websocket(chance.choice(urls), compress=True)
        left = MESSAGES
        for event in places.connect(websocket):
            if isinstance(event, (events.Ready, events.Binary)) and not left:
                websocket.close()
            elif isinstance(event, (events.Ready, events.Binary)):
                left, total = left - 1, total + 1
                size = chance.choice([0, 10, 125, 1000, 65_536, 200_000])
                websocket.send_binary(chance.randbytes(size // 2) + bytes(size // 2))
        assert not left, f"the connection ended {left} messages early: {event!r}"
    return total


def leave(places: Places, number: int, is_over: Any) -> int:
    """End connections in one way after the other; count them."""
    ways = list(WAYS.values())
    Random(number).shuffle(ways)
    for total in count():
        if is_over():
            return total
        ways[total % len(ways)](places)
    return 0


def be_client(session: str, seconds: float, addresses: list[str]) -> None:
    """Run all workers for so long; print the resident set at each pause, and what was done."""
    module, _, name = session.partition(":")
    places = Places(getattr(importlib.import_module(module), name), *addresses)
    world = world_of(places.session_class)
    without_resolver()
    started = time.monotonic()
    jobs = [talk] * TALKERS + [leave] * LEAVERS
    messages = connections = 0
    for turn in range(1, SAMPLES + 1):
        end = started + seconds * turn / SAMPLES
        seeds = range(turn * len(jobs), (turn + 1) * len(jobs))
        work = [
            world.spawn(job, places, seed, lambda end=end: time.monotonic() > end)
            for job, seed in zip(jobs, seeds, strict=True)
        ]
        # In greenlets, whoever waits for the first lets all of them go on.
        done = [task.result() for task in work]
        messages += sum(done[:TALKERS])
        connections += sum(done[TALKERS:])
        print(json.dumps([resident(), messages, connections]), flush=True)


def resident() -> int:
    """Return the resident set of this process in bytes, without what could be given back."""
    gc.collect()
    # glibc keeps what was freed between two blocks that were not.
    ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss


def without_resolver() -> None:
    """Know all names but one, without asking anybody."""
    import gevent

    look_up = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any) -> Any:
        if host == NOWHERE:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *args)

    socket.getaddrinfo = getaddrinfo
    gevent.get_hub().resolver.getaddrinfo = getaddrinfo


# ---- who watches them ------------------------------------------------------------------------


def growth_of(samples: list[int]) -> int:
    """Return by how much memory grew: the least of the last quarter over that of the second.

    The first quarter is for what is made once.
    """
    quarter = len(samples) // 4
    return min(samples[-quarter:]) - min(samples[quarter : 2 * quarter])


def start(session: str, seconds: float, addresses: list[str]) -> subprocess.Popen[str]:
    """Start a client."""
    command = [sys.executable, "-m", "tests.soak", "--client", session, "--seconds", str(seconds)]
    return subprocess.Popen(
        [*command, *addresses], stdout=subprocess.PIPE, env=os.environ | ALLOCATOR, text=True
    )


def watch(name: str, client: subprocess.Popen[str]) -> bool:
    """Print how a client fares, up to its end; return whether that is as it should be."""
    samples: list[int] = []
    assert client.stdout is not None
    for line in client.stdout:
        size, messages, connections = json.loads(line)
        samples.append(size)
        done = f"{messages:9,} messages {connections:9,} connections"
        print(f"{name:17} {size / MIB:7.2f} MiB {done}", flush=True)
    if client.wait() or len(samples) < SAMPLES:
        print(f"{name}: failed, exit {client.returncode}")
        return False
    growth = growth_of(samples)
    verdict = "no growth" if growth <= TOLERANCE else "GROWS"
    print(f"{name}: {growth / MIB:+.2f} MiB, {verdict}")
    return growth <= TOLERANCE


def soak(seconds: float) -> bool:
    """Run servers and clients; return whether no memory grew."""
    certificates = Certificates(Path(tempfile.mkdtemp(prefix="soak-")))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refused = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    context = certificates.server_context()
    with ForgetfulServer(serve) as plain, ForgetfulServer(serve, tls=context) as secure:
        addresses = [plain.url, secure.url, refused, certificates.ca_file]
        clients = {s.partition(":")[2]: start(s, seconds, addresses) for s in SESSIONS}
        try:
            with ThreadPoolExecutor() as watchers:
                return all(list(watchers.map(watch, clients.keys(), clients.values())))
        finally:
            for client in clients.values():
                client.kill()
                client.wait()


def main() -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.soak")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("addresses", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        be_client(arguments.client, arguments.seconds, arguments.addresses)
        return 0
    return 0 if soak(arguments.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
