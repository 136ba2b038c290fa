"""The quick variant: this project beside three others, on four works, in less than two minutes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from benchmarks.environments import make_environment, make_peer_environment
from benchmarks.figures import Spread, compare
from benchmarks.peers import OURS, Peer, find_peer
from benchmarks.processes import Cores, MeasurementError, measure, raise_file_limit
from benchmarks.works import Work

OTHERS = ("bare_gevent", "aiohttp", "picows")
ROUNDS = 3

Costs = dict[str, dict[int, float]]
"""Seconds of CPU for a unit, by peer and round."""


def run_quick(works: list[Work], peers: list[Peer], rounds: int) -> None:
    """Measure, and print what this project costs against each of the others."""
    raise_file_limit()
    cores = Cores.choose()
    server = make_environment("server")
    pythons = {peer.name: make_quick_environment(peer) for peer in peers}
    others = [peer for peer in peers if peer != OURS]
    print(f"CPU of this project {'':16}" + "".join(f"{'/ ' + p.name:>21}" for p in others))
    for work in works:
        costs: Costs = defaultdict(dict)
        for number in range(rounds):
            for peer in peers:
                try:
                    result = measure(peer, work, pythons[peer.name], server, cores)
                except MeasurementError as error:
                    print(f"{peer.name}: {error}")
                    continue
                costs[peer.name][number] = result["cpu"] / result["units"]
        print(tell(work, costs, others), flush=True)


def make_quick_environment(peer: Peer) -> Path:
    """Return the Python of a peer; this project's is not that of a full run, which may go on."""
    return make_peer_environment(peer, f"{peer.name}-quick" if peer.is_tree else None)


def tell(work: Work, costs: Costs, others: list[Peer]) -> str:
    """Return a line: our cost, and its ratio to each of the others."""
    ours = costs[OURS.name]
    if not ours:
        return f"{work.title}: nothing was measured"
    line = f"{work.title:24}{Spread.of(list(ours.values())).median * 1e6:9.2f} us"
    for peer in others:
        ratio = compare(ours, costs[peer.name])
        line += (
            f"{ratio.median:8.2f} ({ratio.least:.2f}-{ratio.greatest:.2f})".rjust(21)
            if ratio
            else f"{'-':>21}"
        )
    return line


def choose_quick_peers() -> list[Peer]:
    """Return this project, and those of the quick variant."""
    return [OURS, *map(find_peer, OTHERS)]
