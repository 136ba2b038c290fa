"""Messages that nobody has asked for."""

from __future__ import annotations

from time import perf_counter, time
from typing import Any

import gevent
import pytest
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from lomond.events import Text
from lomond_gevent.locust import WebSocketUser
from lomond_gevent.locust.pushes import pushes_of
from tests.locust_user.inside.stage import Stage


def entry_of(stage: Stage, name: str = "message") -> Any:
    return stage.environment.stats.entries[name, "WSR"]


def test_counted_pushes_are_in_the_statistics_within_two_seconds(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/push?n=500")

    stage.wait_for(lambda: entry_of(stage).num_requests == 500)

    entry, total = entry_of(stage), stage.environment.stats.total
    assert entry.num_none_requests == 500 and entry.total_content_length == 2000
    assert total.num_none_requests == 500
    assert total.total_content_length == 2000 + stage.of("WS connect")[0].length
    assert sum(entry.num_reqs_per_sec.values()) == 500
    assert entry.median_response_time == 0 and not entry.response_times
    assert not stage.of("WSR message")


def test_what_is_counted_is_told_at_the_end_of_the_test(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/push?n=5")
    user.ws.call("say", "hi", match=lambda message: message.text == "hi")
    events: Any = stage.environment.events

    events.test_stop.fire(environment=stage.environment)

    assert entry_of(stage).num_requests == 5


def test_counts_of_a_name_are_one_for_all_users(stage: Stage) -> None:
    for _ in range(3):
        stage.make(WebSocketUser).ws.connect("/push?n=10", name="feed")

    stage.wait_for(lambda: entry_of(stage, "feed").num_requests == 30)


def test_a_reset_of_the_statistics_forgets_what_was_counted_before(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    stage.environment.reset_stats = True
    user.ws.connect("/push?n=5")
    user.ws.call("say", "hi", match=lambda message: message.text == "hi")
    events: Any = stage.environment.events

    events.spawning_complete.fire(user_count=1)
    pushes_of(stage.environment).flush()

    assert entry_of(stage).num_requests == 0


def test_each_push_is_a_row_where_that_is_asked_for_and_its_time_is_none(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_each_push=True)
    user.ws.connect("/push?n=3")

    stage.wait_for(lambda: len(stage.of("WSR message")) == 3)

    assert {(row.time, row.length) for row in stage.of("WSR message")} == {(None, 4)}


def test_a_push_that_tells_when_it_was_sent_has_a_time(stage: Stage) -> None:
    user = stage.make(WebSocketUser, sent_at=lambda self, message: message.received_time - 0.25)
    user.ws.connect("/push?n=1")

    stage.wait_for(lambda: stage.of("WSR message"))

    assert stage.of("WSR message")[0].time == pytest.approx(250, abs=0.01)


@pytest.mark.parametrize("sent_at", [None, time() + 1e6])
def test_a_time_that_cannot_be_is_none_and_never_0(stage: Stage, sent_at: float | None) -> None:
    user = stage.make(WebSocketUser, sent_at=lambda self, message: sent_at)
    user.ws.connect("/push?n=1")

    stage.wait_for(lambda: stage.of("WSR message"))

    assert stage.of("WSR message")[0].time is None


def test_a_time_in_milliseconds_is_none_and_that_is_said_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    user = stage.make(WebSocketUser, sent_at=lambda self, message: time() * 1000)
    user.ws.connect("/push?n=3")

    stage.wait_for(lambda: len(stage.of("WSR message")) == 3)

    assert {row.time for row in stage.of("WSR message")} == {None}
    assert caplog.text.count("(not milliseconds)") == 1


@pytest.mark.parametrize("function", ["sent_at", "push_name"])
def test_a_push_of_which_a_function_raises_is_counted_and_handed_on(
    stage: Stage, function: str
) -> None:
    seen: list[object] = []
    functions: Any = {function: lambda self, message: 1 / 0}
    user = stage.make(
        WebSocketUser, on_message=lambda self, message: seen.append(message), **functions
    )
    user.ws.connect("/push?n=2")

    stage.wait_for(lambda: len(seen) == 2)

    assert [row.time for row in stage.of("WSR message")] == [None, None]
    assert [type(error) for error in stage.errors] == [ZeroDivisionError] * 2


def test_an_expected_message_of_which_a_function_raises_is_a_row(stage: Stage) -> None:
    user = stage.make(WebSocketUser, sent_at=lambda self, message: 1 / 0)
    user.ws.connect("/greet")

    assert user.ws.expect("first", timeout=5).text == "one"

    assert [row.time for row in stage.of("WSR first")] == [None]


def test_without_a_runner_each_push_is_a_row(stage: Stage) -> None:
    stage.environment.runner = None
    user = stage.make(WebSocketUser)
    user.ws.connect("/push?n=2")

    stage.wait_for(lambda: len(stage.of("WSR message")) == 2)


def test_a_function_may_name_pushes(stage: Stage) -> None:
    user = stage.make(WebSocketUser, push_name=lambda self, message: "tick")
    user.ws.connect("/push?n=1", name="feed")

    stage.wait_for(lambda: stage.of("WSR tick"))


def test_what_nobody_waits_for_goes_to_on_message(stage: Stage) -> None:
    seen: list[str] = []
    user = stage.make(WebSocketUser, on_message=lambda self, message: seen.append(message.text))
    user.ws.connect("/push?n=2")

    user.ws.call("say", "hi", match=lambda message: message.text == "hi")

    assert seen == ["push", "push"]


def test_on_message_is_not_called_behind_our_goodbye(stage: Stage) -> None:
    seen: list[str] = []

    def say_goodbye(user: WebSocketUser, message: Text) -> None:
        seen.append(message.text)
        user.ws.close()

    user = stage.make(WebSocketUser, on_message=say_goodbye)
    user.ws.connect("/push?n=3")
    stage.wait_for(lambda: not user.ws.is_connected)
    stage.wait_for(lambda: stage.of("WS close"))

    assert seen == ["push"]


def test_an_error_in_on_message_is_counted_and_reading_goes_on(stage: Stage) -> None:
    user = stage.make(WebSocketUser, on_message=lambda self, message: 1 / 0)
    user.ws.connect("/push?n=2")

    reply = user.ws.call("say", "hi", match=lambda message: message.text == "hi")

    assert reply.ok and [type(error) for error in stage.errors] == [ZeroDivisionError] * 2


def test_a_request_in_on_message_is_refused_as_it_could_never_end(stage: Stage) -> None:
    user = stage.make(WebSocketUser, on_message=lambda self, message: self.ws.call("x", "hi"))
    user.ws.connect("/push?n=1")

    stage.wait_for(lambda: stage.errors)

    assert "cannot be waited for in on_message" in str(stage.errors[0])


def test_what_the_server_says_first_is_there_to_be_expected(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/greet")

    first = user.ws.expect("first", timeout=5)
    second = user.ws.expect("second", lambda message: message.text == "two", timeout=5)

    assert (first.text, second.text) == ("one", "two")
    assert [row.time for row in stage.rows if row.label.startswith("WSR")] == [None, None]


def test_two_messages_of_one_read_are_there_for_a_request_and_what_follows(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/greet")
    user.ws.expect("first", lambda message: message.text == "two", timeout=5)

    for _ in range(20):
        assert user.ws.call("say", "hi", timeout=5).text == "hi"
        assert user.ws.expect("next", timeout=5).text == "two"


def test_what_does_not_come_is_a_failure(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/silent")

    reply = user.ws.expect("news", timeout=0.05)

    assert not reply.ok
    assert [(row.error, row.time) for row in stage.of("WSR news")] == [("no reply in time", None)]


def test_events_are_iterated_over_until_none_comes_in_time(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/push?n=3")

    messages = [message.text for message in user.ws.events(timeout=0.2)]

    assert messages == ["push"] * 3


def test_events_end_with_the_connection(stage: Stage) -> None:
    from lomond_gevent.locust import NoReconnect

    user = stage.make(WebSocketUser, ws_reconnect=NoReconnect())
    user.ws.connect("/boom")
    user.ws.send("tell", "hi")

    assert list(user.ws.events()) == []


@pytest.mark.parametrize("is_stopping", [False, True])
def test_events_that_cannot_come_do_not_burn_the_processor(stage: Stage, is_stopping: bool) -> None:
    user = stage.make(WebSocketUser)
    if is_stopping:
        user.ws.connect("/silent")
        user._state = LOCUST_STATE_STOPPING
    began = perf_counter()

    for _ in range(3):
        assert list(user.ws.events()) == []

    assert perf_counter() - began > 0.2


@pytest.mark.parametrize("waits", ["events", "expect"])
def test_waiting_for_what_need_not_come_ends_when_the_user_is_to_stop(
    stage: Stage, waits: str
) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/silent")

    def wait() -> str:
        try:
            return "events" if list(user.ws.events()) == [] else ""
        except StopUser:
            return "expect"

    def expect() -> str:
        try:
            user.ws.expect("news", timeout=60)
        except StopUser:
            return "expect"
        return ""

    waiting = gevent.spawn(wait if waits == "events" else expect)
    gevent.sleep(0.05)
    user._state = LOCUST_STATE_STOPPING
    user.ws.traffic.note_stop()

    assert waiting.get(timeout=5) == waits
    assert not stage.of("WSR news")
