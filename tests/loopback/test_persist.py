"""Connections that come back, for real, with small waits.

RFC 6455 §7.2.3: "clients SHOULD use some form of backoff when trying to reconnect after abnormal
closures". How long the waits are is decided, and tested, without a clock; here is what is waited
for. How `exit_event` ends it is in `test_exit_event`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

import lomond_gevent
from lomond import WebSocket, events
from lomond.persist import persist
from lomond.session import WebsocketSession
from tests.helpers.conversation import (
    LATE,
    Stopwatch,
    Wire,
    names_of,
    open_sockets_to,
    read_until,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

Session = type[WebsocketSession]

CLOSE = server_frame(0x88, close_payload(1000))
SERVE = [Peer.accept_upgrade, server_frame(0x81, b"hi") + CLOSE, Peer.read_frame]
SHORT = {"min_wait": 0.05, "max_wait": 0.1}


def take(stream: Iterator[events.Event], kind: type[events.Event], count: int) -> list[Any]:
    """Read until there were so many events of a class, and return all events."""
    seen: list[Any] = []
    while sum(isinstance(event, kind) for event in seen) < count:
        seen.append(next(stream))
    return seen


# ---- coming back -----------------------------------------------------------------------------


def test_connection_comes_back_each_time_that_it_ends(wire: Wire, session_class: Session) -> None:
    with wire.server(SERVE) as server:
        websocket = wire.websocket(server)
        stream = persist(websocket, session_class=session_class, ping_rate=0, **SHORT)
        stopwatch = Stopwatch()
        seen = take(stream, events.BackOff, 3)
        stream.close()
    once = ["connecting", "connected", "ready", "text", "closing", "disconnected", "back_off"]
    assert names_of(seen) == once * 3
    assert all(0.05 <= e.delay <= 0.1 for e in seen if isinstance(e, events.BackOff))
    assert 0.1 <= stopwatch.seconds < 2.0


def test_server_that_comes_up_late_is_found(tcp: Wire, session_class: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    stream = persist(WebSocket(f"ws://127.0.0.1:{port}"), session_class=session_class, **SHORT)
    seen = take(stream, events.BackOff, 2)
    assert names_of(seen) == ["connecting", "connect_fail", "back_off"] * 2
    server = ScriptedServer(SERVE)
    # At the address where the first attempts found nobody.
    server._listener.close()
    server._listener = socket.create_server(("127.0.0.1", port))
    with server:
        read_until(stream, events.Ready)
        stream.close()


def test_headers_and_keys_are_fresh_at_each_attempt(tcp: Wire, session_class: Session) -> None:
    tokens = iter("abc")
    with tcp.server(SERVE) as server:
        websocket = tcp.websocket(server, headers=lambda: [("X-Token", next(tokens))])
        stream = persist(websocket, session_class=session_class, **SHORT)
        take(stream, events.BackOff, 3)
        stream.close()
    requests = [peer.request.split(b"\r\n") for peer in server.peers]
    assert [lines[1] for lines in requests] == [b"X-Token: a", b"X-Token: b", b"X-Token: c"]
    keys = {line for lines in requests for line in lines if line.startswith(b"Sec-WebSocket-Key")}
    assert len(keys) == 3


def test_messages_are_sent_on_the_connection_of_the_moment(
    tcp: Wire, session_class: Session
) -> None:
    def echo_once(peer: Peer) -> None:
        peer.accept_upgrade()
        texts.append(peer.read_frame()[1])
        peer.reset()

    texts: list[bytes] = []
    with tcp.server(echo_once) as server:
        websocket = tcp.websocket(server)
        stream = persist(websocket, session_class=session_class, ping_rate=0, **SHORT)
        while len(texts) < 3:
            if isinstance(next(stream), events.Ready):
                websocket.send_text(str(len(texts)))
        stream.close()
    assert texts == [b"0", b"1", b"2"]


def test_options_of_connect_reach_each_connection(tcp: Wire, session_class: Session) -> None:
    with tcp.server([Peer.read_until_end]) as server:
        stream = persist(
            tcp.websocket(server), session_class=session_class, open_timeout=0.1, **SHORT
        )
        seen = take(stream, events.BackOff, 2)
    assert [e.kind for e in seen if isinstance(e, events.Disconnected)] == ["timeout"] * 2


def test_silent_server_is_left_after_twice_the_ping_rate(tcp: Wire, session_class: Session) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        stream = persist(tcp.websocket(server), 5, 0.05, 0.1, 0.15, session_class=session_class)
        seen = take(stream, events.BackOff, 1)
    assert names_of(seen)[3:] == ["unresponsive", "disconnected", "back_off"]
    assert 0.3 <= seen[-3].silence <= 0.3 + LATE


def test_short_spelling_takes_a_url(tcp: Wire) -> None:
    with tcp.server(SERVE) as server:
        stream = lomond_gevent.persist(server.url, **SHORT)
        names = names_of(take(stream, events.BackOff, 1))
        stream.close()
        again = names_of(lomond_gevent.connect(server.url, ping_rate=0))
    assert names[0] == again[0] == "connecting"
    assert again[-1] == "disconnected"


# ---- how long to wait ------------------------------------------------------------------------


def refuse(status: int, *headers: str) -> list[Any]:
    head = [f"HTTP/1.1 {status} No", "Content-Length: 0", *headers, "", ""]
    return [Peer.read_request, "\r\n".join(head).encode()]


def first_delay(wire: Wire, session_class: Session, script: list[Any], **options: Any) -> float:
    with wire.server(script) as server:
        stream = persist(wire.websocket(server), session_class=session_class, **options)
        delay: float = take(stream, events.BackOff, 1)[-1].delay
        stream.close()
    return delay


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusal_that_is_not_worth_repeating_waits_max_wait(
    tcp: Wire, session_class: Session, status: int
) -> None:
    assert first_delay(tcp, session_class, refuse(status), min_wait=1, max_wait=42) == 42


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 8),
        ("0", 1, 2),
        ("99999999", 300, 300),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300, 300),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1, 2),
    ],
)
def test_retry_after_is_respected_within_limits(
    tcp: Wire, session_class: Session, value: str, least: float, most: float
) -> None:
    script = refuse(503, f"Retry-After: {value}")
    assert least <= first_delay(tcp, session_class, script, min_wait=1, max_wait=2) <= most


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "-5", "soon", ""])
def test_retry_after_that_says_nothing_is_ignored(
    tcp: Wire, session_class: Session, value: str
) -> None:
    script = refuse(503, f"Retry-After: {value}")
    assert 1 <= first_delay(tcp, session_class, script, min_wait=1, max_wait=2) <= 2


def test_retry_after_is_ignored_where_it_is_not_to_be_respected(
    tcp: Wire, session_class: Session
) -> None:
    script = refuse(503, "Retry-After: 200")
    delay = first_delay(
        tcp, session_class, script, min_wait=1, max_wait=2, respect_retry_after=False
    )
    assert 1 <= delay <= 2


def test_leaving_the_loop_closes_the_connection(wire: Wire, session_class: Session) -> None:
    with wire.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = wire.websocket(server)
        for event in persist(websocket, session_class=session_class):
            if isinstance(event, events.Ready):
                break
        del event
        assert open_sockets_to(server) == []
    assert websocket.is_closed
