"""When a case is passed: the server's verdicts, from its report or from its answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

# NON-STRICT is not among them: the suite says it of what RFC 6455 allows, but does not want.
PASSING = {"OK", "INFORMATIONAL"}
# In these the server sends a frame and closes without waiting. Which of the two its own end sees
# first differs from run to run, for every client.
RACING = {"4.1.5", "4.2.5"}
# How often a racing case is run until it passes.
MAX_TRIES = 3
MISSING = "MISSING"


class Verdict(NamedTuple):
    """What the server says of one case."""

    behavior: str
    close: str

    @property
    def is_passed(self) -> bool:
        """Tell whether both are as good as they can be."""
        return self.behavior in PASSING and self.close in PASSING

    def __str__(self) -> str:
        return f"behavior {self.behavior}, close {self.close}"


def read_report(folder: Path, agent: str) -> dict[str, Verdict]:
    """Read the server's verdicts on all cases of an agent, by the ids of the cases.

    `folder` is the server's `outdir`. Raises OSError or ValueError where there is no report.
    """
    report: dict[str, dict[str, Any]] = json.loads((folder / "index.json").read_bytes())
    return {
        case: Verdict(result["behavior"], result["behaviorClose"])
        for case, result in report.get(agent, {}).items()
    }
