"""A descriptor is closed after its watchers, and never under one.

Its number soon belongs to another connection, whose bytes a watcher that was left behind would hand
to the wrong reader.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from lomond import events
from lomond.websocket import WebSocket
from lomond_gevent import GeventSession
from lomond_gevent.transport import GeventTransport
from tests.gevent_sessions.clients import Client
from tests.gevent_sessions.watchers import watched_descriptors
from tests.helpers.conversation import ThreadTask, Wire, shrink_buffers
from tests.helpers.echo_server import EchoServer
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer

MIB = 1 << 20


class SuspiciousSocket(socket.socket):
    """A socket that looks around when it is closed."""

    closed: list[int] = []  # noqa: RUF012  # descriptors
    closed_under_a_watcher: list[int] = []  # noqa: RUF012

    def close(self) -> None:
        if self.fileno() >= 0:
            self.closed.append(self.fileno())
            if self.fileno() in watched_descriptors():
                self.closed_under_a_watcher.append(self.fileno())
        super().close()


class SuspiciousTransport(GeventTransport):
    """A transport on such sockets."""

    def make_socket(self, address: Any) -> socket.socket:
        made = SuspiciousSocket(*address[:3])
        shrink_buffers(made)
        return made


class SuspiciousSession(GeventSession):
    """A session on such sockets."""

    transport_class = SuspiciousTransport


@pytest.fixture(autouse=True)
def forget() -> None:
    """Begin with no sockets closed."""
    SuspiciousSocket.closed.clear()
    SuspiciousSocket.closed_under_a_watcher.clear()


def answer_close(peer: Peer) -> None:
    peer.accept_upgrade()
    peer.read_frame()
    peer.send(server_frame(0x88, close_payload(1000)))


def hold(peer: Peer) -> None:
    peer.accept_upgrade()
    peer.hold()


def reset(peer: Peer) -> None:
    peer.accept_upgrade()
    peer.reset()


ENDINGS: dict[str, tuple[Callable[[Peer], object], Callable[[Client], object]]] = {
    "the server ends it": (Peer.accept_upgrade, lambda _: None),
    "the server resets it": (reset, lambda _: None),
    "close": (answer_close, lambda client: client.websocket.close()),
    "force_disconnect": (hold, lambda client: client.websocket.force_disconnect()),
    "force_disconnect in a thread": (
        hold,
        lambda client: ThreadTask(client.websocket.force_disconnect, ()),
    ),
    "kill": (hold, lambda client: client.greenlet.kill()),
}


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("is_sending", [False, True], ids=["reading", "reading and sending"])
def test_watchers_are_stopped_before_the_descriptor_is_closed(
    tcp: Wire, how: str, is_sending: bool
) -> None:
    script, end = ENDINGS[how]
    with tcp.server(script) as server:
        client = Client(tcp.websocket(server), session_class=SuspiciousSession, ping_rate=0)
        client.wait_for(events.Ready)
        if is_sending and how != "close":
            gevent.spawn(_send_too_much, client.websocket)
            gevent.sleep(0.01)
        end(client)
        client.greenlet.join(5)
    assert len(SuspiciousSocket.closed) == 1
    assert SuspiciousSocket.closed_under_a_watcher == []


def _send_too_much(websocket: WebSocket) -> None:
    try:
        websocket.send_binary(bytes(8 * MIB))
    except Exception:
        return


def test_address_that_fails_leaves_no_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = "ws://{}:{}/".format(*full.getsockname())
        client = Client(WebSocket(url), session_class=SuspiciousSession, open_timeout=0.1)
        assert client.end().kind == "timeout"
        for filler in fillers:
            filler.close()
    assert len(SuspiciousSocket.closed) == 1
    assert SuspiciousSocket.closed_under_a_watcher == []


def test_number_that_is_used_again_has_the_right_reader(echo_server: EchoServer) -> None:
    first = Client(WebSocket(echo_server.url), session_class=SuspiciousSession)
    first.wait_for(events.Ready)
    first.websocket.force_disconnect()
    second = Client(WebSocket(echo_server.url), session_class=SuspiciousSession)
    second.wait_for(events.Ready)
    for number in range(5):
        second.websocket.send_text(str(number))
        second.wait_for(events.Text, number + 1)
    first.end()
    second.stop()
    assert SuspiciousSocket.closed[0] == SuspiciousSocket.closed[1]
    assert first.count(events.Text) == 0


def test_hundreds_that_come_and_go_get_their_own_bytes(echo_server: EchoServer) -> None:
    def come_and_go(number: int) -> None:
        for turn in range(4):
            websocket = WebSocket(echo_server.url)
            for event in websocket.connect(GeventSession, ping_rate=0):
                if isinstance(event, events.Ready):
                    websocket.send_text(f"{number} {turn}")
                elif isinstance(event, events.Text):
                    assert event.text == f"{number} {turn}"
                    [websocket.close, websocket.force_disconnect][turn % 2]()

    gevent.joinall([gevent.spawn(come_and_go, number) for number in range(50)], raise_error=True)
