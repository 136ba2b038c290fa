"""Every phase has a deadline: nothing that a peer does can hold a client past it.

No terminal event comes before its deadline, none more than `LATE` seconds after it. Up to
`Connected` it is `ConnectFail`, behind that `Disconnected`. What the deadlines of a connection
that is ready are is in `test_heartbeat`.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lomond import WebSocket
from lomond.session import WebsocketSession
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import (
    Clock,
    Wire,
    World,
    is_in_time,
    make_wire,
    names_of,
    patch_resolver,
)
from tests.helpers.scripted_server import Peer
from tests.helpers.streams import make_stream

Session = type[WebsocketSession]

TIMEOUT = 0.2
DRIP = 0.02


def check_time_out(clock: Clock, name: str, phase: str) -> None:
    end = clock.end
    assert (end.name, end.phase, end.kind, end.retryable) == (name, phase, "timeout", True)
    assert "time" in end.reason
    assert is_in_time(clock.until_end(), TIMEOUT), clock.times


def drip(peer: Peer, data: bytes) -> None:
    """Send a byte at a time until the client has had enough."""
    with contextlib.suppress(OSError):
        peer.send_slowly(data * 1_000, pause=DRIP)


# ---- the upgrade -----------------------------------------------------------------------------


def test_server_that_accepts_and_says_nothing(wire: Wire, session_class: Session) -> None:
    with wire.server([Peer.read_until_end]) as server:
        websocket = wire.websocket(server)
        clock = Clock(websocket.connect(session_class, poll=0.1, open_timeout=TIMEOUT))
    # No poll comes before the connection is ready.
    assert [event.name for event in clock.events] == ["connecting", "connected", "disconnected"]
    check_time_out(clock, "disconnected", "handshake")


def test_server_that_drips_a_header(tcp: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
        drip(peer, b"x")

    with tcp.server(script) as server:
        clock = Clock(tcp.websocket(server).connect(session_class, open_timeout=TIMEOUT))
    check_time_out(clock, "disconnected", "handshake")


def test_server_that_drips_interim_answers(tcp: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        drip(peer, b"HTTP/1.1 100 Continue\r\n\r\n")

    with tcp.server(script) as server:
        clock = Clock(tcp.websocket(server).connect(session_class, open_timeout=TIMEOUT))
    check_time_out(clock, "disconnected", "handshake")


def test_refusal_whose_body_never_ends_is_told_after_a_moment(
    tcp: Wire, session_class: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 10000\r\n\r\nno")
        drip(peer, b"o")

    monkeypatch.setattr("lomond.protocol.client.REFUSAL_BODY_WAIT", TIMEOUT)
    with tcp.server(script) as server:
        clock = Clock(tcp.websocket(server).connect(session_class))
    assert names_of(clock.events) == ["connecting", "connected", "rejected", "disconnected"]
    rejected: Any = clock.events[2]
    assert rejected.response.body.startswith(b"noooo")
    assert is_in_time(clock.until_end(), TIMEOUT)


def test_open_timeout_of_none_waits_on(tcp: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.hold(TIMEOUT)
        peer.accept_upgrade()

    with tcp.server(script) as server:
        clock = Clock(tcp.websocket(server).connect(session_class, open_timeout=None))
    assert "ready" in names_of(clock.events)


# ---- TLS -------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [b"", b"\x16\x03\x03\x40\x00\x02"])
def test_server_that_says_nothing_in_tls_or_drips(
    tcp: Wire, session_class: Session, record: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.send(record)
        if record:
            drip(peer, b"\x00")
        peer.read_until_end()

    with tcp.server(script) as server:
        websocket = WebSocket(server.url.replace("ws:", "wss:"))
        clock = Clock(websocket.connect(session_class, open_timeout=TIMEOUT))
    check_time_out(clock, "connect_fail", "tls")


def test_time_that_tls_took_is_missing_for_the_upgrade(
    tcp: Wire, certificates: Certificates, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.hold(TIMEOUT / 2)
        peer.stream = make_stream(peer.stream.socket, certificates.server_context())
        peer.stream.handshake()
        peer.hold()

    with tcp.server(script) as server:
        url = server.url.replace("ws:", "wss:")
        websocket = WebSocket(url, **make_wire("tls", certificates).options)
        clock = Clock(websocket.connect(session_class, open_timeout=TIMEOUT))
    assert clock.events[1].timings["tls"] >= TIMEOUT / 2  # type: ignore[attr-defined]
    check_time_out(clock, "disconnected", "handshake")


# ---- TCP -------------------------------------------------------------------------------------


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """An address where packets get lost: a listener whose queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        yield address
        for filler in fillers:
            filler.close()


def test_server_that_does_not_accept(black_hole: tuple[str, int], session_class: Session) -> None:
    websocket = WebSocket(f"ws://127.0.0.1:{black_hole[1]}")
    clock = Clock(websocket.connect(session_class, open_timeout=TIMEOUT))
    check_time_out(clock, "connect_fail", "tcp")


def addresses(*pairs: tuple[str, int]) -> list[Any]:
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    return [(*kind, pair) for pair in pairs]


def test_address_that_does_not_accept_leaves_time_for_the_next(
    black_hole: tuple[str, int],
    tcp: Wire,
    session_class: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tcp.server([Peer.accept_upgrade]) as server:
        patch_resolver(monkeypatch, lambda *_: addresses(black_hole, server.address))
        websocket = WebSocket("ws://two.example.org")
        clock = Clock(websocket.connect(session_class, open_timeout=TIMEOUT))
    assert names_of(clock.events)[:3] == ["connecting", "connected", "ready"]


# ---- DNS -------------------------------------------------------------------------------------


def test_resolver_that_does_not_answer(
    session_class: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = world.make_event()
    patch_resolver(monkeypatch, lambda *_: is_over.wait() and [])
    websocket = WebSocket("ws://slow.example.org")
    try:
        clock = Clock(websocket.connect(session_class, open_timeout=TIMEOUT))
    finally:
        is_over.set()
    check_time_out(clock, "connect_fail", "dns")


def test_resolver_that_answers_late_leaves_less_time_for_the_rest(
    session_class: Session, world: World, tcp: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_host: str, _port: int) -> list[Any]:
        world.sleep(TIMEOUT / 2)
        return addresses(server.address)

    with tcp.server([Peer.read_until_end]) as server:
        patch_resolver(monkeypatch, answer)
        websocket = WebSocket("ws://late.example.org")
        clock = Clock(websocket.connect(session_class, open_timeout=TIMEOUT))
    check_time_out(clock, "disconnected", "handshake")


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_name_that_is_not_known(
    session_class: Session, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def answer(_host: str, _port: int) -> list[Any]:
        raise socket.gaierror(number, "Name or service not known")

    patch_resolver(monkeypatch, answer)
    end = Clock(WebSocket("ws://unknown.example.org").connect(session_class)).end
    assert (end.name, end.phase, end.kind) == ("connect_fail", "dns", "dns")
    assert end.reason == f"unable to connect; [Errno {number}] Name or service not known"
    assert isinstance(end.error, socket.gaierror)
