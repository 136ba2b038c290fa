"""How a swarm comes to its end, also where something has gone wrong."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import Plan, run
from lomond_gevent.load.metrics import Delta
from lomond_gevent.load.scenarios import find_scenario
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


def swarm_of(**options: Any) -> Swarm:
    """Return a swarm that has nobody to connect to."""
    plan = Plan(url="ws://127.0.0.1:9/", **options)
    return Swarm(plan, "ws://127.0.0.1:9/", find_scenario(plan), lambda _delta: None)


def test_a_steep_ramp_is_climbed_as_fast_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    hired: list[int] = []
    swarm = swarm_of(stages=((0.01, 700.0), (0.1, 700.0)))

    def hire(count: int) -> None:
        hired.append(count)
        swarm._present.extend([cast("Any", None)] * max(0, count))

    monkeypatch.setattr(swarm, "_hire", hire)
    swarm.run(Event())

    # The first pulse may have come before the climb was over.
    assert max(hired) > 100
    assert sum(hired) == 700


def test_while_many_are_hired_the_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm, seen = swarm_of(), []
    monkeypatch.setattr(swarm, "_spawn", lambda _intended: object())
    gevent.spawn(lambda: seen.append(len(swarm._present)))

    swarm._hire(250)

    assert seen == [100]
    assert len(swarm._present) == 250


def test_what_a_rate_that_is_out_of_reach_leaves_behind_is_known_at_once() -> None:
    deltas: list[Delta] = []
    plan = Plan(url="ws://127.0.0.1:9/", rate=1e9, duration=0.1)
    swarm = Swarm(plan, "ws://127.0.0.1:9/", find_scenario(plan), deltas.append)

    began = monotonic()
    swarm.run(Event())

    # Going through them would take minutes.
    assert monotonic() - began < 9
    counts = deltas[-1]["counts"]
    assert counts["sends.behind"] + counts.get("sends.skipped", 0) == 1e8
