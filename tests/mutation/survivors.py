"""The list of mutants that may survive, `SURVIVORS.md`.

A module has a heading of its own, below it each reason has one, below that stand the mutants::

    ## frames
    ### An equal comparison means the same here
    - `FrameReader.read`: `if start > end:` → `if start >= end:`

A mutant is known by its function and by what its lines were and became, so the list lasts as
long as those lines do, and an entry that no mutant answers to any more is an error as well.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ACCEPTED = Path(__file__).with_name("SURVIVORS.md")
NOTHING = "nothing"

_ENTRY = re.compile(r"- `([^`]+)`: `([^`]+)` → (?:`([^`]+)`|nothing)")


class Change(NamedTuple):
    """What makes a mutant: where it is, what the lines were and what they became."""

    scope: str
    was: str
    becomes: str

    def __str__(self) -> str:
        becomes = f"`{self.becomes}`" if self.becomes else NOTHING
        return f"`{self.scope}`: `{self.was}` → {becomes}"


def parse_accepted(text: str) -> dict[str, Counter[Change]]:
    """Return the accepted survivors of each module.

    Raises ValueError for an entry that cannot be read, or has no module or no reason above it.
    """
    accepted: dict[str, Counter[Change]] = {}
    module = reason = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            module, reason = line[3:].strip(), ""
            accepted[module] = Counter()
        elif line.startswith("### "):
            reason = line[4:].strip()
        elif line.startswith("- "):
            entry = _ENTRY.fullmatch(line.rstrip())
            if entry is None:
                raise ValueError(f"line {number} is no survivor: {line}")
            if not module or not reason:
                raise ValueError(f"line {number} has no module and reason above it: {line}")
            accepted[module][Change(entry[1], entry[2], entry[3] or "")] += 1
    return accepted
