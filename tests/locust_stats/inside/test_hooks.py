"""What is hooked into Locust begins, resets and ends with Locust's own statistics."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from locust import User, events
from locust.env import Environment

from lomond_gevent.locust import hooks
from lomond_gevent.locust.connections import gauge_of
from lomond_gevent.locust.histograms import rows_of


@pytest.fixture
def environment() -> Iterator[Environment]:
    environment = Environment()
    runner = environment.create_local_runner()
    hooks.watch(environment)
    yield environment
    runner.quit()


def fire(environment: Environment, name: str = "say") -> None:
    environment.events.request.fire(
        request_type="WSC", name=name, response_time=0.5, response_length=1, exception=None
    )


def counts(environment: Environment) -> dict[str, int]:
    return {name: histogram.count for _, name, histogram in rows_of(environment)}


def test_rows_are_measured_from_the_request_event(environment: Environment) -> None:
    fire(environment)

    assert counts(environment) == {"say": 1}


def test_watching_twice_is_watching_once(environment: Environment) -> None:
    hooks.watch(environment)

    fire(environment)

    assert counts(environment) == {"say": 1}


def test_a_new_test_begins_with_nothing(environment: Environment) -> None:
    fire(environment)

    environment.events.test_start.fire(environment=environment)

    assert counts(environment) == {}


def test_the_reset_button_resets(environment: Environment) -> None:
    fire(environment)
    gauge_of(environment).count_opened()

    environment.events.reset_stats.fire()

    assert counts(environment) == {}
    assert (gauge_of(environment).opened, gauge_of(environment).open) == (0, 1)


def test_spawning_resets_only_where_locust_does(environment: Environment) -> None:
    fire(environment)
    environment.events.spawning_complete.fire(user_count=1)
    assert counts(environment) == {"say": 1}

    environment.reset_stats = True
    environment.events.spawning_complete.fire(user_count=1)

    assert counts(environment) == {}


def test_results_follow_locusts_tables(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    fire(environment)

    with caplog.at_level(logging.INFO, "locust.stats_logger"):
        environment.events.quit.fire(exit_code=0)

    assert "500 µs" in caplog.text


def test_results_as_json_are_not_followed_by_a_table(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    environment.parsed_options = Namespace(json=True)
    fire(environment)

    with caplog.at_level(logging.INFO, "locust.stats_logger"):
        environment.events.quit.fire(exit_code=0)

    assert caplog.text == ""


def test_the_csv_is_beside_locusts_own(environment: Environment, tmp_path: Path) -> None:
    environment.parsed_options = Namespace(csv_prefix=str(tmp_path / "run"))
    fire(environment)

    environment.events.quit.fire(exit_code=0)

    assert "WSC,say,1,0.500" in (tmp_path / "run_websocket.csv").read_text()


def test_options_that_contradict_each_other_end_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = Namespace(stop_timeout=0, ws_insecure=True, ws_ca="ca.pem")

    with pytest.raises(SystemExit):
        hooks.watch(Environment(parsed_options=options))

    assert "--ws-insecure" in caplog.text


def handlers() -> list[Any]:
    return [*events.init._handlers, *events.init_command_line_parser._handlers]


def test_installing_twice_is_installing_once() -> None:
    class Ours(User):
        pass

    hooks.install(Ours)
    before = handlers()

    hooks.install(Ours)

    assert handlers() == before


def test_a_run_without_our_users_is_left_alone() -> None:
    class Ours(User):
        pass

    class Other(User):
        pass

    hooks.install(Ours)
    environment = Environment(user_classes=[Other], events=events)
    before = len(events.request._handlers)

    events.init.fire(environment=environment, runner=None, web_ui=None)

    assert len(events.request._handlers) == before
