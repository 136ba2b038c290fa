"""Servers that fail: each failure is counted under its own kind, and nothing crashes."""

from __future__ import annotations

import socket
from typing import Any

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import Plan, Result, member, run
from lomond_gevent.load.report.findings import Findings
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, Script, ScriptedServer

pytestmark = pytest.mark.loopback


def load(script: Script, **options: Any) -> Result:
    """Load a scripted server with three clients for a moment."""
    chosen = {"clients": 3, "duration": 0.15, "open_timeout": 0.2, "close_timeout": 0.1} | options
    with ScriptedServer(script) as server:
        return run(Plan(url=server.url, **chosen))


def answer_503(peer: Peer) -> None:
    """Have no time for anybody."""
    peer.read_request()
    peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


def answer_garbage(peer: Peer) -> None:
    """Speak no HTTP."""
    peer.read_request()
    peer.send(b"220 ready\r\n\r\n")
    peer.read_until_end()


def answer_badly(peer: Peer) -> None:
    """Accept, with a hash that is wrong."""
    peer.read_request()
    peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: wrong\r\n\r\n"
    )
    peer.read_until_end()


def reset_at_once(peer: Peer) -> None:
    """Reset instead of an answer."""
    peer.read_request()
    peer.reset()


def close_with_1011(peer: Peer) -> None:
    """Close after the first message."""
    peer.accept_upgrade()
    peer.read_frame()
    peer.send(server_frame(0x88, close_payload(1011)))


def reset_later(peer: Peer) -> None:
    """Reset after the first message."""
    peer.accept_upgrade()
    peer.read_frame()
    peer.reset()


def end_later(peer: Peer) -> None:
    """End the stream after the first message."""
    peer.accept_upgrade()
    peer.read_frame()


def send_garbage(peer: Peer) -> None:
    """Send what is no frame."""
    peer.accept_upgrade()
    peer.send(b"\xff\xff\xff")
    peer.read_until_end()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (answer_503, ("handshake", "rejected 503")),
        (answer_garbage, ("handshake", "protocol")),
        (answer_badly, ("handshake", "protocol")),
        (reset_at_once, ("handshake", "reset")),
        (Peer.hold, ("handshake", "timeout")),
    ],
)
def test_a_server_that_takes_nobody_is_counted_as_failed(
    script: Script, error: tuple[str, str]
) -> None:
    result = load(script)

    assert set(result.errors) == {error}
    assert result.errors[error] == result.counts["connections.failed"] >= 3
    assert result.counts["connections.opened"] == 0
    assert result.failed
    assert result.reasons[error]


def test_a_closed_port_is_counted_as_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    result = run(Plan(url=f"ws://127.0.0.1:{port}/", clients=3, duration=0.15))

    assert set(result.errors) == {("tcp", "refused")}
    assert result.counts["connections.failed"] == result.counts["connections.attempted"] >= 3


@pytest.mark.parametrize(
    ("script", "error", "code"),
    [
        (close_with_1011, ("closing", "closed 1011"), 1011),
        (reset_later, ("open", "reset"), 1006),
        (end_later, ("open", "eof"), 1006),
        (send_garbage, ("open", "protocol"), 1006),
    ],
)
def test_a_server_that_throws_its_clients_out_is_counted_as_lost(
    script: Script, error: tuple[str, str], code: int
) -> None:
    # Over before anybody comes back.
    result = load(script)

    assert set(result.errors) == {error}
    assert result.errors[error] == result.counts["connections.lost"] == 3
    assert set(result.close_codes) == {code}


def test_who_is_lost_comes_back_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    # 0.1 to 0.3 s, after 0.05 s at most for the first message: then it is lost again.
    monkeypatch.setattr(member, "FIRST_WAIT", 0.2)
    result = load(end_later, clients=1, duration=0.4)

    assert 2 <= result.counts["connections.opened"] <= 4


def test_answers_that_do_not_come_are_timed_out_and_the_close_as_well() -> None:
    def take_and_hold(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold()

    result = load(take_and_hold, request_timeout=0.1)

    assert result.errors["request", "timeout"] == result.counts["requests.timed_out"] >= 3
    assert result.errors["closing", "close_timeout"] == 3
    assert result.counts["connections.lost"] == 3


def test_an_answer_that_comes_late_is_counted_and_its_latency_recorded() -> None:
    def answer_late(peer: Peer) -> None:
        peer.accept_upgrade()
        first = peer.read_frame()
        second = peer.read_frame()
        for first_byte, payload in (first, second):
            peer.send(server_frame(first_byte, payload))
        while (frame := peer.read_frame())[0] != 0x88:
            peer.send(server_frame(*frame))
        peer.send(server_frame(*frame))

    result = load(answer_late, clients=1, request_timeout=0.1, duration=0.4, ping_rate=0)

    assert result.counts["requests.timed_out"] == result.counts["requests.late"] == 1
    assert result.histograms["rtt"].max > 95_000
    assert result.errors == {("request", "timeout"): 1}


@pytest.mark.parametrize("rate", [None, 40.0])
def test_an_answer_that_is_not_what_was_sent_is_a_mismatch(rate: float | None) -> None:
    def lie(peer: Peer) -> None:
        peer.accept_upgrade()
        while (frame := peer.read_frame())[0] != 0x88:
            peer.send(server_frame(0x81, b"something else"))
        peer.send(server_frame(*frame))

    result = load(lie, rate=rate, request_timeout=0.1, ping_rate=0)

    assert result.errors["request", "mismatch"] >= 3
    assert result.histograms["rtt"].count == 0
    assert "something else" in result.reasons["request", "mismatch"]


@pytest.mark.parametrize("rate", [None, 40.0])
def test_an_answer_of_the_other_type_is_a_mismatch(rate: float | None) -> None:
    def answer_in_binary(peer: Peer) -> None:
        peer.accept_upgrade()
        while (frame := peer.read_frame())[0] != 0x88:
            peer.send(server_frame(0x82, frame[1]))
        peer.send(server_frame(*frame))

    result = load(answer_in_binary, rate=rate, request_timeout=0.1, ping_rate=0)

    assert result.errors["request", "mismatch"] >= 3
    assert result.histograms["rtt"].count == 0


def test_a_storm_does_not_hammer_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    plan = Plan(url=f"ws://127.0.0.1:{port}/", clients=2, duration=0.5, scenario="connect")
    result = run(plan)

    assert 2 <= result.counts["connections.failed"] <= 14


def test_a_refusal_tells_where_else_to_go() -> None:
    def move(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 301 Moved\r\nLocation: wss://else/?token=abc\r\n\r\n")

    result = load(move)

    assert result.reasons["handshake", "rejected 301"].endswith(", to wss://else/?token=***")


def test_who_is_interrupted_while_connecting_is_unfinished_and_no_failure_of_the_server() -> None:
    stop = Event()
    gevent.spawn_later(0.2, stop.set)
    with ScriptedServer(Peer.hold) as server:
        result = run(Plan(url=server.url, clients=3, duration=60.0), stop=stop)

    assert result.counts["connections.attempted"] == result.counts["connections.unfinished"] == 3
    assert result.errors == {}
    assert Findings(result).exit_status == 1


def test_an_answer_that_comes_twice_is_a_duplicate() -> None:
    def answer_twice(peer: Peer) -> None:
        peer.accept_upgrade()
        while (frame := peer.read_frame())[0] != 0x88:
            peer.send(server_frame(*frame) * 2)
        peer.send(server_frame(*frame))

    result = load(answer_twice, clients=1, think=0.02, ping_rate=0)

    assert set(result.errors) == {("request", "duplicate")}
    assert "came twice" in result.reasons["request", "duplicate"]


def test_what_could_not_be_sent_is_not_answered_too_late() -> None:
    def read_nothing(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold()

    options = {"size": 16_000_000, "rate": 10.0, "request_timeout": 0.2, "duration": 0.5}
    result = load(read_nothing, clients=1, **options)

    assert result.counts["messages.sent"] == result.counts["requests.timed_out"] == 0
    assert result.counts["sends.skipped"] + result.counts["sends.behind"] == 5
    assert result.counts["requests.unfinished"] == 0
