"""Which part of a plan a process carries out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True)
class Share:
    """That of process number `index` of `count` processes."""

    index: int = 0
    count: int = 1

    @property
    def offset(self) -> float:
        """Return where in each round of all processes the turn of this one is, as a share of 1."""
        return (self.index + 0.5) / self.count

    def of(self, clients: int) -> int:
        """Return how many of so many clients are this process's."""
        return clients // self.count + (self.index < clients % self.count)

    def numbers(self) -> Iterator[int]:
        """Yield numbers that no other process has, without end."""
        return count(self.index, self.count)
