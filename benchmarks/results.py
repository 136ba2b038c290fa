"""What was measured so far: lines of JSON, so that a run can stop anywhere and go on later.

The first line describes the run: what was measured and when. Each line after it is a round of
one peer with one work: its `result`, or the `error` that it ended with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Key = tuple[str, str, int]
"""The names of work and peer, and the number of the round."""
Result = Mapping[str, Any]


class Results:
    """The rounds of one run, kept in a file as they come."""

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self.run = run
        self._path = path
        self._results: dict[Key, Result] = {}
        self._errors: dict[Key, str] = {}

    @classmethod
    def begin(cls, path: Path, run: Mapping[str, Any]) -> Results:
        """Start a file anew."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run) + "\n")
        return cls(path, run)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file; a last line that was cut off is as if it had not been measured."""
        text = path.read_text()
        if not text.endswith("\n"):
            # Or else the next line would be lost with the one that was cut off.
            with path.open("a") as file:
                file.write("\n")
        first, *rest = text.splitlines()
        results = cls(path, json.loads(first))
        for line in rest:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            results._keep(record)
        return results

    def add(self, key: Key, *, result: Result | None = None, error: str | None = None) -> None:
        """Keep a round, in the file first."""
        record = {"key": key, "result": result, "error": error}
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        self._keep(record)

    def _keep(self, record: Mapping[str, Any]) -> None:
        work, peer, number = record["key"]
        if record["error"] is None:
            self._results[work, peer, number] = record["result"]
        else:
            self._errors[work, peer, number] = record["error"]

    def has(self, key: Key) -> bool:
        """Tell whether a round is over, well or not."""
        return key in self._results or key in self._errors

    def errors_of(self, work: str, peer: str) -> list[str]:
        """Return what a peer's failed rounds of a work ended with."""
        return [text for key, text in self._errors.items() if key[:2] == (work, peer)]

    def figures_of(
        self, work: str, peer: str, figure: Callable[[Result], float | None]
    ) -> dict[int, float]:
        """Return one figure of each round that a peer did, by the round's number."""
        figures = {
            key[2]: figure(result)
            for key, result in self._results.items()
            if key[:2] == (work, peer)
        }
        return {number: value for number, value in figures.items() if value is not None}


def cpu_per_unit(result: Result) -> float:
    """Return seconds of CPU for each unit of work."""
    return float(result["cpu"] / result["units"])


def cpu_per_minute(result: Result) -> float:
    """Return seconds of CPU for each minute."""
    return float(result["cpu"] / result["wall"] * 60)


def rate(result: Result) -> float:
    """Return units of work in a second."""
    return float(result["units"] / result["wall"])


def server_share(result: Result) -> float:
    """Return which share of its core the server used."""
    return float(result["server_cpu"] / result["wall"])


def resident_size(result: Result) -> float | None:
    """Return KiB of memory for each connection, None if that was not looked at."""
    resident = result["resident"]
    return None if resident is None else float(resident / 1024)
