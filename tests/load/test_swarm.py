"""How a swarm comes to its end, also where something has gone wrong."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import Plan, run
from lomond_gevent.load.pacer import Schedule
from lomond_gevent.load.scenarios import find_scenario
from lomond_gevent.load.server import EmbeddedServer
from lomond_gevent.load.swarm import Swarm
from tests.helpers.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.loopback


def test_an_exception_comes_out_where_clients_do_not_die_at_once(tmp_path: Path) -> None:
    def take_and_hold(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold()

    file = tmp_path / "mine.py"
    file.write_text("def stay(client):\n    client.connect()\n    client.sleep(60)\n")
    broken = RuntimeError("the load is broken")
    with ScriptedServer(take_and_hold) as server:
        plan = Plan(url=server.url, clients=3, scenario=f"{file}:stay", close_timeout=0.4)

        with pytest.raises(RuntimeError, match="the load is broken"), gevent.Timeout(0.4, broken):
            run(plan)


def test_what_had_not_left_is_counted_when_nobody_waits_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients: list[int] = []
    with EmbeddedServer() as server:
        plan = Plan(url=f"{server.url}/echo", clients=3, rate=30.0, duration=0.2)
        swarm = Swarm(plan, f"{server.url}/echo", find_scenario(plan), lambda _delta: None)

        def count_overdue(_schedule: Schedule, _now: float) -> int:
            clients.append(len(swarm.members))
            return 7

        monkeypatch.setattr(Schedule, "count_overdue", count_overdue)
        swarm.run(Event())

    assert clients == [0]
