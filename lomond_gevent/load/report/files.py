"""The files that a report is written to: looked at before the run, written after it.

Nobody should learn after an hour that the results have nowhere to go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper
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
        # A link may lead to a file that is still to be made: the link itself has to stay.
        target = Path(os.path.realpath(path))
        is_new = not target.exists()
        target.open("ab").close()
        if is_new:
            target.unlink()

    def write(self, findings: Findings) -> None:
        """Write the report in this form; raises OSError."""
        text = self.make_text(findings)
        # Always UTF-8, whatever the terminal speaks; names of files may hold what is no text.
        data = text.encode("utf-8", "backslashreplace")
        if not self.is_standard_output:
            Path(self.path).write_bytes(data)
        elif isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        else:
            sys.stdout.write(text)
