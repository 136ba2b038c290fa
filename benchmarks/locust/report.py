"""The tables. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from benchmarks.figures import Spread, compare
from benchmarks.locust.works import (
    ALONE,
    BY_HAND,
    CROWD_FIGURES,
    CROWDS,
    FEW,
    FLOORS,
    LIMITS,
    MANY,
    OURS,
    PAIRS,
    Result,
    Work,
    grow,
    make_crowd,
)
from benchmarks.peers import list_pinned

Results: TypeAlias = Mapping[tuple[str, Work], Mapping[int, Result]]
"""By locustfile and work: what each round has measured."""

INTRODUCTION = """\
# What a user of Locust costs

Made by `python -m benchmarks.locust --write`; every word of it, so change what is beside this file.
Locust runs headless, in one process on a core of its own, against picows on uvloop on another. The
locustfiles `with_package.py` and `by_hand.py` have the same users: the one on this project, the
other on websocket-client, as somebody writes it who knows it well. *CPU* is user and system time
of Locust's process; medians of the rounds with the least and the greatest, ratios within each."""


def write_report(results: Results, machine: Mapping[str, Any]) -> str:
    """Return the report of some rounds."""
    parts = [INTRODUCTION, *_describe(machine, results), *_write_pairs(results)]
    parts += [*_write_floors(results), *_write_crowds(results)]
    return "\n".join(parts) + "\n"


def _describe(machine: Mapping[str, Any], results: Results) -> Iterator[str]:
    rounds = max(len(each) for each in results.values())
    yield (
        f"\nMeasured on {machine['date']}, in {rounds} rounds: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['kernel']}, {machine['python']}; the load average "
        f"was {machine['load']} when it began. {machine['version']}; "
        f"{', '.join(list_pinned('locust'))}."
    )


def _write_pairs(results: Results) -> Iterator[str]:
    yield "\n| CPU, µs for each | this project | by hand | ratio | target | |"
    yield "|---|---|---|---|---|---|"
    for work in PAIRS:
        ours, theirs = (_costs_of(results, name, work) for name in (OURS, BY_HAND))
        ratio = compare(ours, theirs)
        if ratio is None:
            continue
        limit = LIMITS[work.title]
        cells = [
            f"{work.title} ({work.users} users)",
            _show(Spread.of(list(ours.values())), 1),
            _show(Spread.of(list(theirs.values())), 1),
            f"**{_show(ratio, 2)}**",
            f"{limit:.2f}",
            "reached" if ratio.median <= limit else "**missed**",
        ]
        yield f"| {' | '.join(cells)} |"


def _write_floors(results: Results) -> Iterator[str]:
    yield "\nLocust alone, which is in both:"
    yield "\n| | CPU, µs |"
    yield "|---|---|"
    for work in FLOORS:
        costs = _costs_of(results, ALONE, work)
        yield f"| {work.title} | {_show(Spread.of(list(costs.values())), 1)} |"


def _write_crowds(results: Results) -> Iterator[str]:
    yield (
        f"\nUsers that connect over plain TCP and rest, of which one is a {MANY - FEW:,}th of what "
        f"{MANY:,} take more than {FEW:,}:"
    )
    yield f"\n| | {' | '.join(title for title, _, _ in CROWDS)} |"
    yield f"|---|{'---|' * len(CROWDS)}"
    for title, figure, convert in CROWD_FIGURES:
        cells = []
        for _, locustfile, user_class in CROWDS:
            few, many = (results[locustfile, make_crowd(user_class, n)] for n in (FEW, MANY))
            grown = [convert(grow(few[number], many[number], figure)) for number in few]
            cells.append(_show(Spread.of(grown), 1))
        yield f"| {title} | {' | '.join(cells)} |"


def _costs_of(results: Results, locustfile: str, work: Work) -> dict[int, float]:
    rounds = results.get((locustfile, work), {})
    return {number: work.cost_of(result) for number, result in rounds.items()}


def _show(spread: Spread, digits: int) -> str:
    if spread.rounds == 1:
        return f"{spread.median:.{digits}f}"
    least, greatest = f"{spread.least:.{digits}f}", f"{spread.greatest:.{digits}f}"
    return f"{spread.median:.{digits}f} ({least} – {greatest})"
