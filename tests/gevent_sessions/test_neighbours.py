"""No connection costs its neighbours time: not one that is flooded, nor one that waits.

Every read passes through the hub, and so does every batch of what was read. A connection has one
timer, which does not fire early, and makes no other while the deadline stays what it is.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import gevent
import pytest

from lomond import events
from lomond.websocket import WebSocket
from tests.gevent_sessions.clients import Client, ticking, wait_until
from tests.helpers.conversation import Wire
from tests.helpers.echo_server import EchoServer
from tests.helpers.modules import is_compiled
from tests.helpers.scripted_server import Peer

# 128 KiB of the smallest messages: 65,536 of them.
TINY = b"\x81\x00" * 65_536
LARGE = b"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00" + bytes(1 << 20)


@pytest.mark.parametrize("flood", [TINY, LARGE], ids=["tiny messages", "large messages"])
def test_flooded_connections_do_not_starve_their_neighbours(wire: Wire, flood: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.flood(flood)

    with wire.server(script) as server:
        clients = [Client(wire.websocket(server), ping_rate=0) for _ in range(3)]
        for client in clients:
            client.wait_for(events.Ready)
        with ticking() as late:
            gevent.sleep(0.5)
        for client in clients:
            client.events.clear()
            client.greenlet.kill()
    # Of three connections that are read in turn, none takes the hub for long.
    assert len(late) >= 5
    assert sorted(late)[len(late) // 2] < 0.2


def test_handler_that_is_slow_has_its_pings_and_polls_when_it_asks_for_them(tcp: Wire) -> None:
    pings: list[float] = []

    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(b"\x81\x00" * 30)
        while True:
            first, payload = peer.read_frame()
            pings.append(time.monotonic())
            if first == 0x88:
                return
            peer.send(b"\x8a" + bytes([len(payload)]) + payload)

    def be_slow(event: events.Event) -> None:
        if isinstance(event, events.Text):
            gevent.sleep(0.02)
            if client.count(events.Text) == 30:
                client.websocket.close()

    with tcp.server(script) as server:
        client = Client(tcp.websocket(server), be_slow, poll=0.1, ping_rate=0.1, ping_timeout=5)
        client.end()
    # 0.6 s of messages that came in one packet: the clock has gone on between them.
    assert client.count(events.Poll) >= 4
    assert len(pings) >= 4


def test_slow_handler_does_not_stop_another_connection(echo_server: EchoServer) -> None:
    def stay(event: events.Event) -> None:
        if isinstance(event, events.Ready):
            gevent.sleep(0.3)

    slow = Client(WebSocket(echo_server.url), stay)
    quick = Client(WebSocket(echo_server.url))
    quick.wait_for(events.Ready)
    quick.websocket.send_text("x")
    quick.wait_for(events.Text)
    assert slow.count(events.Poll) == 0
    quick.stop()
    slow.stop()


# ---- timers ----------------------------------------------------------------------------------


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All timers of this library that were made since, of which the last is at the end."""
    from lomond_gevent import transport

    if is_compiled(transport):
        pytest.skip("the methods of compiled classes cannot be replaced")
    made: list[Any] = []
    set_timer = transport._Sleeper.set_timer

    def note(self: Any, *args: Any, **options: Any) -> None:
        set_timer(self, *args, **options)
        made.append(self._timer)

    monkeypatch.setattr(transport._Sleeper, "set_timer", note)
    return made


def test_idle_connection_wakes_for_its_polls_and_makes_one_timer_for_each(
    tcp: Wire, timers: list[Any]
) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        client = Client(tcp.websocket(server), poll=0.05, ping_rate=0)
        client.wait_for(events.Ready)
        timers.clear()
        client.wait_for(events.Poll, 9)
        assert len(timers) <= 12
        assert sum(timer.active for timer in timers) <= 1
        client.greenlet.kill()
    assert not any(timer.active for timer in timers)


def test_messages_do_not_touch_the_timer(echo_server: EchoServer, timers: list[Any]) -> None:
    client = Client(WebSocket(echo_server.url), poll=60, ping_rate=0)
    client.wait_for(events.Poll)
    wait_until(lambda: len([timer for timer in timers if timer.active]) == 1, "the timer")
    timers.clear()
    for number in range(50):
        client.websocket.send_text(str(number))
        client.wait_for(events.Text, number + 1)
    assert timers == []
    client.stop()


def test_timer_does_not_fire_early_after_work(tcp: Wire, timers: list[Any]) -> None:
    polls: list[float] = []

    def work(event: events.Event) -> None:
        if isinstance(event, events.Poll):
            polls.append(time.monotonic())
            # The loop's clock stands still meanwhile.
            while time.monotonic() < polls[-1] + 0.05:
                continue

    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        client = Client(tcp.websocket(server), work, poll=0.1, ping_rate=0)
        client.wait_for(events.Ready)
        timers.clear()
        client.wait_for(events.Poll, 6)
        client.greenlet.kill()
    # One that fires early is followed by another for the same poll.
    assert len(timers) <= 7
    assert all(after - before > 0.09 for before, after in pairwise(polls))
