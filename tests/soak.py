"""Mixed traffic for as long as one likes, and the memory of the clients meanwhile.

    python -m tests.soak --seconds 600

Two processes, one for each session class, converse with servers in this one: some workers send
messages of all sizes back and forth, with and without compression and TLS, others end connections
in every way of `tests.hostile.ways`. Exits with 1 where a resident set grows, or a client fails.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
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
SAMPLES = 40
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
    """Run all workers for so long; print how much they did."""
    module, _, name = session.partition(":")
    places = Places(getattr(importlib.import_module(module), name), *addresses)
    world = world_of(places.session_class)
    without_resolver()
    end = time.monotonic() + seconds
    jobs = [talk] * TALKERS + [leave] * LEAVERS
    done = [0] * len(jobs)

    def work(number: int) -> None:
        done[number] = jobs[number](places, number, lambda: time.monotonic() > end)

    tasks = [world.spawn(work, number) for number in range(len(jobs))]
    world.sleep(seconds)
    for task in tasks:
        task.result()
    totals = {"messages": sum(done[:TALKERS]), "connections": sum(done[TALKERS:])}
    print(json.dumps(totals))


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

    The first quarter is for what is made once; the least is what stays between two messages.
    """
    quarter = len(samples) // 4
    return min(samples[-quarter:]) - min(samples[quarter : 2 * quarter])


def watch(clients: dict[str, subprocess.Popen[str]], seconds: float) -> dict[str, list[int]]:
    """Print the resident sets of the clients while they run; return them."""
    samples: dict[str, list[int]] = {name: [] for name in clients}
    started = time.monotonic()
    for number in range(1, SAMPLES):
        time.sleep(max(0.0, started + seconds * number / SAMPLES - time.monotonic()))
        for name, client in clients.items():
            if client.poll() is None:
                samples[name].append(psutil.Process(client.pid).memory_info().rss)
        resident = "  ".join(f"{name} {s[-1] / MIB:7.2f} MiB" for name, s in samples.items() if s)
        print(f"{time.monotonic() - started:6.0f} s  {resident}", flush=True)
    return samples


def start(session: str, seconds: float, addresses: list[str]) -> subprocess.Popen[str]:
    """Start a client."""
    command = [sys.executable, "-m", "tests.soak", "--client", session, "--seconds", str(seconds)]
    environment = os.environ | ALLOCATOR
    return subprocess.Popen(
        [*command, *addresses], stdout=subprocess.PIPE, env=environment, text=True
    )


def judge(name: str, client: subprocess.Popen[str], samples: list[int]) -> bool:
    """Print what a client did and what it cost; return whether that is as it should be."""
    output, _ = client.communicate()
    if client.returncode or len(samples) < SAMPLES // 2:
        print(f"{name}: failed, exit {client.returncode}")
        return False
    growth = growth_of(samples)
    verdict = "no growth" if growth <= TOLERANCE else "GROWS"
    print(f"{name}: {output.strip()}, {growth / MIB:+.2f} MiB, {verdict}")
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
            samples = watch(clients, seconds)
            return all([judge(name, client, samples[name]) for name, client in clients.items()])
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
