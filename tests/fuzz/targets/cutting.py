"""The first two bytes of an input: options of the target, and how the rest is cut into reads."""

from __future__ import annotations

__all__ = ["cut", "take_options"]


def take_options(data: bytes) -> tuple[int, int, bytes]:
    """Return the byte of options, the size of a read from 1 to 256, and what the server sends."""
    options, size = data[:2].ljust(2, b"\x00")
    return options, size + 1, data[2:]


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut into reads of this size, at least one of them."""
    return [data[start : start + size] for start in range(0, len(data) or 1, size)]
