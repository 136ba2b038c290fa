"""A handler that sends suspends the loop: meanwhile the session reads ahead, up to 1 MiB.

Two peers who both send before they read would otherwise wait for each other until one of them
gives up. What was read ahead comes after the handler has returned, in its order; pings are answered
and time-outs are checked in the meantime.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lomond import events
from lomond.errors import TransportFail
from lomond.session import WebsocketSession
from tests.helpers.conversation import (
    LATE,
    Clock,
    Stopwatch,
    Wire,
    World,
    converse,
    ending_of,
    error_of,
    names_of,
    shrink_buffers,
    with_small_buffers,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.protocol import tell_all
from tests.helpers.scripted_server import Peer

Session = type[WebsocketSession]

KIB = 1024
MIB = 1024 * KIB
POLL = 0.05
TIMEOUT = 0.2
HALF = bytes(range(256)) * 2 * KIB


def accept(peer: Peer) -> None:
    shrink_buffers(peer.stream.socket)
    peer.accept_upgrade()


def send_before_reading(peer: Peer, pieces: int = 8) -> None:
    """Send 512 KiB, in messages of equal size, and only then read as much."""
    size = len(HALF) // pieces
    for start in range(0, len(HALF), size):
        peer.send(server_frame(0x82, HALF[start : start + size]))
    assert peer.read_frame() == (0x82, HALF)


def close(peer: Peer) -> None:
    peer.send(server_frame(0x88, close_payload(1000)))
    assert peer.read_frame()[0] == 0x88


def test_two_peers_who_both_send_first_hear_each_other(wire: Wire, session_class: Session) -> None:
    with wire.server([accept, send_before_reading, close]) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), ping_rate=0)
        seen = converse(stream, {events.Ready: lambda _: websocket.send_binary(HALF)})
    messages = [event.data for event in seen if isinstance(event, events.Binary)]
    assert b"".join(messages) == HALF
    assert names_of(seen)[2:] == ["ready", *["binary"] * 8, "closing", "disconnected"]
    assert ending_of(seen).graceful


def test_bound_is_for_each_time_that_the_handler_sends(wire: Wire, session_class: Session) -> None:
    def give_word(peer: Peer) -> None:
        peer.send(server_frame(0x81, b"go on"))

    rounds = 3
    script = [accept, *[give_word, send_before_reading] * rounds, close]
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), send_timeout=5, ping_rate=0)
        seen = converse(stream, {events.Text: lambda _: websocket.send_binary(HALF)})
    assert names_of(seen).count("binary") == 8 * rounds
    assert ending_of(seen).graceful


def test_bound_is_for_each_time_also_after_much_was_received(
    tcp: Wire, session_class: Session
) -> None:
    def send_much(peer: Peer) -> None:
        for _ in range(30):
            peer.send(server_frame(0x82, bytes(100 * KIB)))
        peer.send(server_frame(0x81, b"your turn"))

    with tcp.server([accept, send_much, send_before_reading, close]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), send_timeout=5, ping_rate=0)
        seen = converse(stream, {events.Text: lambda _: websocket.send_binary(HALF)})
    assert ending_of(seen).graceful


def test_no_more_than_the_bound_is_read_ahead(wire: Wire, session_class: Session) -> None:
    def flood(peer: Peer) -> None:
        peer.flood(server_frame(0x82, bytes(10 * KIB)))

    received = []

    def send(_event: events.Event) -> None:
        error = error_of(websocket.send_binary, bytes(20 * MIB))
        received.append((type(error), websocket.session.bytes_received))

    with wire.server([accept, flood]) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), send_timeout=TIMEOUT)
        seen = converse(stream, {events.Ready: send})
    (kind, size), *_ = received
    assert kind is TransportFail
    assert MIB <= size <= MIB + 128 * KIB
    # What was read ahead is not lost.
    assert names_of(seen).count("binary") >= MIB // (10 * KIB) - 1
    assert ending_of(seen).kind == "send_timeout"


def test_pings_are_answered_while_the_handler_sends(tcp: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        accept(peer)
        for number in range(3):
            peer.send(server_frame(0x89, b"%d" % number))
        peer.hold(POLL)
        assert peer.read_frame() == (0x82, HALF)
        # The kernel took nothing: of three pings the newest is answered, RFC 6455 §5.5.3.
        assert peer.read_frame() == (0x8A, b"2")

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), ping_rate=0)
        seen = converse(stream, {events.Poll: lambda _: websocket.send_binary(HALF)})
    assert tell_all(seen)[4:7] == [("ping", b"0"), ("ping", b"1"), ("ping", b"2")]


def test_another_sender_reads_ahead_while_a_handler_is_busy(
    tcp: Wire, session_class: Session, world: World
) -> None:
    def be_busy(_event: events.Event) -> None:
        tasks.append(world.spawn(websocket.send_binary, HALF))
        while not is_sent.is_set() and stopwatch.seconds < 5:
            world.sleep(0.01)

    def answer(peer: Peer) -> None:
        is_sent.set()

    is_sent = world.make_event()
    stopwatch = Stopwatch()
    tasks: list[Any] = []
    with tcp.server([accept, send_before_reading, answer, close]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), ping_rate=0)
        seen = converse(stream, {events.Ready: be_busy})
        tasks[0].result()
    assert is_sent.is_set()
    assert stopwatch.seconds < 5
    assert names_of(seen).count("binary") == 8


def test_ping_timeout_ends_a_handlers_send(tcp: Wire, session_class: Session) -> None:
    with tcp.server([accept, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(
            with_small_buffers(session_class), poll=POLL, ping_timeout=TIMEOUT
        )
        errors = []
        start = {events.Ready: lambda _: errors.append(error_of(websocket.send_binary, HALF * 4))}
        clock = Clock(stream, start)
    assert isinstance(errors[0], TransportFail)
    assert clock.end.kind == "ping_timeout"
    assert names_of(clock.events)[-2:] == ["unresponsive", "disconnected"]
    assert TIMEOUT <= clock.until_end() <= 2 * TIMEOUT


@pytest.mark.parametrize("kind", ["fin", "reset"])
def test_peer_that_ends_while_a_handler_sends(tcp: Wire, session_class: Session, kind: str) -> None:
    def script(peer: Peer) -> None:
        accept(peer)
        peer.send(server_frame(0x81, b"last words"))
        peer.hold(POLL)
        if kind == "fin":
            peer.stream.interrupt()
        else:
            peer.reset()

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), ping_rate=0)
        errors = []
        start = {events.Ready: lambda _: errors.append(error_of(websocket.send_binary, HALF * 4))}
        seen = converse(stream, start)
    assert isinstance(errors[0], TransportFail)
    assert names_of(seen)[3:] == ["text", "disconnected"]
    assert ending_of(seen).kind in ("eof", "reset")


def test_exit_event_ends_a_handlers_send(
    tcp: Wire, session_class: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_soon() -> None:
        world.sleep(POLL)
        exit_event.set()

    monkeypatch.setattr("lomond.exchange.EXIT_TIMEOUT", TIMEOUT)
    exit_event = threading.Event()
    errors = []
    with tcp.server([accept, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), exit_event=exit_event)
        world.spawn(set_soon)
        start = {events.Ready: lambda _: errors.append(error_of(websocket.send_binary, HALF * 4))}
        clock = Clock(stream, start)
    assert isinstance(errors[0], TransportFail)
    # An event of threading's is asked for each quarter of a second.
    assert clock.until_end() <= POLL + 0.25 + TIMEOUT + LATE
    assert (clock.end.kind, clock.end.closed_by) == ("close_timeout", "client")


def test_force_disconnect_from_elsewhere_ends_a_handlers_send(
    tcp: Wire, session_class: Session, world: World
) -> None:
    def force_soon() -> None:
        world.sleep(POLL)
        websocket.force_disconnect()

    errors = []
    with tcp.server([accept, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        world.spawn(force_soon)
        start = {events.Ready: lambda _: errors.append(error_of(websocket.send_binary, HALF * 4))}
        clock = Clock(websocket.connect(with_small_buffers(session_class)), start)
    assert isinstance(errors[0], TransportFail)
    assert clock.until_end() <= POLL + LATE
    assert clock.end.kind == "forced"
