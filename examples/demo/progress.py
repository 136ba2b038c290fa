"""How far the crowd is: a line that is redrawn in a terminal, plain lines anywhere else."""

from __future__ import annotations

from time import perf_counter

from examples.demo.screen import Screen

BAR_WIDTH = 24
TITLE_WIDTH = 16
# Seconds between two plain lines.
PLAIN_INTERVAL = 5.0


class Progress:
    """Show one act after the other."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._title = ""
        self._total = 0
        self._started = 0.0
        self._shown = 0.0

    def begin(self, title: str, total: int) -> None:
        """Begin an act in which there are `total` things to do."""
        self._title, self._total = title, total
        self._started = self._shown = perf_counter()
        if self._screen.is_terminal:
            self.show(0)

    def show(self, done: int) -> None:
        """Show that so many are done."""
        screen = self._screen
        if screen.is_terminal:
            screen.redraw(f"    {self._title:<{TITLE_WIDTH}} {self._bar(done)} {self._count(done)}")
        elif done < self._total and perf_counter() - self._shown >= PLAIN_INTERVAL:
            self._shown = perf_counter()
            screen.print(f"    {self._title:<{TITLE_WIDTH}} {self._count(done)}")

    def end(self, done: int) -> None:
        """Leave one line that tells how the act went."""
        mark = self._screen.good_mark if done == self._total else self._screen.bad_mark
        seconds = self._screen.dim(f"{perf_counter() - self._started:7.1f} s")
        self._screen.print(f"  {mark} {self._title:<{TITLE_WIDTH}} {self._count(done)}  {seconds}")

    def _count(self, done: int) -> str:
        return f"{done:>8,} of {self._total:,}"

    def _bar(self, done: int) -> str:
        filled = BAR_WIDTH * done // max(1, self._total)
        return self._screen.bar(filled, BAR_WIDTH)


class Silence(Progress):
    """Show nothing."""

    def __init__(self) -> None:
        """Need no screen."""

    def begin(self, title: str, total: int) -> None:
        """Do nothing."""

    def show(self, done: int) -> None:
        """Do nothing."""

    def end(self, done: int) -> None:
        """Do nothing."""
