"""The built-in scenarios in both models, against the embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import Live, Plan, Result, Second, run, watch
from lomond_gevent.load.server import EmbeddedServer
from tests.helpers.certificates import Certificates
from tests.helpers.echo_server import EchoServer
from tests.helpers.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The embedded server, one for all of these tests."""
    with EmbeddedServer() as embedded:
        yield embedded.url


def check_life(result: Result, clients: int) -> None:
    """All were connected, none was lost, each closed with 1000 on both sides."""
    assert result.errors == {}
    assert result.counts["connections.opened"] == clients
    assert result.counts["connections.closed"] == clients
    assert result.close_codes == {1000: clients}
    assert not result.failed


@pytest.mark.parametrize("options", [{}, {"binary": True}, {"think": 0.05}, {"size": 5}])
def test_echo_closed(server: str, options: dict[str, Any]) -> None:
    result = run(Plan(url=f"{server}/echo", clients=20, duration=0.15, **options))

    check_life(result, 20)
    trips = result.histograms["rtt"].count
    assert trips == result.counts["messages.sent"] == result.counts["messages.received"] > 40
    assert result.counts["bytes.received"] == trips * result.plan.size
    assert (result.model, result.duration) == ("closed", pytest.approx(0.15, abs=0.15))
    assert result.histograms["connect"].count == result.histograms["connect.upgrade"].count == 20


def test_think_time_bounds_the_rate(server: str) -> None:
    result = run(Plan(url=f"{server}/echo", clients=4, duration=0.6, think=0.1))

    # Each message may leave a millisecond early: the seventh of a client at 594 ms at the soonest.
    assert 12 <= result.histograms["rtt"].count <= 4 * 7


@pytest.mark.parametrize("options", [{}, {"phase_spread": False}, {"ramp": 0.2}])
def test_echo_open_keeps_its_rate(server: str, options: dict[str, Any]) -> None:
    result = run(Plan(url=f"{server}/echo", clients=10, duration=0.3, rate=200.0, **options))

    check_life(result, 10)
    expected = 200 * (0.3 + options.get("ramp", 0) / 2)
    sent = result.counts["messages.sent"] + result.counts["sends.skipped"]
    assert sent == pytest.approx(expected, abs=11)
    assert result.histograms["rtt"].count == result.histograms["rtt.service"].count
    assert result.counts["messages.sent"] == result.counts["messages.received"]


def test_what_was_due_before_the_first_client_of_a_ramp_came_was_not_skipped(server: str) -> None:
    result = run(Plan(url=f"{server}/echo", clients=2, ramp=0.4, duration=0.1, rate=200.0))

    check_life(result, 2)
    assert result.counts["sends.skipped"] == 0
    assert result.counts["messages.sent"] > 30


def test_the_rate_follows_stages(server: str) -> None:
    stages = ((0.2, 250.0), (0.2, 0.0))
    result = run(Plan(url=f"{server}/echo", clients=5, rate=0.0, stages=stages))

    assert result.counts["messages.sent"] == pytest.approx(50, abs=2)
    assert result.duration == pytest.approx(0.4, abs=0.2)


def test_the_number_of_clients_follows_stages(server: str) -> None:
    stages = ((0.3, 20.0), (0.1, 20.0), (0.3, 0.0))
    result = run(Plan(url=f"{server}/echo", stages=stages, think=0.05))

    check_life(result, 20)
    # The last to come are the first to go.
    assert result.histograms["session"].percentile(50) < 650_000


def test_clients_arrive_on_schedule_and_live_for_their_time(server: str) -> None:
    plan = Plan(url=f"{server}/echo", arrivals=40.0, lifetime=0.2, duration=0.5, think=0.05)
    result = run(plan)

    check_life(result, 20)
    assert result.model == "open"
    assert result.histograms["session"].percentile(50) == pytest.approx(200_000, rel=0.4)


def test_connect_is_a_storm(server: str) -> None:
    result = run(Plan(url=f"{server}/echo", clients=5, duration=0.15, scenario="connect"))

    opened = result.counts["connections.opened"]
    assert opened == result.counts["connections.closed"] == result.histograms["connect"].count
    assert opened > 10
    assert result.errors == {}


def test_connect_on_a_schedule_of_arrivals(server: str) -> None:
    result = run(Plan(url=f"{server}/echo", arrivals=50.0, duration=0.4, scenario="connect"))

    check_life(result, 20)


def test_idle_holds_and_pings(server: str) -> None:
    plan = Plan(url=f"{server}/echo", clients=10, duration=0.25, scenario="idle", ping_rate=0.05)
    result = run(plan)

    check_life(result, 10)
    assert result.histograms["ping"].count >= 15
    assert result.counts["messages.sent"] == 0


def test_flood_receives(server: str) -> None:
    plan = Plan(url=f"{server}/flood?size=32", clients=2, duration=0.1, scenario="flood")
    result = run(plan)

    check_life(result, 2)
    assert result.counts["bytes.received"] == 32 * result.counts["messages.received"] > 32_000
    assert result.histograms["first_message"].count == 2


@pytest.mark.parametrize(
    "options", [{"think": 0.02}, {"rate": 60.0}, {"think": 0.02, "binary": True}]
)
def test_fanout_reaches_everybody(server: str, options: dict[str, Any]) -> None:
    plan = Plan(url=f"{server}/fanout", clients=10, duration=0.15, scenario="fanout", **options)
    result = run(plan)

    check_life(result, 10)
    sent = result.counts["messages.sent"]
    assert sent >= 3
    assert result.counts["messages.received"] == result.histograms["delivery"].count == 10 * sent


def test_without_a_url_the_embedded_server_is_loaded() -> None:
    result = run(Plan(clients=5, duration=0.3))

    check_life(result, 5)
    assert result.plan.url is None


def test_tls_has_its_own_histogram(tls_echo_server: EchoServer, certificates: Certificates) -> None:
    plan = Plan(url=tls_echo_server.url, cafile=str(certificates.ca_file), clients=3, duration=0.2)
    result = run(plan)

    check_life(result, 3)
    assert result.histograms["connect.tls"].count == 3


def test_an_observer_sees_each_second(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SECOND", 0.2)
    seen: list[tuple[Second, Live]] = []
    plan = Plan(url=f"{server}/echo", clients=5, duration=0.3, think=0.05)

    result = run(plan, observer=lambda second, live: seen.append((second, live)))

    second, live = seen[0]
    assert (second.clients, live.clients, live.wanted) == (5, 5, 5)
    assert 0 < live.remaining < 0.3 and second.rtt_count > 0
    assert second.rtt_p50 is not None and second.rtt_max is not None
    assert sum(s.received for s in result.series) == result.counts["messages.received"]


def test_stop_ends_it_gracefully_with_what_was_measured(server: str) -> None:
    stop = Event()
    gevent.spawn_later(0.3, stop.set)

    result = run(Plan(url=f"{server}/echo", clients=5, duration=60, think=0.01), stop=stop)

    check_life(result, 5)
    assert result.interrupted and result.stopped_because
    assert result.histograms["rtt"].count > 5
    assert result.duration < 5


def test_stop_while_connecting_ends_it_as_well() -> None:
    stop = Event()
    gevent.spawn_later(0.3, stop.set)
    with ScriptedServer(Peer.hold) as hanging:
        result = run(Plan(url=hanging.url, clients=3, duration=60), stop=stop)

    assert result.interrupted
    assert result.counts["connections.opened"] == 0


def test_an_exception_leaves_nothing_running(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SECOND", 0.1)

    def fail(_second: Second, _live: Live) -> None:
        raise RuntimeError("the observer is broken")

    with pytest.raises(RuntimeError, match="the observer is broken"):
        run(Plan(url=f"{server}/echo", clients=5, duration=30, think=0.1), observer=fail)
