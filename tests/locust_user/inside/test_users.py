"""The life of a user that Locust runs: its beginning, and its end however it comes."""

from __future__ import annotations

from time import perf_counter, process_time
from typing import Any

import gevent
import pytest
from locust import constant, task
from locust.exception import StopTest, StopUser

from lomond_gevent.locust import BackOff, WebSocketUser
from lomond_gevent.locust.connections import gauge_of
from tests.locust_user.inside.stage import Stage


class Base(WebSocketUser):
    abstract = True
    wait_time = constant(0.01)
    path = "/silent"

    def on_start(self) -> None:
        self.ws.connect(self.path)

    def on_stop(self) -> None:
        # Who forgets to call the base's is ended all the same.
        pass


class Asks(Base):
    @task
    def ask(self) -> None:
        self.ws.call("say", "hi", timeout=0.5)


class Iterates(Base):
    @task
    def iterate(self) -> None:
        for _ in self.ws.events():
            pass


class Expects(Base):
    @task
    def expect(self) -> None:
        self.ws.expect("news", timeout=60)


class Returns(Base):
    path = "/reject"
    ws_reconnect = BackOff(30, 60)

    @task
    def ask(self) -> None:
        self.ws.send("say", "hi")


class Floods(Base):
    path = "/push?n=100000"

    @task
    def iterate(self) -> None:
        for _ in self.ws.events():
            pass


def cpu_of(seconds: float) -> float:
    """Return how much of a processor is used, from now on for so long."""
    began = process_time()
    gevent.sleep(seconds)
    return (process_time() - began) / seconds


def test_a_host_that_cannot_be_used_ends_the_user_and_fails_the_run(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.environment.host = "localhost:80"

    runner = stage.run(Asks)
    stage.wait_for(lambda: stage.errors and runner.user_count == 0)

    assert [type(error) for error in stage.errors] == [StopTest] and runner.exceptions
    assert caplog.text.count("the host 'localhost:80' does not begin with") == 1
    assert "Traceback" not in caplog.text


def test_a_reply_that_on_start_misses_ends_it_and_the_tasks_begin(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    class LogsIn(Asks):
        def on_start(self) -> None:
            super().on_start()
            raise AssertionError(self.ws.call("login", "hi", timeout=0.05).text)

    stage.run(LogsIn)
    stage.wait_for(lambda: stage.of("WSC say"))

    assert not stage.errors and "Traceback" not in caplog.text
    assert caplog.text.count("on_start of LogsIn looked at a reply that never came") == 1


@pytest.mark.parametrize("stop_timeout", [None, 10])
@pytest.mark.parametrize("kind", [Asks, Iterates, Expects, Returns, Floods])
def test_a_stop_ends_all_soon_and_leaves_the_processor_idle(
    stage: Stage, kind: type[WebSocketUser], stop_timeout: float | None
) -> None:
    runner = stage.run(kind)
    stage.environment.stop_timeout = stop_timeout or 0.0
    gevent.sleep(0.1)
    began = perf_counter()

    runner.stop()

    assert perf_counter() - began < 3
    assert runner.user_count == 0 and gauge_of(stage.environment).open == 0
    assert cpu_of(0.2) < 0.3


def test_what_is_in_flight_may_finish_where_a_stop_has_time(stage: Stage) -> None:
    class Finishes(Base):
        path = "/late?ms=300"

        @task
        def ask(self) -> None:
            self.ws.call("say", "hi", timeout=5)

    runner = stage.run(Finishes)
    stage.environment.stop_timeout = 10
    stage.wait_for(lambda: stage.of("WS connect"))
    gevent.sleep(0.1)

    runner.stop()

    assert [row.error for row in stage.of("WSC say")] == [None]


def test_a_stop_without_time_leaves_no_success_of_what_was_in_flight(stage: Stage) -> None:
    runner = stage.run(Asks)
    stage.wait_for(lambda: stage.of("WS connect"))
    gevent.sleep(0.1)

    runner.stop()

    assert not stage.of("WSC say") and len(stage.of("WSC say (interrupted)")) == 1


def test_the_end_of_a_user_is_a_close_with_1001(stage: Stage) -> None:
    codes: list[int] = []
    runner = stage.run(Iterates, path="/echo")
    stage.wait_for(lambda: stage.of("WS connect"))

    runner.stop()

    codes = [row.context["code"] for row in stage.of("WS close")]
    assert codes == [1001]


def test_a_user_that_fails_in_on_start_leaves_no_connection(stage: Stage) -> None:
    class Fails(Base):
        def on_start(self) -> None:
            super().on_start()
            raise RuntimeError("sorry")

        @task
        def nothing(self) -> None:
            pass

    runner = stage.run(Fails)

    stage.wait_for(lambda: runner.user_count == 0)
    assert gauge_of(stage.environment).open == 0


def test_a_listener_that_stops_the_user_at_its_connect_leaves_no_connection(stage: Stage) -> None:
    def stop(**_row: object) -> None:
        raise StopUser

    events: Any = stage.environment.events
    events.request.add_listener(stop)
    user = stage.make(WebSocketUser)

    with pytest.raises(StopUser):
        user.ws.connect("/echo")
    user.ws.close()

    assert gauge_of(stage.environment).open == 0 and not user.ws.is_connected
