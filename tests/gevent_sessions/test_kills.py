"""`GreenletExit` and `gevent.Timeout` pass through, whatever the greenlet is waiting for.

Both are BaseExceptions, and no business of a client's: nothing catches them, and nothing is left of
the connection. That no watcher, timer, greenlet or socket is, is for the fixtures to find.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import gevent
import pytest
from gevent.event import Event as Signal

from lomond import events
from lomond.persist import persist
from lomond.websocket import WebSocket
from lomond_gevent import GeventSession, connect
from tests.gevent_sessions.clients import Client
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import Wire, make_wire, patch_resolver, with_small_buffers
from tests.helpers.scripted_server import Peer, ScriptedServer

MIB = 1 << 20
SMALL = with_small_buffers(GeventSession)

Step: TypeAlias = Callable[[], object]
"""What a greenlet does that, at its end, waits for something that does not come."""


class Places:
    """Where a greenlet can wait. Each method returns a function that gets there and no further."""

    def __init__(self, stack: ExitStack, monkeypatch: Any, certificates: Certificates) -> None:
        self._stack = stack
        self._monkeypatch = monkeypatch
        self._certificates = certificates

    def look_up(self) -> Step:
        patch_resolver(self._monkeypatch, lambda _host, _port: Signal().wait())
        return lambda: list(connect("ws://slow.example.org/"))

    def tcp(self) -> Step:
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            # They take the places in the listener's queue.
            filler = self._stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        return lambda: list(connect("ws://{}:{}/".format(*listener.getsockname())))

    def proxy(self) -> Step:
        server = self._serve("tcp", [Peer.read_request, Peer.hold])
        proxies = {"http": server.url.replace("ws:", "http:")}
        return lambda: list(connect(WebSocket("ws://name.example.org/", proxies=proxies)))

    def tls(self) -> Step:
        server = self._serve("tcp", [Peer.hold])
        return lambda: list(connect(server.url.replace("ws:", "wss:")))

    def handshake(self) -> Step:
        server = self._serve("tcp", [Peer.read_request, Peer.hold])
        return lambda: list(connect(server.url))

    def reading(self) -> Step:
        server = self._serve("tcp", [Peer.accept_upgrade, Peer.hold])
        return lambda: list(connect(server.url))

    def reading_tls(self) -> Step:
        server = self._serve("tls", [Peer.accept_upgrade, Peer.hold])
        return lambda: list(connect(WebSocket(server.url, ssl_cafile=self._certificates.ca_file)))

    def sending_in_the_handler(self) -> Step:
        server = self._serve("tcp", [Peer.accept_upgrade, Peer.hold])

        def converse() -> None:
            websocket = WebSocket(server.url)
            for event in websocket.connect(SMALL):
                if isinstance(event, events.Ready):
                    websocket.send_binary(bytes(8 * MIB))

        return converse

    def sending(self) -> Step:
        client = self._connect()
        return lambda: client.websocket.send_binary(bytes(8 * MIB))

    def in_line(self) -> Step:
        client = self._connect()
        sender = gevent.spawn(client.websocket.send_binary, bytes(8 * MIB))
        self._stack.callback(sender.kill)
        gevent.sleep(0)
        return lambda: client.websocket.send_binary(b"behind it")

    def back_off(self) -> Step:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        websocket = WebSocket(f"ws://127.0.0.1:{port}/")
        return lambda: list(persist(websocket, session_class=GeventSession))

    def back_off_with_exit_event(self) -> Step:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        websocket = WebSocket(f"ws://127.0.0.1:{port}/")
        return lambda: list(persist(websocket, session_class=GeventSession, exit_event=Signal()))

    def _connect(self) -> Client:
        server = self._serve("tcp", [Peer.accept_upgrade, Peer.hold])
        client = Client(WebSocket(server.url), small_buffers=True)
        client.wait_for(events.Ready)
        self._stack.callback(client.end)
        self._stack.callback(client.websocket.force_disconnect)
        return client

    def _serve(self, wire: str, script: Any) -> ScriptedServer:
        return self._stack.enter_context(make_wire(wire, self._certificates).server(script))


PLACES = [name for name in vars(Places) if not name.startswith("_")]


@pytest.fixture(params=PLACES)
def wait_there(
    request: pytest.FixtureRequest, monkeypatch: Any, certificates: Certificates
) -> Iterator[Step]:
    """A function that gets to one of the places."""
    with ExitStack() as stack:
        yield getattr(Places(stack, monkeypatch, certificates), request.param)()


def test_kill_passes_through(wait_there: Step) -> None:
    passed: list[type[BaseException]] = []

    def note() -> None:
        try:
            wait_there()
        except BaseException as error:
            passed.append(type(error))
            raise

    greenlet = gevent.spawn(note)
    gevent.sleep(0.1)
    assert not greenlet.ready()
    greenlet.kill()
    assert passed == [gevent.GreenletExit]


def test_timeout_passes_through(wait_there: Step) -> None:
    with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.1) as timeout:
        wait_there()
    assert caught.value is timeout


def test_timeout_around_one_step_ends_the_connection(tcp: Wire) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        stream = connect(websocket)
        with gevent.Timeout(0.1, False):
            while True:
                next(stream)
        assert websocket.is_closed
        assert list(stream) == []
