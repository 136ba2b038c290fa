"""Users that have no WebSocket: what Locust costs by itself."""

from __future__ import annotations

from locust import User, task
from measuring import MESSAGES, course


class Idle(User):
    """Is there."""

    def on_start(self) -> None:
        """Begin with the others."""
        course.arrive()

    @task
    def rest(self) -> None:
        """Do nothing."""
        course.leave()


class Empty(User):
    """Has a task that does nothing."""

    def on_start(self) -> None:
        """Begin with the others."""
        self.done = 0
        course.arrive()

    @task
    def count(self) -> None:
        """Do nothing, so many times."""
        self.done += 1
        if self.done == MESSAGES:
            course.leave()


class Firing(User):
    """Has a task that fires a row with a time."""

    response_time: float | None = 1.25

    def on_start(self) -> None:
        """Begin with the others."""
        self.done = 0
        course.arrive()

    @task
    def fire(self) -> None:
        """Fire a row."""
        self.environment.events.request.fire(
            request_type="WSC",
            name="say",
            response_time=self.response_time,
            response_length=64,
            exception=None,
            context=self.context(),
        )
        self.done += 1
        if self.done == MESSAGES:
            course.leave()


class FiringUntimed(Firing):
    """The same without a time, as for what is received unasked."""

    response_time = None
