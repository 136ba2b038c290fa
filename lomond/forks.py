"""Which side of a fork this is: a socket belongs to the process that opened it."""

from __future__ import annotations

import os


class _Process:
    """Count the forks between the import and this process."""

    __slots__ = ("generation",)

    def __init__(self) -> None:
        self.generation = 0

    def enter_child(self) -> None:
        self.generation += 1


PROCESS = _Process()

# Windows cannot fork.
if hasattr(os, "register_at_fork"):  # pragma: no branch
    os.register_at_fork(after_in_child=PROCESS.enter_child)
