"""What is measured, with whom, and what is to be reached. Nothing is run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]

OURS, BY_HAND, ALONE = "with_package", "by_hand", "alone"


@dataclass(frozen=True)
class Work:
    """What users do: so many of them, each with so many messages, until a row has counted all.

    `until_row` is (type, name); without one each user tells when it is done.
    """

    title: str
    user_class: str
    users: int
    messages: int
    path: str = "/echo"
    until_row: tuple[str, str] | None = None

    def to_setting(self, cpu: int | None) -> dict[str, Any]:
        """Return what a locustfile is told."""
        return {
            "users": self.users,
            "messages": self.messages,
            "path": self.path.format(messages=self.messages),
            "until_row": self.until_row,
            "cpu": cpu,
        }

    def cost_of(self, result: Result) -> float:
        """Return the CPU time for each message, in microseconds."""
        return float(result["cpu"]) / (self.users * self.messages) * 1e6


PUSHED = ("WSR", "message")
REQUEST = Work("request and reply", "Sayer", 50, 400)
PUSH = Work("push to all users at once", "Listener", 100, 200, "/push/50/{messages}", PUSHED)
FLOOD = Work("push, in a flood", "Listener", 20, 5_000, "/flood/{messages}", PUSHED)

PAIRS = (REQUEST, PUSH, FLOOD)
"""Done by both locustfiles."""

FLOORS = (
    Work("a task that does nothing", "Empty", 50, 1_000),
    Work("the same, firing a row with a time", "Firing", 50, 1_000),
    Work("the same, firing a row without a time", "FiringUntimed", 50, 1_000),
)
"""Done by Locust alone."""

FEW, MANY = 100, 2_100
"""What one more user takes is what so many take more than so few, divided by their difference."""

LIMITS = {REQUEST.title: 1 / 1.6, PUSH.title: 1 / 3, FLOOD.title: 1 / 3}
"""The most that ours may cost, by the cost of the one by hand."""


def make_crowd(user_class: str, users: int) -> Work:
    """Return a work of which only the beginning is of interest: users that connect and rest."""
    return Work("", user_class, users, 1)


CROWDS: tuple[tuple[str, str, str], ...] = (
    ("this project", OURS, "Sayer"),
    ("by hand", BY_HAND, "Sayer"),
    ("Locust alone", ALONE, "Idle"),
)
"""Title, locustfile, class of the users."""


def grow(few: Result, many: Result, figure: str) -> float:
    """Return how much of a figure each further user takes."""
    return (float(many[figure]) - float(few[figure])) / (MANY - FEW)


CROWD_FIGURES: tuple[tuple[str, str, Callable[[float], float]], ...] = (
    ("CPU to start and connect a user, in µs", "connecting", lambda seconds: seconds * 1e6),
    ("memory of a user, in KiB", "resident", lambda size: size / 1024),
)
"""Title, key of the result, and its unit."""
