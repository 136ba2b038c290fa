"""Answers that are late, missing, or still to come at the end are told from one another."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import Plan, Result, echo, member, run, swarm
from tests.helpers.frames import server_frame
from tests.helpers.scripted_server import Peer, Script, ScriptedServer

pytestmark = pytest.mark.loopback


def load(script: Script, **options: Any) -> Result:
    """Load a scripted server with one client that sends no pings."""
    chosen = {"clients": 1, "ping_rate": 0, "phase_spread": False} | options
    with ScriptedServer(script) as server:
        return run(Plan(url=server.url, **chosen))


class Delayed:
    """A script that echoes each frame after the same delay, in seconds, the Close frame as well."""

    def __init__(self, delay: float) -> None:
        self._delay = delay

    def __call__(self, peer: Peer) -> None:
        peer.accept_upgrade()
        frames: queue.SimpleQueue[tuple[float, int, bytes]] = queue.SimpleQueue()
        writer = threading.Thread(target=self._answer, args=(peer, frames))
        writer.start()
        first_byte = 0
        while first_byte != 0x88:
            first_byte, payload = peer.read_frame()
            frames.put((time.monotonic() + self._delay, first_byte, payload))
        writer.join()

    def _answer(self, peer: Peer, frames: queue.SimpleQueue[tuple[float, int, bytes]]) -> None:
        first_byte = 0
        while first_byte != 0x88:
            due, first_byte, payload = frames.get()
            time.sleep(max(0.0, due - time.monotonic()))
            peer.send(server_frame(first_byte, payload))


class Forgetful:
    """A script that echoes all messages but one."""

    def __init__(self, forgotten: int) -> None:
        self._forgotten = forgotten

    def __call__(self, peer: Peer) -> None:
        peer.accept_upgrade()
        number = first_byte = 0
        while first_byte != 0x88:
            first_byte, payload = peer.read_frame()
            number += 1
            if number != self._forgotten:
                peer.send(server_frame(first_byte, payload))


@pytest.mark.parametrize("binary", [False, True])
def test_in_the_open_model_every_answer_may_be_late(binary: bool) -> None:
    options = {"rate": 1000.0, "duration": 0.5, "request_timeout": 0.2, "binary": binary}
    result = load(Delayed(0.6), **options)

    sent = result.counts["messages.sent"]
    assert sent == result.counts["requests.timed_out"] == result.counts["requests.late"] > 400
    assert result.errors == {("request", "timeout"): sent}
    # Both, for what was late took its time from the send as well.
    for name in ("rtt", "rtt.service"):
        assert result.histograms[name].count == sent
        assert 590_000 < result.histograms[name].min <= result.histograms[name].percentile(50)
        assert result.histograms[name].percentile(50) < 700_000


def test_no_more_late_answers_are_known_than_the_memory_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(echo, "MOST_OVERDUE", 10)
    monkeypatch.setattr(echo, "LEAST_OVERDUE", 1)

    result = load(Delayed(0.5), rate=500.0, duration=0.1, request_timeout=0.1)

    assert result.counts["requests.timed_out"] == result.counts["messages.sent"] > 30
    assert result.counts["requests.late"] == result.histograms["rtt"].count == 10


def test_one_answer_of_many_that_is_missing_is_one_that_timed_out() -> None:
    result = load(Forgetful(5), rate=1000.0, duration=0.2, request_timeout=0.3)

    assert result.errors == {("request", "timeout"): 1}
    assert result.counts["requests.late"] == result.counts["requests.unfinished"] == 0
    assert result.histograms["rtt"].count == result.counts["messages.sent"] - 1
    assert result.histograms["rtt"].max < 100_000


@pytest.mark.parametrize("rate", [None, 20.0])
def test_who_is_interrupted_does_not_blame_answers_that_come_afterwards(
    rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "SHORT_PATIENCE", 0.1)
    stop = Event()
    gevent.spawn_later(0.2, stop.set)
    with ScriptedServer(Delayed(0.5)) as server:
        options = {"clients": 2, "rate": rate, "duration": 60.0, "phase_spread": False}
        result = run(Plan(url=server.url, **options), stop=stop)

    assert result.interrupted
    assert result.errors == {}
    assert result.counts["requests.unfinished"] == result.counts["messages.sent"] >= 2
    assert result.counts["connections.closed"] == 2


def test_what_was_sent_last_is_given_its_time_to_time_out() -> None:
    def take_and_hold(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold()

    options = {"rate": 50.0, "duration": 0.1, "request_timeout": 0.15, "close_timeout": 0.1}
    result = load(take_and_hold, **options)

    assert result.counts["requests.timed_out"] == result.counts["messages.sent"] >= 3
    assert result.counts["requests.unfinished"] == 0


def test_who_is_back_before_its_next_message_was_due_does_not_send_twice_as_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(member, "FIRST_WAIT", 0.1)

    def end_first(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(*peer.read_frame()))
        if peer.number == 0:
            return
        first_byte = 0
        while first_byte != 0x88:
            first_byte, payload = peer.read_frame()
            peer.send(server_frame(first_byte, payload))

    # The second connection comes after 0.05 to 0.15 s, and thinks until 0.45 s at least.
    result = load(end_first, think=0.4, duration=0.43)

    assert result.counts["connections.opened"] == 2
    assert result.counts["messages.sent"] == 2
