"""Requests and replies, and what their rows say."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent import GreenletExit
from locust.exception import InterruptTaskSet, RescheduleTask, StopUser

from lomond_gevent.locust import WebSocketUser
from tests.locust_user.inside.stage import Stage


def test_a_request_is_one_row_with_the_time_of_its_reply(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/late?ms=30")

    with user.ws.request("say", json={"id": 1, "status": "ok"}, match="id") as reply:
        gevent.sleep(0.2)

    [row] = stage.of("WSC say")
    assert reply.json["status"] == "ok"
    assert row.error is None and row.length == 25
    assert row.time is not None and 30 <= row.time < 200 and row.time == reply.seconds * 1000


def test_times_are_finer_than_a_millisecond(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    for _ in range(5):
        user.ws.call("say", "hi")

    assert all(row.time and row.time != round(row.time) for row in stage.of("WSC say"))


def test_replies_find_their_requests_in_any_order(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")
    users = [
        gevent.spawn(user.ws.call, "say", json={"id": user.ws.next_id(), "n": n}, match="id")
        for n in range(20)
    ]

    replies = [each.get(timeout=5) for each in users]

    assert [reply.json["n"] for reply in replies] == list(range(20))


def test_failure_in_the_block_is_what_the_row_says(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    with user.ws.request("say", "hi") as reply:
        reply.failure("not accepted")

    assert stage.of("WSC say")[0].error == "CatchResponseError('not accepted')"


def test_an_assertion_in_the_block_is_a_failure_and_goes_no_further(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    with user.ws.request("say", "hi") as reply:
        assert reply.text == "ho", "wrong text"

    error = stage.of("WSC say")[0].error
    assert error is not None and "wrong text" in error


def test_a_reply_that_is_no_json_is_a_failure_where_json_is_looked_at(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    with user.ws.request("say", "hi") as reply:
        reply.json["status"]

    assert stage.of("WSC say")[0].error == "the reply is not JSON"


def test_an_error_in_the_block_is_a_failure_and_passes(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    with pytest.raises(KeyError), user.ws.request("say", json={}) as reply:
        reply.json["status"]

    assert stage.of("WSC say")[0].error == "the script raised KeyError"


@pytest.mark.parametrize("flow", [StopUser, RescheduleTask, InterruptTaskSet])
def test_what_locust_goes_by_passes_and_is_no_judgement(
    stage: Stage, flow: type[Exception]
) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    with pytest.raises(flow), user.ws.request("say", "hi"):
        raise flow

    assert stage.of("WSC say")[0].error is None


def test_a_timeout_is_a_failure_and_ends_the_block_where_it_looks(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/silent")
    looked: list[Any] = []

    with user.ws.request("say", json={"id": 1}, match="id", timeout=0.05) as reply:
        looked.append(reply.json)

    [row] = stage.of("WSC say")
    assert not looked and row.error == "no reply in time"
    assert row.length == 0 and row.time is not None and 50 <= row.time < 5000


def test_no_reply_may_be_what_was_wanted(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/silent")

    with user.ws.request("say", "hi", timeout=0.05) as reply:
        reply.success()

    assert stage.of("WSC say")[0].error is None


@pytest.mark.parametrize("match", [None, "id", lambda message: True])
def test_a_late_reply_is_a_row_of_its_own(stage: Stage, match: Any) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/late?ms=150")

    user.ws.call("say", json={"id": 1}, match=match, timeout=0.05)
    stage.wait_for(lambda: stage.of("WSR say (late)"))

    [late] = stage.of("WSR say (late)")
    assert late.error is None and late.time is not None and late.time >= 150
    assert [row.error for row in stage.of("WSC say")] == ["no reply in time"]


def test_a_short_timeout_behind_a_long_one_is_kept(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/silent")
    long = gevent.spawn(user.ws.call, "long", "hi", timeout=0.3)
    gevent.sleep(0)

    user.ws.call("short", "hi", timeout=0.05)
    long.join()

    [short_row], [long_row] = stage.of("WSC short"), stage.of("WSC long")
    assert short_row.time is not None and 50 <= short_row.time < 250
    assert long_row.time is not None and long_row.time >= 300


def test_a_request_in_flight_when_its_user_is_killed_is_no_success(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/silent")
    asking = gevent.spawn(user.ws.call, "say", "hi")
    gevent.sleep(0.05)

    asking.kill()

    [row] = [row for row in stage.rows if row.label.startswith("WSC")]
    assert row.label == "WSC say (interrupted)"
    assert (row.error, row.time) == (None, None)


def test_a_killed_block_is_no_success(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    with pytest.raises(GreenletExit), user.ws.request("say", "hi"):
        raise GreenletExit

    [row] = stage.of("WSC say (interrupted)")
    assert row.time is None and not stage.of("WSC say")


def test_what_is_interrupted_may_be_a_failure(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_fail_interrupted=True)
    user.ws.connect("/silent")
    asking = gevent.spawn(user.ws.call, "say", "hi")
    gevent.sleep(0.05)

    asking.kill()

    assert [row.error for row in stage.of("WSC say")] == ["interrupted"]


def test_the_reply_to_an_interrupted_request_is_late_and_no_push(stage: Stage) -> None:
    seen: list[object] = []
    user = stage.make(WebSocketUser, on_message=lambda self, message: seen.append(message))
    user.ws.connect("/late?ms=100")
    asking = gevent.spawn(user.ws.call, "say", json={"id": 1}, match="id")
    gevent.sleep(0.02)

    asking.kill()
    stage.wait_for(lambda: stage.of("WSR say (late)"))

    assert not seen


def test_a_request_that_the_script_gives_up_keeps_its_place_in_the_order(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/late?ms=100")

    with gevent.Timeout(0.03, False):
        user.ws.call("say", "first")
    second = user.ws.call("say", "second")

    assert second.text == "second" and second.seconds is not None and second.seconds > 0.12
    assert [row.error for row in stage.of("WSC say")] == ["given up by the script", None]
    assert len(stage.of("WSR say (late)")) == 1


@pytest.mark.parametrize("ids", [(1, 1), (1, 2)])
def test_a_request_that_a_later_one_supersedes_fails_and_waits_no_more(
    stage: Stage, ids: tuple[int, int]
) -> None:
    user = stage.make(WebSocketUser, ws_max_pending=1000 if ids == (1, 1) else 1)
    user.ws.connect("/late?ms=50")
    first = gevent.spawn(user.ws.call, "first", json={"id": ids[0]}, match="id")
    gevent.sleep(0)

    second = user.ws.call("second", json={"id": ids[1]}, match="id")

    assert second.ok and not first.get(timeout=5).ok
    assert [row.error for row in stage.of("WSC first")] == ["superseded by a later request"]


def test_that_a_missing_reply_may_have_shifted_the_order_is_said_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/skip?n=1")

    for _ in range(4):
        user.ws.call("say", "hi", timeout=0.05)

    assert [row.error for row in stage.of("WSC say")] == ["no reply in time"] * 4
    assert len(stage.of("WSR say (late)")) == 3
    assert caplog.text.count("off by one") == 1


@pytest.mark.parametrize("path", ["/boom", "/drop"])
def test_a_connection_lost_in_flight_is_a_failure_at_once(stage: Stage, path: str) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect(path)

    reply = user.ws.call("say", "hi", timeout=20)

    assert not reply.ok and stage.of("WSC say")[0].error == "connection lost"


def test_without_a_connection_nothing_is_sent_and_that_is_said(stage: Stage) -> None:
    user = stage.make(WebSocketUser)

    user.ws.call("say", "hi")
    user.ws.send("tell", "hi")

    assert [row.error for row in stage.rows] == ["not connected", "not connected"]


def test_what_a_matching_function_raises_is_raised_in_the_task(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    with pytest.raises(ZeroDivisionError):
        user.ws.call("say", "hi", match=lambda message: 1 / 0)

    assert stage.of("WSC say")[0].error == "the script raised ZeroDivisionError"
    assert user.ws.call("again", "hi").ok


def test_a_request_that_is_not_entered_is_told_of(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    user.ws.request("say", "hi")

    assert "ws.request('say') sent nothing" in caplog.text


@pytest.mark.parametrize("message", [{}, {"data": "a", "text": "b"}, {"text": 5}])
def test_a_message_is_given_in_one_way(stage: Stage, message: dict[str, Any]) -> None:
    user = stage.make(WebSocketUser)

    with pytest.raises(TypeError, match="one of them"):
        user.ws.request("say", **message)


def test_binary_goes_there_and_back(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    assert user.ws.call("say", b"\x00\xff").data == b"\x00\xff"
    assert stage.of("WSC say")[0].length == 2
