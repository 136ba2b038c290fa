"""Where clients connect from."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lomond_gevent.load import Plan, PlanError, preflight, run, sources
from lomond_gevent.load.share import Share
from tests.helpers.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.loopback

ADDRESSES = ("127.0.0.2", "127.0.0.3")


def can_bind(address: str) -> bool:
    """Tell whether this machine has an address: not all have the whole of the loopback."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


def can_bind_ipv6() -> bool:
    """Tell whether this machine has IPv6."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
        return True


needs_addresses = pytest.mark.skipif(
    not all(map(can_bind, ADDRESSES)), reason="this machine has one loopback address only"
)


@needs_addresses
def test_clients_share_the_addresses_that_they_connect_from() -> None:
    seen: Counter[str] = Counter()

    def look(peer: Peer) -> None:
        seen[peer.stream.socket.getpeername()[0]] += 1
        peer.accept_upgrade()
        peer.read_until_end()

    with ScriptedServer(look) as server:
        options: dict[str, Any] = {
            "clients": 6,
            "duration": 0.1,
            "close_timeout": 0.1,
            "scenario": "idle",
        }
        run(Plan(url=server.url, sources=ADDRESSES, **options))

    assert seen == {"127.0.0.2": 3, "127.0.0.3": 3}


def test_an_address_of_another_machine_is_refused_before_any_connection() -> None:
    with pytest.raises(PlanError, match=r"sources 192\.0\.2\.1 cannot be connected from"):
        run(Plan(url="ws://127.0.0.1:9/", sources=("192.0.2.1",)))


def test_a_name_is_no_address() -> None:
    with pytest.raises(PlanError, match="sources must be addresses of this machine"):
        Plan(sources=("localhost",))


def test_an_address_of_another_family_than_that_of_the_url_is_refused() -> None:
    with pytest.raises(PlanError, match=r"sources 127\.0\.0\.1 cannot reach ::1"):
        run(Plan(url="ws://[::1]:9/", sources=("127.0.0.1",)))


def test_a_name_that_is_not_reached_from_an_address_is_a_failure_of_tcp() -> None:
    plan = Plan(url="ws://localhost:9/", clients=1, duration=0.1, sources=("::1",))
    if not can_bind_ipv6():
        pytest.skip("this machine has no IPv6")
    result = run(plan)

    assert {phase for phase, _ in result.errors} == {"tcp"}
    assert result.counts["connections.failed"] >= 1


def test_an_address_of_the_other_family_is_told() -> None:
    transport = sources.make_session_classes(["::1"])[0].transport_class()
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 9))

    with pytest.raises(OSError, match=r"127\.0\.0\.1 is not reached from ::1"):
        transport.make_socket(address)


@pytest.mark.skipif(sources.BIND_ADDRESS_NO_PORT is None, reason="Linux has it")
def test_a_socket_that_is_bound_has_no_port_before_it_connects() -> None:
    with socket.socket() as bound:
        sources.bind(bound, "127.0.0.1")

        assert bound.getsockname() == ("127.0.0.1", 0)


def test_each_address_has_all_local_ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "range"
    file.write_text("40000\t40999\n")
    monkeypatch.setattr(preflight, "PORT_RANGE", file)

    assert (
        preflight.check_ports(Plan(url="ws://127.0.0.1/", clients=2000, sources=ADDRESSES)) is None
    )


def test_numbers_of_clients_have_no_end_and_no_process_has_those_of_another() -> None:
    first, second = Share(0, 2).numbers(), Share(1, 2).numbers()

    assert [next(first) for _ in range(3)] == [0, 2, 4]
    assert [next(second) for _ in range(3)] == [1, 3, 5]
