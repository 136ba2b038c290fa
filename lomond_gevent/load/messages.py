"""What is sent: messages of a given size, of which an answer can be told to be the right one.

In the closed model making a message for each send would be a good part of what a round trip
costs. So a process has a pool of a few hundred, made before the load begins, that all of its
clients go round, each from a place of its own: a message is unlike those around it, and unlike
what most other clients send at that time. An answer that is another client's, or of another
time, is found out with all but certainty.

In the open model a client may have any number of messages under way, so each is made anew, and
differs from all others in its first bytes. A message has room for as many numbers as it has
digits, eight at most: of 1 byte, every tenth is the same, and those of none all are. What is
under way beyond that is taken for each other.
"""

from __future__ import annotations

from itertools import count
from typing import Any

# The number of a message, in digits at its beginning; where `size` is smaller, the end of that.
_NUMBER = "%08d "
_NUMBERS = 10**8
MARK = slice(0, 9)
"""The part of a message that tells it from others."""
# How many messages there are in the pool, of short ones, and how many bytes they may take together.
MOST_MESSAGES = 256
MOST_BYTES = 8 << 20
LEAST_MESSAGES = 4
# Neighbours begin far from each other.
_STRIDE = 37


class Messages:
    """The messages of a plan, for all clients of a process."""

    __slots__ = ("_format", "_numbers", "_pool", "_size", "after", "tail")

    def __init__(self, size: int, is_binary: bool) -> None:
        tail = make_filler(size)[: max(0, size - len(_NUMBER % 0))]
        self._size = size
        self._format: Any = _NUMBER.encode() if is_binary else _NUMBER
        self._numbers = count()
        self.tail: Any = tail.encode() if is_binary else tail
        """What all messages have behind their mark."""
        pool_size = max(LEAST_MESSAGES, min(MOST_MESSAGES, MOST_BYTES // max(1, size)))
        self._pool = [self._number(number) for number in range(pool_size)]
        self.after: dict[str | bytes, str | bytes] = dict(
            zip(self._pool, self._pool[1:] + self._pool[:1], strict=True)
        )
        """Which message of the pool follows on each."""

    def first(self, client: int) -> str | bytes:
        """Return the message of the pool that a client begins with."""
        return self._pool[client * _STRIDE % len(self._pool)]

    def make(self) -> str | bytes:
        """Return a message that none before it equals, as far as its size allows."""
        return self._number(next(self._numbers))

    def _number(self, number: int) -> str | bytes:
        mark = self._format % (number % _NUMBERS)
        text: str | bytes = mark + self.tail
        return text if self._size >= len(mark) else mark[-1 - self._size : -1]


def make_filler(size: int) -> str:
    """Return ASCII text of a size: "abc…", not all the same, for compression."""
    alphabet = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789."
    return (alphabet * (size // len(alphabet) + 1))[:size] if size > 0 else ""
