"""Write what is computed into `docs/capacity.md`: `python -m benchmarks.capacity.document`.

A table stands between `<!-- table: name -->` and `<!-- end -->`; what a command prints in the block
below `<!-- output: arguments -->`.
"""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

from lomond_gevent.load.capacity.command import main
from lomond_gevent.load.capacity.tables import make_tables

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "capacity.md"
TABLE = re.compile(r"(?<=<!-- table: )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
OUTPUT = re.compile(r"(?<=<!-- output: )(.*?)( -->\n```\n).*?(?=```\n)", re.DOTALL)


def fill(text: str) -> str:
    """Return a document with its tables and outputs as they are computed now."""
    tables = make_tables()
    text = TABLE.sub(lambda found: f"{found[1]}{found[2]}{tables[found[1]]}", text)
    return OUTPUT.sub(lambda found: f"{found[1]}{found[2]}{print_sheet(found[1])}", text)


def print_sheet(arguments: str) -> str:
    """Return what the command prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        main(shlex.split(arguments))
    return printed.getvalue()


if __name__ == "__main__":
    DOCUMENT.write_text(fill(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
