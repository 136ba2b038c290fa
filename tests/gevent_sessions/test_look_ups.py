"""Names are looked up by the hub's resolver, once for all who ask for the same one at a time.

Addresses bypass it. A look-up that takes too long ends at the deadline of connecting, and one that
nobody waits for any more is given up.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from lomond import events
from lomond.websocket import WebSocket
from lomond_gevent import connect, resolver
from tests.gevent_sessions.clients import Client, wait_until
from tests.helpers.conversation import Stopwatch, is_in_time
from tests.helpers.echo_server import EchoServer


class Resolver:
    """Stands in for the hub's: answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.may_answer = Signal()
        self.gave_up = 0
        self.answer: Callable[[str, int], Any] = lambda _, port: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        ]

    def getaddrinfo(self, host: str, port: int, *_rest: int) -> Any:
        self.asked.append((host, port))
        try:
            self.may_answer.wait()
        except gevent.GreenletExit:
            self.gave_up += 1
            raise
        return self.answer(host, port)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """The resolver of this hub."""
    stand_in = Resolver()
    monkeypatch.setattr(gevent.get_hub().resolver, "getaddrinfo", stand_in.getaddrinfo)
    return stand_in


@pytest.fixture(autouse=True)
def no_look_up_is_remembered() -> Any:
    """Fail a test that leaves one behind."""
    yield
    assert not any(resolver._under_way.values())


def name_of(server: EchoServer, name: str = "name.example.org") -> WebSocket:
    return WebSocket(f"ws://{name}:{server.port}/echo")


def test_look_ups_of_one_name_at_a_time_are_one(echo_server: EchoServer, names: Resolver) -> None:
    clients = [Client(name_of(echo_server)) for _ in range(50)]
    wait_until(lambda: names.asked, "the look-up")
    names.may_answer.set()
    for client in clients:
        client.wait_for(events.Ready)
        client.websocket.close()
    for client in clients:
        assert client.end().graceful
    assert names.asked == [("name.example.org", echo_server.port)]


def test_different_names_are_looked_up_at_the_same_time(
    echo_server: EchoServer, names: Resolver
) -> None:
    clients = [Client(name_of(echo_server, f"{letter}.example.org")) for letter in "abc"]
    wait_until(lambda: len(names.asked) == 3, "the look-ups")
    names.may_answer.set()
    for client in clients:
        client.wait_for(events.Ready)
        client.stop()


def test_name_is_looked_up_again_for_a_later_connection(
    echo_server: EchoServer, names: Resolver
) -> None:
    names.may_answer.set()
    for _ in range(2):
        client = Client(name_of(echo_server))
        client.wait_for(events.Ready)
        client.stop()
    assert len(names.asked) == 2


def test_address_needs_no_resolver(echo_server: EchoServer, names: Resolver) -> None:
    client = Client(WebSocket(echo_server.url))
    client.wait_for(events.Ready)
    client.stop()
    assert names.asked == []


def test_look_up_ends_at_the_deadline_and_is_given_up(
    echo_server: EchoServer, names: Resolver
) -> None:
    watch = Stopwatch()
    clients = [Client(name_of(echo_server), open_timeout=0.2) for _ in range(3)]
    ends = [client.end() for client in clients]
    assert is_in_time(watch.seconds, 0.2)
    assert {(end.name, end.phase, end.kind) for end in ends} == {("connect_fail", "dns", "timeout")}
    wait_until(lambda: names.gave_up, "the end of the look-up")
    assert len(names.asked) == 1


def test_deadline_of_a_look_up_keeps_the_hub_alive(
    echo_server: EchoServer, names: Resolver
) -> None:
    # In the main greenlet, and with a resolver that has nothing to wait for: no LoopExit.
    *_, end = connect(name_of(echo_server), open_timeout=0.1)
    assert (end.name, end.phase, end.kind) == ("connect_fail", "dns", "timeout")  # type: ignore[attr-defined]


def test_who_gives_up_leaves_the_look_up_to_the_others(
    echo_server: EchoServer, names: Resolver
) -> None:
    hasty, patient = Client(name_of(echo_server), open_timeout=0.1), Client(name_of(echo_server))
    assert hasty.end().kind == "timeout"
    names.may_answer.set()
    patient.wait_for(events.Ready)
    patient.stop()
    assert (len(names.asked), names.gave_up) == (1, 0)


def test_who_asks_right_behind_one_that_was_given_up_is_answered(
    echo_server: EchoServer, names: Resolver
) -> None:
    first = Client(name_of(echo_server))
    wait_until(lambda: names.asked, "the look-up")
    first.websocket.close()
    names.may_answer.set()
    second = Client(name_of(echo_server))
    assert first.end().kind == "closed"
    second.wait_for(events.Ready)
    second.stop()


@pytest.mark.parametrize("method", ["close", "force_disconnect"])
def test_closing_ends_a_look_up_at_once(
    echo_server: EchoServer, names: Resolver, method: str
) -> None:
    client = Client(name_of(echo_server))
    wait_until(lambda: names.asked, "the look-up")
    watch = Stopwatch()
    getattr(client.websocket, method)()
    end = client.end()
    assert (end.name, end.phase, end.kind) == ("connect_fail", "dns", "closed")
    assert watch.seconds < 0.25


def test_error_of_the_resolver_reaches_all_who_asked(
    echo_server: EchoServer, names: Resolver
) -> None:
    def fail(*_: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    names.answer = fail
    names.may_answer.set()
    ends = [client.end() for client in [Client(name_of(echo_server)) for _ in range(3)]]
    assert [(end.phase, end.kind, end.retryable) for end in ends] == [("dns", "dns", True)] * 3
    assert all("no such name" in end.reason for end in ends)


def test_error_of_the_resolver_that_is_none_of_the_networks_comes_out(
    echo_server: EchoServer, names: Resolver
) -> None:
    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    names.answer = fail
    names.may_answer.set()
    with pytest.raises(ZeroDivisionError):
        list(connect(name_of(echo_server)))


def test_look_up_that_somebody_kills_is_no_connection(
    echo_server: EchoServer, names: Resolver
) -> None:
    client = Client(name_of(echo_server))
    wait_until(lambda: names.asked, "the look-up")
    for look_ups in resolver._under_way.values():
        gevent.killall(list(look_ups.values()))
    end = client.end()
    assert (end.name, end.kind) == ("connect_fail", "dns")


def test_name_that_cannot_be_encoded_is_no_connection() -> None:
    client = Client(WebSocket(f"ws://{'a' * 63}.{'b' * 63}.invalid:1/"), open_timeout=5)
    assert client.end().phase in ("dns", "tcp")
