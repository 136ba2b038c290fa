"""The first two bytes of an input: options of the target, and how the rest is cut into reads."""

from __future__ import annotations

__all__ = ["cut", "take_options"]

# A long input in reads of one byte would take the time of a hundred others.
MAX_READS = 100


def take_options(data: bytes) -> tuple[int, int, bytes]:
    """Return the byte of options, the size of a read, and what the server sends."""
    options, size = data[:2].ljust(2, b"\x00")
    stream = data[2:]
    return options, max(size + 1, len(stream) // MAX_READS + 1), stream


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut into reads of this size, at least one of them."""
    return [data[start : start + size] for start in range(0, len(data) or 1, size)]
