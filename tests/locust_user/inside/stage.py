"""A Locust without a command line: users of a class, and the rows that they fire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import gevent
import pytest
from locust.env import Environment
from locust.event import Events

from lomond_gevent.locust import WebSocketUser
from tests.locust_user.server import Server

PATIENCE = 10.0
"""How long, in seconds, may take what happens at once."""

User = TypeVar("User", bound=WebSocketUser)


class Row(NamedTuple):
    """One row, as a listener gets it."""

    label: str
    time: float | None
    length: int
    error: str | None
    context: dict[str, Any]


class Stage:
    """An environment with a local runner, at a server."""

    def __init__(self, host: str) -> None:
        self.rows: list[Row] = []
        self.errors: list[BaseException] = []
        self._host = host
        self._users: list[WebSocketUser] = []
        self.environment = Environment(events=Events(), host=host, catch_exceptions=True)
        self._runner = self.environment.create_local_runner()
        events: Any = self.environment.events
        events.request.add_listener(self._note)
        events.user_error.add_listener(self._note_error)

    def _note(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int,
        response: object,
        context: dict[str, Any],
        exception: BaseException | None,
        start_time: float,
        url: str | None,
    ) -> None:
        error = None if exception is None else repr(exception)
        label = f"{request_type} {name}"
        self.rows.append(Row(label, response_time, response_length, error, context))

    def _note_error(self, user_instance: object, exception: BaseException, tb: object) -> None:
        self.errors.append(exception)

    def make(self, user_class: type[User], **attributes: Any) -> User:
        """Make a user that nobody runs: the test does what its tasks would."""
        kind: Any = type(user_class.__name__, (user_class,), {"host": self._host, **attributes})
        user: User = kind(self.environment)
        self._users.append(user)
        return user

    def run(self, user_class: type[WebSocketUser], **attributes: Any) -> Any:
        """Start one user of a class as a test run does; return the runner."""
        kind = type(user_class.__name__, (user_class,), {"host": self._host, **attributes})
        self.environment.user_classes = [kind]
        self._runner.start(1, spawn_rate=100, wait=True)
        return self._runner

    def labels(self) -> list[str]:
        """Return the type and name of each row."""
        return [row.label for row in self.rows]

    def of(self, label: str) -> list[Row]:
        """Return the rows of a type and name."""
        return [row for row in self.rows if row.label == label]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        with gevent.Timeout(PATIENCE, AssertionError(f"it is not; rows: {self.rows}")):
            while not condition():
                gevent.sleep(0.005)

    def end(self) -> None:
        """End all users."""
        if self.environment.runner is not None:
            self.environment.runner.quit()
        for user in self._users:
            user.ws.close()


@pytest.fixture
def stage(server: Server) -> Iterator[Stage]:
    """A stage at the server, on which nobody is left afterwards."""
    stage = Stage(server.host)
    yield stage
    stage.end()
