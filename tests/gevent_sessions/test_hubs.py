"""What ends a hub, or breaks into it, ends a connection in order: no traceback, nothing left."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import gevent
import psutil
import pytest

from lomond import events
from lomond.websocket import WebSocket
from lomond_gevent import connect
from tests.gevent_sessions.children import run_program
from tests.helpers.conversation import ThreadTask, names_of, read_until
from tests.helpers.echo_server import EchoServer


def connections_to(server: EchoServer) -> int:
    """Count the open sockets of this process that lead to a server."""
    connections = psutil.Process().net_connections(kind="tcp")
    return sum(bool(each.raddr) and each.raddr.port == server.port for each in connections)


@pytest.mark.parametrize("destroy_loop", [True, False])
def test_iterator_of_a_destroyed_hub_ends_with_disconnected(
    echo_server: EchoServer, destroy_loop: bool
) -> None:
    def run() -> list[events.Event]:
        stream = connect(echo_server.url)
        read_until(stream, events.Poll)
        gevent.get_hub().destroy(destroy_loop=destroy_loop)
        rest = list(stream)
        gevent.get_hub().destroy(destroy_loop=True)
        return rest

    rest = ThreadTask(run, ()).result()
    assert names_of(rest) == ["disconnected"]
    assert "hub" in rest[0].reason  # type: ignore[attr-defined]
    assert connections_to(echo_server) == 0


def test_greenlet_that_outlives_its_hub_closes_its_socket(
    echo_server: EchoServer, capfd: pytest.CaptureFixture[str]
) -> None:
    def run() -> bool:
        greenlet = gevent.spawn(list, connect(echo_server.url))
        gevent.sleep(0.1)
        gevent.get_hub().destroy()
        # When the greenlet has ended, its hub is the next to run, but cannot.
        with suppress(AttributeError):
            greenlet.throw(gevent.GreenletExit)
        return greenlet.dead

    assert ThreadTask(run, ()).result()
    assert connections_to(echo_server) == 0
    assert capfd.readouterr().err == ""


def test_two_hubs_run_side_by_side(echo_server: EchoServer) -> None:
    def converse(number: int) -> list[str]:
        websocket = WebSocket(echo_server.url)
        seen = []
        for event in connect(websocket):
            seen.append(event)
            if isinstance(event, events.Ready):
                websocket.send_text(str(number))
            elif isinstance(event, events.Text):
                websocket.close()
        gevent.get_hub().destroy()
        return names_of(seen)

    threads = [ThreadTask(converse, (number,)) for number in range(4)]
    for thread in threads:
        assert thread.result()[-3:] == ["text", "closed", "disconnected"]


def test_interrupt_while_iterating_closes_the_socket(echo_server: EchoServer) -> None:
    result: Any = run_program("interrupted", "iterating", echo_server.url, may_complain=True)
    assert (result["caught"], result["is_closed"]) == ("KeyboardInterrupt", True)


def test_interrupt_of_the_main_greenlet_leaves_the_others_their_connections(
    echo_server: EchoServer,
) -> None:
    result: Any = run_program("interrupted", "joining", echo_server.url, may_complain=True)
    assert (result["caught"], result["is_closed"]) == ("KeyboardInterrupt", False)
    assert result["seen"][-2:] == ["closed", "disconnected"]


def test_sessions_use_no_thread_but_the_resolvers(echo_server: EchoServer) -> None:
    before = threading.active_count()
    stream = connect(echo_server.url)
    read_until(stream, events.Poll)
    assert threading.active_count() == before
    del stream
