"""Connecting, losing, coming back, and closing."""

from __future__ import annotations

import socket
from time import perf_counter
from typing import Any

import gevent
import pytest
from locust import FastHttpUser, HttpUser, constant, task
from locust.exception import StopTest, StopUser

from lomond_gevent.locust import BackOff, NoReconnect, StopUserOnLoss, WebSocketUser
from lomond_gevent.locust.connections import gauge_of
from lomond_gevent.locust.target import join_url
from tests.locust_user.inside.stage import Stage


@pytest.fixture
def closed_port() -> int:
    """A port that refuses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("host", "path", "url"),
    [
        ("http://a.example", "/x?y=1", "ws://a.example/x?y=1"),
        ("https://a.example/", "x", "wss://a.example/x"),
        ("wss://a.example:8/base", "/x", "wss://a.example:8/base/x"),
        (None, "HTTPS://b.example/x", "wss://b.example/x"),
    ],
)
def test_the_hosts_scheme_becomes_a_websockets(host: str | None, path: str, url: str) -> None:
    assert join_url(host, path) == url


@pytest.mark.parametrize(
    ("host", "text"), [(None, "--host"), ("localhost:80", "does not begin"), ("", "does not")]
)
def test_without_a_usable_host_the_test_stops(host: str | None, text: str) -> None:
    with pytest.raises(StopTest, match=text):
        join_url(host, "/x")


def test_another_kind_of_url_is_refused() -> None:
    with pytest.raises(ValueError, match="the URL 'ftp://a/' does not begin with ws://"):
        join_url("ws://a", "ftp://a/")


def test_connecting_is_a_row_with_its_phases(stage: Stage) -> None:
    user = stage.make(WebSocketUser)

    assert user.ws.connect("/echo?token=secret")

    [row] = stage.rows
    assert row.label == "WS connect" and row.error is None and row.time is not None
    assert {"tcp", "upgrade"} <= set(row.context["phases"])
    assert sum(row.context["phases"].values()) == pytest.approx(row.time, rel=0.2)


def test_a_callers_name_is_in_all_rows_of_a_connection(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo", name="lobby")
    user.ws.close()

    assert stage.labels() == ["WS connect lobby", "WS close lobby"]


def test_a_refused_connection_is_a_failure_and_raises_nothing(
    stage: Stage, closed_port: int
) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=NoReconnect())

    assert not user.ws.connect(f"ws://127.0.0.1:{closed_port}/")

    assert [row.error for row in stage.rows] == ["cannot connect: refused"]


def test_a_rejected_upgrade_is_a_failure(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=NoReconnect())

    assert not user.ws.connect("/reject")

    assert [row.error for row in stage.rows] == ["rejected with 401"]


@pytest.mark.parametrize("reason", ["boom", "boom 4711"])
def test_an_abnormal_close_is_a_failure_whose_text_is_constant(stage: Stage, reason: str) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=NoReconnect())
    user.ws.connect(f"/boom?code=1011&reason={reason.replace(' ', '+')}")
    user.ws.send("tell", "hi")

    stage.wait_for(lambda: stage.of("WS close"))

    [row] = stage.of("WS close")
    assert row.error == "closed by the server with 1011" and row.time is None
    assert row.context["reason"] == reason


def test_a_normal_close_by_the_server_is_no_failure(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=NoReconnect())
    user.ws.connect("/boom?code=1000")
    user.ws.send("tell", "hi")

    stage.wait_for(lambda: stage.of("WS close"))

    assert stage.of("WS close")[0].error is None


def test_a_dropped_connection_is_a_failure(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=NoReconnect())
    user.ws.connect("/drop")
    user.ws.send("tell", "hi")

    stage.wait_for(lambda: stage.of("WS close"))

    assert stage.of("WS close")[0].error in ("lost: reset", "lost: eof")


def test_closing_is_a_row_with_the_time_of_the_handshake(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    user.ws.connect("/echo")

    user.ws.close()

    [row] = stage.of("WS close")
    assert row.error is None and row.time is not None and row.time > 0


def test_a_server_that_does_not_answer_a_close_is_not_waited_for(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_close_timeout=0.1)
    user.ws.connect("/deaf")
    began = perf_counter()

    user.ws.close()

    assert perf_counter() - began < 2
    assert [row.error for row in stage.of("WS close")] == ["lost: close_timeout"]


def test_a_close_that_is_cut_short_is_a_row(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_close_timeout=5)
    user.ws.connect("/deaf")
    closing = gevent.spawn(user.ws.close)
    gevent.sleep(0.05)

    closing.kill()
    stage.wait_for(lambda: gauge_of(stage.environment).open == 0)

    [row] = stage.of("WS close (interrupted)")
    assert (row.error, row.time) == (None, None)


def test_an_interrupt_of_the_reader_is_the_main_greenlets(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_user: object, _message: object) -> None:
        raise KeyboardInterrupt

    user = stage.make(WebSocketUser, on_message=interrupt)

    with pytest.raises(KeyboardInterrupt):
        user.ws.connect("/push?n=1")
        gevent.sleep(10)

    assert len(stage.of("WS close (interrupted)")) == 1
    assert "Traceback" not in capfd.readouterr().err


def test_pings_are_rows_with_their_round_trip(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_ping=0.05)
    user.ws.connect("/echo")

    stage.wait_for(lambda: len(stage.of("WS ping")) >= 3)

    assert all(row.time and row.error is None for row in stage.of("WS ping"))


def test_a_lost_connection_comes_back_and_waiting_requests_go_on(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=BackOff(0.01, 0.05))
    user.ws.connect("/boom")
    user.ws.call("lost", "hi")

    assert user.ws.send("tell", "hi")

    assert len(stage.of("WS connect")) == 2


def test_after_the_servers_close_frame_requests_wait_for_the_next_connection(
    stage: Stage,
) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=BackOff(0.01, 0.05), ws_close_timeout=0.2)
    user.ws.connect("/linger")
    user.ws.call("lost", "hi", timeout=20)

    # TCP is still there.
    assert gauge_of(stage.environment).open == 1 and not user.ws.is_connected
    assert user.ws.send("tell", "hi")
    assert [row.error for row in stage.of("WSC lost")] == ["connection lost"]
    assert len(stage.of("WS connect")) == 2


def test_a_lost_connection_may_end_the_user(stage: Stage) -> None:
    class Leaving(WebSocketUser):
        ws_reconnect = StopUserOnLoss()
        wait_time = constant(60)

        def on_start(self) -> None:
            self.ws.connect("/boom")
            self.ws.send("tell", "hi")

        @task
        def nothing(self) -> None:
            pass

    runner = stage.run(Leaving)
    stage.wait_for(lambda: runner.user_count == 0)

    assert not stage.errors


def test_why_a_connection_failed_is_said_once(
    stage: Stage, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        user = stage.make(WebSocketUser, ws_reconnect=NoReconnect())
        user.ws.connect(f"ws://127.0.0.1:{closed_port}/")

    [said] = caplog.messages
    assert said.startswith("cannot connect: refused (") and "refused" in said.partition("(")[2]


def test_a_failed_connection_may_end_the_user(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_reconnect=StopUserOnLoss())

    with pytest.raises(StopUser):
        user.ws.connect("/reject")


def test_a_user_whose_on_start_cannot_connect_lives_on(stage: Stage, closed_port: int) -> None:
    class Hoping(WebSocketUser):
        ws_reconnect = NoReconnect()
        wait_time = constant(0.01)

        def on_start(self) -> None:
            self.ws.connect(f"ws://127.0.0.1:{closed_port}/")

        @task
        def say(self) -> None:
            self.ws.call("say", "hi")

    stage.run(Hoping)
    stage.wait_for(lambda: len(stage.of("WSC say")) >= 2)

    assert stage.of("WSC say")[0].error == "not connected"
    assert not stage.errors


def test_several_sockets_of_a_user_have_their_own_messages(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    seen: list[str] = []
    other = user.new_websocket(on_message=lambda message: seen.append(message.text))
    user.ws.connect("/echo")
    other.connect("/push?n=1")

    assert user.ws.call("say", "first").text == "first"
    assert other.call("say", "second", match=lambda message: message.text != "push").ok
    other.close()

    assert seen == ["push"]


@pytest.mark.parametrize("base", [HttpUser, FastHttpUser])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_mix_with_locusts_own_users_has_both(
    stage: Stage, base: type[Any], is_first: bool
) -> None:
    bases = (WebSocketUser, base) if is_first else (base, WebSocketUser)
    mix: Any = type("Mix", bases, {"abstract": True})
    user: Any = stage.make(mix)

    user.ws.connect("/echo")
    user.ws.call("say", "hi")
    user.client.get("/page")

    assert [row.error for row in stage.rows] == [None] * 3
    assert stage.labels() == ["WS connect", "WSC say", "GET /page"]


def test_headers_of_the_call_take_the_place_of_the_class_s(stage: Stage) -> None:
    user = stage.make(WebSocketUser, ws_headers={"X-One": "1", "X-Two": "2"})
    user.ws.connect("/headers", headers={"x-two": "zwei"})

    headers = user.ws.expect("headers").json

    assert headers["X-One"] == "1" and headers["x-two"] == "zwei" and "X-Two" not in headers


def test_one_tls_context_is_made_for_all_users(stage: Stage) -> None:
    import ssl

    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    for _ in range(3):
        user = stage.make(WebSocketUser, ws_ssl_context_factory=make, ws_reconnect=NoReconnect())
        user.ws.connect(stage.environment.host.replace("http", "wss") + "/echo")

    assert len(made) == 1
    assert [row.error for row in stage.of("WS connect")] == ["cannot connect: tls"] * 3


def test_a_request_that_nothing_can_answer_does_not_burn_the_processor(stage: Stage) -> None:
    user = stage.make(WebSocketUser)
    began = perf_counter()

    for _ in range(3):
        user.ws.call("say", "hi")

    assert perf_counter() - began > 0.2
