"""Sends and closes come from other threads, too: in order, with their errors, and never for ever.

They are handed to the session's hub, and the thread waits for the outcome. It may have a hub of its
own, whose other greenlets go on meanwhile; and the session's hub may be busy, or have ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from gevent._hub_local import get_hub_if_exists

from lomond import events
from lomond.errors import (
    TransportFail,
    WebSocketClosed,
    WebSocketClosing,
    WebSocketUnavailable,
)
from lomond.websocket import WebSocket
from lomond_gevent import GeventSession, connect
from tests.gevent_sessions.clients import Client, wait_until
from tests.helpers.conversation import Stopwatch, ThreadTask, Wire, error_of, read_until
from tests.helpers.echo_server import EchoServer
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer

MIB = 1 << 20


def with_hub(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as a thread with a hub of its own runs it."""

    def run(*args: Any) -> Any:
        gevent.sleep(0)
        try:
            return function(*args)
        finally:
            gevent.get_hub().destroy()

    return run


def result_of(task: ThreadTask) -> Any:
    """Wait for a thread while the greenlets of this one go on."""
    wait_until(lambda: not task.is_alive(), "the thread")
    return task.result()


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


KINDS = pytest.mark.parametrize("kind", [as_it_is, with_hub], ids=["thread", "thread with hub"])


@KINDS
def test_sends_of_a_thread_arrive_in_order(echo_server: EchoServer, kind: Any) -> None:
    texts = [f"{number} from a thread" for number in range(50)]

    def send() -> None:
        for text in texts:
            client.websocket.send_text(text)

    client = Client(WebSocket(echo_server.url))
    client.wait_for(events.Ready)
    result_of(ThreadTask(kind(send), ()))
    client.wait_for(events.Text, len(texts))
    client.stop()
    assert [event.text for event in client.events if isinstance(event, events.Text)] == texts


def test_sends_of_threads_and_greenlets_mix_whole(wire: Wire) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        for _ in range(40):
            first, payload = peer.read_frame()
            assert (first, len(set(payload)), len(payload)) == (0x82, 1, 50_000)
        peer.send(server_frame(0x88, close_payload(1000)))

    def send(number: int) -> None:
        for _ in range(10):
            client.websocket.send_binary(bytes([number]) * 50_000)

    with wire.server(script) as server:
        client = Client(wire.websocket(server), small_buffers=True, ping_rate=0)
        client.wait_for(events.Ready)
        threads = [ThreadTask(send, (1,)), ThreadTask(with_hub(send), (2,))]
        gevent.joinall([gevent.spawn(send, number) for number in (3, 4)], raise_error=True)
        for thread in threads:
            result_of(thread)
        assert client.end().graceful


def test_thread_that_sends_gets_no_hub_of_its_own(echo_server: EchoServer) -> None:
    def send() -> object:
        client.websocket.send_text("x")
        return get_hub_if_exists()

    client = Client(WebSocket(echo_server.url))
    client.wait_for(events.Ready)
    assert result_of(ThreadTask(send, ())) is None
    client.stop()


@KINDS
def test_errors_are_raised_in_the_thread_that_caused_them(wire: Wire, kind: Any) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        assert peer.read_frame()[0] == 0x88
        peer.hold()

    def note_error(event: events.Event) -> None:
        if isinstance(event, (events.Connecting, events.Ready, events.Disconnected)):
            if isinstance(event, events.Ready):
                result_of(ThreadTask(kind(websocket.close), (4000,)))
            send = kind(lambda: error_of(websocket.send_text, "x"))
            errors.append(type(result_of(ThreadTask(send, ()))))

    errors: list[Any] = []
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        Client(websocket, note_error, ping_rate=0, close_timeout=0.2).end()
    assert errors == [WebSocketUnavailable, WebSocketClosing, WebSocketClosed]


@KINDS
def test_thread_that_sends_too_much_gives_up_at_send_timeout(tcp: Wire, kind: Any) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        client = Client(tcp.websocket(server), small_buffers=True, send_timeout=0.3)
        client.wait_for(events.Ready)
        send = kind(lambda: error_of(client.websocket.send_binary, bytes(8 * MIB)))
        error = result_of(ThreadTask(send, ()))
        assert isinstance(error, TransportFail)
        assert client.end().kind == "send_timeout"


@KINDS
@pytest.mark.parametrize("method", ["close", "force_disconnect"])
def test_thread_that_closes_wakes_the_reader_at_once(wire: Wire, kind: Any, method: str) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        if method == "close":
            assert peer.read_frame() == (0x88, close_payload(1000, "goodbye"))
            peer.send(server_frame(0x88, close_payload(1000)))
        else:
            peer.read_until_end()

    with wire.server(script) as server:
        client = Client(wire.websocket(server), poll=60, ping_rate=0)
        client.wait_for(events.Ready)
        watch = Stopwatch()
        result_of(ThreadTask(kind(getattr(client.websocket, method)), ()))
        assert client.end().kind == ("closed" if method == "close" else "forced")
    assert watch.seconds < 1


def test_greenlets_of_a_thread_with_hub_go_on_while_one_of_them_sends(tcp: Wire) -> None:
    ticks: list[float] = []

    def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            gevent.sleep(0.01)

    def send() -> Exception | None:
        ticker = gevent.spawn(tick)
        try:
            return error_of(client.websocket.send_binary, bytes(8 * MIB))
        finally:
            ticker.kill()

    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        client = Client(tcp.websocket(server), small_buffers=True, send_timeout=0.3)
        client.wait_for(events.Ready)
        assert isinstance(result_of(ThreadTask(with_hub(send), ())), TransportFail)
        client.end()
    assert len(ticks) > 10


def test_hubs_that_send_through_each_other_do_not_stop_each_other(echo_server: EchoServer) -> None:
    websockets = [WebSocket(echo_server.url) for _ in range(2)]
    both_ready = threading.Barrier(2)

    def converse(own: WebSocket, other: WebSocket) -> list[str]:
        texts = []
        for event in own.connect(session_class=GeventSession):
            if isinstance(event, events.Ready):
                both_ready.wait(10)
                for number in range(50):
                    other.send_text(str(number))
            elif isinstance(event, events.Text):
                texts.append(event.text)
                if len(texts) == 50:
                    own.close()
        return texts

    threads = [
        ThreadTask(with_hub(converse), tuple(pair)) for pair in (websockets, websockets[::-1])
    ]
    for thread in threads:
        assert thread.result() == [str(number) for number in range(50)]


def test_worker_of_the_hubs_own_thread_pool_may_send(echo_server: EchoServer) -> None:
    client = Client(WebSocket(echo_server.url))
    client.wait_for(events.Ready)
    gevent.get_hub().threadpool.apply(client.websocket.send_text, ("from a worker",))
    assert client.wait_for(events.Text).text == "from a worker"
    client.stop()


# ---- hubs that are busy, or have ended -------------------------------------------------------


@contextmanager
def connection_of_a_thread(url: str, how: str) -> Iterator[WebSocket]:
    """Connect in a thread that then ends, with its hub destroyed or left as it was."""
    websocket = WebSocket(url)
    kept: list[Any] = []

    def run() -> None:
        stream = connect(websocket)
        read_until(stream, events.Poll)
        kept.append(stream)
        kept.append(gevent.get_hub())
        if how == "destroyed":
            gevent.get_hub().destroy()

    ThreadTask(run, ()).result()
    _, hub = kept
    # The interpreter takes the thread apart behind its end, and greenlet what ran in it.
    wait_until(lambda: hub.dead or hub.loop is None, "end of the hub")
    yield websocket


@pytest.mark.parametrize("how", ["ended", "destroyed"])
def test_send_to_a_hub_that_is_gone_is_an_error(echo_server: EchoServer, how: str) -> None:
    with connection_of_a_thread(echo_server.url, how) as websocket:
        watch = Stopwatch()
        error = error_of(websocket.send_text, "x")
    assert type(error) is WebSocketUnavailable
    assert "hub" in str(error)
    assert watch.seconds < 1


@pytest.mark.parametrize("how", ["ended", "destroyed"])
@pytest.mark.parametrize("method", ["close", "force_disconnect"])
def test_close_closes_the_socket_of_a_hub_that_is_gone(tcp: Wire, how: str, method: str) -> None:
    with (
        tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server,
        connection_of_a_thread(server.url, how) as websocket,
    ):
        getattr(websocket, method)()
        assert websocket.is_closed


def test_thread_does_not_wait_for_ever_for_a_hub_that_is_busy(echo_server: EchoServer) -> None:
    client = Client(WebSocket(echo_server.url), send_timeout=0.1)
    client.wait_for(events.Ready)
    # This hub does nothing while its thread waits for another in the plain way.
    error = ThreadTask(error_of, (client.websocket.send_text, "too late")).result()
    assert isinstance(error, TransportFail)
    ThreadTask(client.websocket.close, ()).result()
    assert client.end().graceful
    assert client.count(events.Text) == 0
