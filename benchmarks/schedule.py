"""Which round comes next: all peers in turn, work by work, round by round; slow works last.

Nothing is run here. What was measured already decides, so a run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.peers import Peer
from benchmarks.results import Results
from benchmarks.works import Work

LONG_ENOUGH = 6.0
"""Seconds. A peer that was measured for so long with a work needs no further round of it."""
Turn = tuple[Work, Peer, int]


def list_turns(works: Sequence[Work], peers: Sequence[Peer], rounds: int) -> list[Turn]:
    """Return all turns, in order, as if nothing had been measured."""
    turns: list[Turn] = []
    fast = [work for work in works if not work.is_slow]
    slow = [work for work in works if work.is_slow]
    for number, group in [*((number, fast) for number in range(rounds)), (0, slow)]:
        for work in group:
            turns += [(work, peer, number) for peer in peers if work.name not in peer.lacks]
    return turns


def is_due(turn: Turn, results: Results) -> bool:
    """Tell whether a turn is still to be taken.

    A peer that has failed with a work more often than not is not asked for it again: most of what
    goes wrong takes long, and goes wrong again.
    """
    work, peer, number = turn
    if results.has((work.name, peer.name, number)):
        return False
    walls = results.figures_of(work.name, peer.name, lambda result: result["wall"])
    failures = results.errors_of(work.name, peer.name)
    return sum(walls.values()) < LONG_ENOUGH and len(failures) <= len(walls)


def due_turns(turns: Sequence[Turn], results: Results) -> Iterator[Turn]:
    """Yield the turns to be taken; each is decided when its time has come."""
    return (turn for turn in turns if is_due(turn, results))
