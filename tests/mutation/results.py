"""What came of the mutants of each module, and whether that will do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.mutation.survivors import Change

LEAST_SHARE = 0.9


class Result(NamedTuple):
    """How many mutants of a module have each verdict, and which have survived."""

    counts: Counter[str]
    survivors: list[Change]

    @property
    def share(self) -> float:
        """Return which part was killed; a time-out is a death as well."""
        return 1 - self.counts["survived"] / max(1, self.counts.total())


def summarize(results: Mapping[str, Result]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield "module       mutants   killed   timed out   survived    share"
    for name, result in results.items():
        counts = result.counts
        yield (
            f"{name:12}{counts.total():8}{counts['killed']:9}{counts['timed out']:12}"
            f"{counts['survived']:11}{result.share:9.1%}"
        )


def find_problems(name: str, result: Result, accepted: Counter[Change]) -> Iterator[str]:
    """Yield in words why a module does not pass; nothing if it does.

    What is said about a mutant is in the form in which `SURVIVORS.md` has it.
    """
    if result.share < LEAST_SHARE:
        yield f"{name}: {result.share:.1%} are killed, which is less than {LEAST_SHARE:.0%}"
    found = Counter(result.survivors)
    for change in (found - accepted).elements():
        yield f"{name}: survives, and is not listed\n- {change}"
    for change in (accepted - found).elements():
        yield f"{name}: is listed, and does not survive\n- {change}"
