"""Servers that send what no client has asked for."""

from __future__ import annotations

import struct

import pytest

from lomond_gevent.load import Plan, run
from tests.helpers.frames import server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e300, -1e300])
def test_a_pong_that_answers_no_ping_is_not_measured(number: float) -> None:
    def send_pong(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x8A, struct.pack("!d", -number)))
        while (frame := peer.read_frame())[0] != 0x88:
            continue
        peer.send(server_frame(*frame))

    with ScriptedServer(send_pong) as server:
        plan = Plan(url=server.url, clients=1, duration=0.2, scenario="idle", ping_rate=0)
        result = run(plan)

    assert result.histograms["ping"].count == 0
    assert result.counts["connections.closed"] == 1
    assert result.errors == {}
