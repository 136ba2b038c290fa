"""Whoever is late for polls misses nothing: neither messages nor the deadlines behind them.

A connection's timer goes on in step, so that polls cost nothing more. It must neither keep the loop
from reading nor be thought to ring at another time than it does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import gevent
import pytest

from lomond import events
from tests.gevent_sessions.clients import Client
from tests.helpers.conversation import Wire
from tests.helpers.scripted_server import Peer


def send_for_ever(peer: Peer) -> None:
    peer.accept_upgrade()
    # Until the client is gone.
    with contextlib.suppress(OSError):
        while True:
            peer.send(b"\x81\x02hi")
            peer.hold(0.005)


@pytest.mark.parametrize("be_slow", [gevent.sleep, time.sleep], ids=["waits", "blocks"])
def test_handler_that_is_late_for_every_poll_still_gets_messages(
    tcp: Wire, be_slow: Callable[[float], object]
) -> None:
    def handle(event: events.Event) -> None:
        if isinstance(event, events.Poll):
            be_slow(0.06)

    with tcp.server(send_for_ever) as server:
        client = Client(tcp.websocket(server), handle, poll=0.03, ping_rate=0)
        client.wait_for(events.Text, 20)
        client.greenlet.kill()


@pytest.mark.parametrize("be_slow", [gevent.sleep, time.sleep], ids=["waits", "blocks"])
def test_deadline_behind_a_late_poll_is_kept_to(
    tcp: Wire, be_slow: Callable[[float], object]
) -> None:
    closed_at: list[float] = []

    def handle(event: events.Event) -> None:
        if isinstance(event, events.Text):
            # Longer than a few polls: the timer has rung late, or for nobody.
            be_slow(2.4)
        if client.count(events.Text) and isinstance(event, events.Poll) and not closed_at:
            closed_at.append(time.monotonic())
            client.websocket.close()

    # The text comes while the loop waits for the first poll.
    script = [Peer.accept_upgrade, lambda peer: peer.hold(0.05), b"\x81\x02hi", Peer.hold]
    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        client = Client(websocket, handle, poll=0.6, ping_rate=0, close_timeout=0.1)
        end = client.end()
    assert end.kind == "close_timeout"
    assert time.monotonic() - closed_at[0] < 0.35
