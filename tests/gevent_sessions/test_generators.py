"""The iterator of events may be dropped, left, collected, or never begun, wherever that happens.

Its end never waits: it may come in the hub, or in another thread. The socket is closed, and senders
who still wait are told.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from lomond import events
from lomond.errors import TransportFail, WebSocketClosed, WebSocketUnavailable
from lomond.websocket import WebSocket
from lomond_gevent import connect
from tests.gevent_sessions.clients import wait_until
from tests.helpers.conversation import Stopwatch, ThreadTask, Wire, error_of, read_until
from tests.helpers.scripted_server import Peer, ScriptedServer

MIB = 1 << 20
SILENT = [Peer.accept_upgrade, Peer.read_until_end]


def connected_to(server: ScriptedServer, **options: Any) -> tuple[WebSocket, list[Any]]:
    """Connect; return the only reference to the iterator in a list, to be dropped."""
    websocket = WebSocket(server.url, **options)
    stream = connect(websocket)
    read_until(stream, events.Poll)
    return websocket, [stream]


def has_seen_the_end(server: ScriptedServer) -> bool:
    """Tell whether the server has found the connection ended."""
    return all(peer.stream.socket.fileno() < 0 for peer in server.peers)


def drop_here(references: list[Any]) -> None:
    references.clear()


def drop_in_the_hub(references: list[Any]) -> None:
    gevent.get_hub().loop.run_callback(references.clear)


def drop_in_a_greenlet(references: list[Any]) -> None:
    gevent.spawn(references.clear).join()


def drop_in_a_thread(references: list[Any]) -> None:
    ThreadTask(references.clear, ()).result()


def collect_in_a_thread(references: list[Any]) -> None:
    references.append(references[:])
    references[1].append(references[1])  # a cycle, for the collector
    references.clear()
    ThreadTask(gc.collect, ()).result()


WAYS = [drop_here, drop_in_the_hub, drop_in_a_greenlet, drop_in_a_thread, collect_in_a_thread]


@pytest.mark.parametrize("drop", WAYS)
def test_dropping_the_iterator_closes_the_socket(
    wire: Wire, drop: Callable[[list[Any]], None]
) -> None:
    with wire.server(SILENT) as server:
        websocket, references = connected_to(server, **wire.options)
        drop(references)
        wait_until(lambda: has_seen_the_end(server), "the end at the server")
        assert websocket.is_closed
        assert type(error_of(websocket.send_text, "x")) is WebSocketClosed


@pytest.mark.parametrize("drop", WAYS)
def test_dropping_the_iterator_ends_who_sends(tcp: Wire, drop: Callable[[list[Any]], None]) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket, references = connected_to(server)
        sender = gevent.spawn(error_of, websocket.send_binary, bytes(64 * MIB))
        gevent.sleep(0.02)
        assert not sender.ready()
        drop(references)
        assert isinstance(sender.get(timeout=1), TransportFail)


def test_iterator_that_is_never_begun_makes_nothing(tcp: Wire) -> None:
    with tcp.server(SILENT) as server:
        websocket = WebSocket(server.url)
        stream = connect(websocket)
        assert type(error_of(websocket.send_text, "x")) is WebSocketUnavailable
        websocket.close()
        del stream
    assert server.peers == []


def test_iterator_that_is_dropped_at_connected_gives_up_the_upgrade(wire: Wire) -> None:
    with wire.server([Peer.read_request, Peer.read_until_end]) as server:
        stream = connect(wire.websocket(server))
        read_until(stream, events.Connected)
        del stream
        wait_until(lambda: server.peers and has_seen_the_end(server), "the end at the server")


def test_iterating_in_another_thread_is_refused_with_a_clear_error(tcp: Wire) -> None:
    with tcp.server(SILENT) as server:
        websocket, references = connected_to(server)
        error = ThreadTask(error_of, (next, references[0])).result()
        assert isinstance(error, WebSocketUnavailable)
        assert "another thread" in str(error)
        wait_until(lambda: has_seen_the_end(server), "the end at the server")
        assert websocket.is_closed


# ---- the main greenlet -----------------------------------------------------------------------


def test_main_greenlet_may_iterate_alone(wire: Wire) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold(0.1)
        peer.send(b"\x81\x02hi\x88\x02\x03\xe8")

    with wire.server(script) as server:
        # Nothing else keeps the hub alive here: no LoopExit may come of that.
        seen = [event.name for event in connect(wire.websocket(server), poll=60)]
    assert seen[-3:] == ["text", "closing", "disconnected"]


@pytest.mark.parametrize("open_timeout", [None, 20.0])
def test_main_greenlet_may_wait_for_a_name(
    tcp: Wire, monkeypatch: pytest.MonkeyPatch, open_timeout: float | None
) -> None:
    native = threading.Event()

    def getaddrinfo(host: str, port: int, *_rest: Any) -> list[Any]:
        # As gevent's resolver does: in a native thread.
        gevent.get_hub().threadpool.apply(native.wait, (0.1,))
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(gevent.get_hub().resolver, "getaddrinfo", getaddrinfo)
    with tcp.server([Peer.accept_upgrade]) as server:
        stream = connect(f"ws://name.example.org:{server.port}/", open_timeout=open_timeout)
        assert [event.name for event in stream][-2:] == ["poll", "disconnected"]


def test_waiting_for_everything_returns_when_everything_has_ended(tcp: Wire) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold(0.1)
        peer.close()

    with tcp.server(script) as server:
        watch = Stopwatch()
        greenlets = [gevent.spawn(list, connect(tcp.websocket(server))) for _ in range(5)]
        # Polls, pings and their timers would go on for longer.
        assert gevent.wait(timeout=5)
    assert watch.seconds < 3
    assert all(greenlet.value[-1].name == "disconnected" for greenlet in greenlets)


def test_iterator_at_rest_does_not_keep_the_hub_alive(tcp: Wire) -> None:
    with tcp.server(SILENT) as server:
        _websocket, references = connected_to(server)
        watch = Stopwatch()
        assert gevent.wait(timeout=5)
        assert watch.seconds < 1
        del references


def test_bytes_that_are_left_over_do_not_keep_the_hub_alive(tcp: Wire) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket, references = connected_to(server)
        sender = gevent.spawn(websocket.send_binary, bytes(64 * MIB))
        gevent.sleep(0.02)
        sender.kill()
        watch = Stopwatch()
        assert gevent.wait(timeout=5)
        assert watch.seconds < 1
        del references
