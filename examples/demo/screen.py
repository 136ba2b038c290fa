"""What one writes to: a terminal with colours and lines that are redrawn, or a plain file."""

from __future__ import annotations

import os
from typing import TextIO

BOLD, DIM, RED, GREEN, CYAN = "1", "2", "31", "32", "36"
CLEAR_LINE = "\r\x1b[2K"


class Screen:
    """Write to a stream what it can show."""

    def __init__(self, stream: TextIO, environment: dict[str, str] | None = None) -> None:
        environment = dict(os.environ) if environment is None else environment
        self._stream = stream
        self.is_terminal = stream.isatty() and environment.get("TERM") != "dumb"
        # https://no-color.org: "when present and not an empty string"
        self._has_colours = self.is_terminal and not environment.get("NO_COLOR")
        self._has_symbols = can_encode(stream, "─│┌┐└┘█░✓✗")
        self._is_redrawing = False

    def print(self, line: str = "") -> None:
        """Write a line that stays, in place of one that is being redrawn."""
        self._stream.write(f"{CLEAR_LINE if self._is_redrawing else ''}{line}\n")
        self._stream.flush()
        self._is_redrawing = False

    def redraw(self, line: str) -> None:
        """Write a line that the next takes the place of; in terminals only."""
        self._stream.write(f"{CLEAR_LINE}{line}")
        self._stream.flush()
        self._is_redrawing = True

    # ---- how things look --------------------------------------------------------------------

    def bold(self, text: str) -> str:
        """Return `text` as a heading."""
        return self._paint(BOLD, text)

    def dim(self, text: str) -> str:
        """Return `text` as what matters less."""
        return self._paint(DIM, text)

    def good(self, text: str) -> str:
        """Return `text` as good news."""
        return self._paint(GREEN, text)

    def bad(self, text: str) -> str:
        """Return `text` as bad news."""
        return self._paint(RED, text)

    @property
    def good_mark(self) -> str:
        """Return a tick."""
        return self.good("✓" if self._has_symbols else "+")

    @property
    def bad_mark(self) -> str:
        """Return a cross."""
        return self.bad("✗" if self._has_symbols else "!")

    def bar(self, filled: int, width: int) -> str:
        """Return a bar of which so much is filled."""
        full, empty = "█░" if self._has_symbols else "#."
        return self._paint(CYAN, full * filled) + self.dim(empty * (width - filled))

    @property
    def frame(self) -> str:
        """Return the pieces of a frame: horizontal, vertical, and the four corners in order."""
        return "─│┌┐└┘" if self._has_symbols else "-|++++"

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._has_colours and text else text


def can_encode(stream: TextIO, text: str) -> bool:
    """Tell whether the encoding of a stream knows all the characters."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
