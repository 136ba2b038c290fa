"""What the picture shows; `plot.py` draws it in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import make_environment
from benchmarks.figures import Spread
from benchmarks.peers import Peer
from benchmarks.results import Result, Results, cpu_per_unit, resident_size

PLOT = Path(__file__).parent / "plot.py"


def microseconds(result: Result) -> float:
    """Return microseconds of CPU for each unit of work."""
    return cpu_per_unit(result) * 1e6


def milliseconds(result: Result) -> float:
    """Return milliseconds of CPU for each unit of work."""
    return cpu_per_unit(result) * 1e3


SHOWN: tuple[tuple[str, str, Callable[[Result], float | None]], ...] = (
    ("µs of CPU per echo, 1,000 connections", "echo-1000", microseconds),
    ("µs of CPU per message of a flood", "flood-1", microseconds),
    ("ms of CPU per echo of 1 MiB", "echo-1mib", milliseconds),
    ("KiB per idle connection, 10,000 of them", "connect-10000", resident_size),
)


def make_panels(results: Results, peers: Sequence[Peer]) -> list[dict[str, Any]]:
    """Return what `plot.py` is to draw: only what was measured."""
    panels = []
    for title, work, figure in SHOWN:
        bars = []
        for peer in peers:
            values = list(results.figures_of(work, peer.name, figure).values())
            if values:
                value = Spread.of(values).median
                bars.append({"label": peer.title, "value": value, "kind": kind_of(peer)})
        if bars:
            panels.append({"title": title, "bars": bars})
    return panels


def kind_of(peer: Peer) -> str:
    """Return which colour a peer has."""
    if peer.is_tree:
        return "ours"
    return "floor" if peer.name.startswith("bare_") else "peer"


def draw_panels(panels: list[dict[str, Any]], output: Path) -> None:
    """Draw them into an SVG file."""
    command = (str(make_environment("plot")), str(PLOT), str(output))
    subprocess.run(command, input=json.dumps(panels), text=True, check=True)
