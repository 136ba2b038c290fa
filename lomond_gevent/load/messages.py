"""What is sent: messages of a given size, made before the load begins.

Making a message for each send would be a good part of what a round trip costs. So a process has
a pool of a few hundred that all of its clients go round, each from a place of its own: a message
is unlike those around it, and unlike what most other clients send at that time. An answer that
is another client's, or of another time, is found out with all but certainty.
"""

from __future__ import annotations

# The number of a message, in digits at its beginning; where `size` is smaller, the end of that.
_NUMBER = "%08d "
# How many messages there are, of short ones, and how many bytes they may take together.
MOST_MESSAGES = 256
MOST_BYTES = 8 << 20
LEAST_MESSAGES = 4
# Neighbours begin far from each other.
_STRIDE = 37


class Messages:
    """The messages of a plan; one pool for all clients of a process."""

    __slots__ = ("_pool", "after")

    def __init__(self, size: int, is_binary: bool) -> None:
        count = max(LEAST_MESSAGES, min(MOST_MESSAGES, MOST_BYTES // max(1, size)))
        filler = make_filler(size)
        self._pool: list[str | bytes] = []
        for number in range(count):
            head = _NUMBER % number
            text = (head + filler)[:size] if size >= len(head) else head[-1 - size : -1]
            self._pool.append(text.encode() if is_binary else text)
        self.after: dict[str | bytes, str | bytes] = dict(
            zip(self._pool, self._pool[1:] + self._pool[:1], strict=True)
        )
        """Which message follows on each."""

    def first(self, client: int) -> str | bytes:
        """Return the message that a client begins with."""
        return self._pool[client * _STRIDE % len(self._pool)]


def make_filler(size: int) -> str:
    """Return ASCII text of a size: "abc…", not all the same, for compression."""
    alphabet = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789."
    return (alphabet * (size // len(alphabet) + 1))[:size] if size > 0 else ""
