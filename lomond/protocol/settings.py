"""The numbers that a connection is run with, checked once, where the caller gives them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

KIB = 1024
MIB = 1024 * KIB
MAX_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds and limits in bytes or frames, for one connection.

    Raises TypeError or ValueError for a value that makes no sense. 0 or None
    switches `ping_rate`, `ping_timeout`, `open_timeout`, `close_timeout` and
    `send_timeout` off.
    """

    poll: float = 5.0
    ping_rate: float | None = 30.0
    ping_timeout: float | None = None
    auto_pong: bool = True
    open_timeout: float | None = 30.0
    close_timeout: float | None = 30.0
    send_timeout: float | None = 30.0
    max_message_size: int = 64 * MIB
    max_fragments: int = 131_072

    def __post_init__(self) -> None:
        _check_seconds("poll", self.poll)
        if not self.poll > 0:
            raise ValueError(f"poll must be more than 0 seconds, not {self.poll!r}")
        for name in ("ping_rate", "ping_timeout", "open_timeout", "close_timeout", "send_timeout"):
            value = getattr(self, name)
            if value is not None:
                _check_seconds(name, value)
        _check_count("max_message_size", self.max_message_size)
        _check_count("max_fragments", self.max_fragments)


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    # Written so that what is no number at all (nan) is refused, too.
    if not 0 <= value < inf:
        raise ValueError(f"{name} must be a number of seconds, 0 or more, not {value!r}")
    if value > MAX_SECONDS:
        raise ValueError(f"{name} must be {MAX_SECONDS:.0e} seconds or less, not {value!r}")


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be 1 or more, not {value!r}")
