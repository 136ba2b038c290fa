"""The files that a report is written to: looked at before the run, written after it.

Nobody should learn after an hour that the results have nowhere to go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lomond_gevent.load.report.findings import Findings

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that was asked for by an option; the path "-" is standard output."""

    option: str
    path: str
    make_text: Callable[[Findings], str]

    @property
    def is_standard_output(self) -> bool:
        """Tell whether it is no file, but what the next program of a pipe reads."""
        return self.path == STANDARD_OUTPUT

    def check(self) -> None:
        """Find out whether it can be written, and leave it as it is.

        Raises OSError that tells why not.
        """
        if self.is_standard_output:
            return
        path = Path(self.path)
        if path.exists() and not path.is_file() and not path.is_dir():
            # To open a pipe or a device may wait for its reader.
            if not os.access(path, os.W_OK):
                raise PermissionError(f"no permission to write to {self.path!r}")
            return
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()

    def write(self, findings: Findings) -> None:
        """Write the report in this form; raises OSError."""
        text = self.make_text(findings)
        if self.is_standard_output:
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            Path(self.path).write_text(text, encoding="utf-8")
