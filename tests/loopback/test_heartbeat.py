"""Polls, pings and time-outs of a connection that is ready, on a real clock.

"Any received byte proves life; the ping time-out counts from the last byte, and data already in
the kernel's buffer is read before judging." Polls come in step, whatever the peer does: also
behind half a frame, or half a TLS record.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from lomond import events
from lomond.session import WebsocketSession
from tests.helpers.conversation import LATE, Clock, Wire, World, is_in_time, names_of
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer

Session = type[WebsocketSession]

POLL = 0.05
TIMEOUT = 0.2
NEVER_ANSWERED = [
    Peer.accept_upgrade,
    Peer.read_until_end,
]


# ---- polls -----------------------------------------------------------------------------------


def test_polls_come_in_step_on_an_idle_connection(tcp: Wire, session_class: Session) -> None:
    with tcp.server([Peer.accept_upgrade, lambda peer: peer.hold(6.5 * POLL)]) as server:
        clock = Clock(tcp.websocket(server).connect(session_class, poll=POLL))
    clock.check_polls(POLL)
    assert len(clock.times_of(events.Poll)) == 7


def test_polls_come_in_step_beside_a_flood(wire: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.flood(server_frame(0x82, b"x" * 1000) * 60)

    with wire.server(script) as server:
        websocket = wire.websocket(server)
        clock = Clock(stop_after(websocket.connect(session_class, poll=POLL), 5, websocket))
    # Whoever floods takes half of this machine.
    clock.check_polls(POLL, 3 * LATE)
    assert len(clock.times_of(events.Binary)) > 100


def stop_after(stream: Any, polls: int, websocket: Any) -> Any:
    """End the connection at its poll of this number."""
    for event in stream:
        yield event
        polls -= isinstance(event, events.Poll)
        if not polls:
            websocket.force_disconnect()


def test_polls_come_in_step_beside_messages_that_come_more_often(
    tcp: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        for _ in range(8):
            peer.send(server_frame(0x81, b"tick"))
            peer.hold(POLL * 0.9)

    with tcp.server(script) as server:
        clock = Clock(tcp.websocket(server).connect(session_class, poll=POLL))
    clock.check_polls(POLL)


def test_polls_go_on_while_the_servers_close_is_awaited(tcp: Wire, session_class: Session) -> None:
    with tcp.server(NEVER_ANSWERED) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, poll=POLL, close_timeout=TIMEOUT)
        clock = Clock(stream, {events.Ready: lambda _: websocket.close()})
    clock.check_polls(POLL)
    assert is_in_time(clock.until_end(events.Ready), TIMEOUT)


# ---- the ping time-out -----------------------------------------------------------------------


def check_unresponsive(clock: Clock) -> None:
    clock.check_polls(POLL)
    assert names_of(clock.events)[-2:] == ["unresponsive", "disconnected"]
    unresponsive: Any = clock.events[-2]
    assert is_in_time(unresponsive.silence, TIMEOUT)
    assert is_in_time(clock.until_end(events.Ready), TIMEOUT)
    end = clock.end
    assert (end.phase, end.kind, end.graceful, end.code) == ("open", "ping_timeout", False, 1006)
    assert (end.closed_by, end.retryable) == (None, True)
    assert end.reason == f"disconnected; exceeded {TIMEOUT:.0f}s ping timeout"


def test_server_that_falls_silent(tcp: Wire, session_class: Session) -> None:
    with tcp.server(NEVER_ANSWERED) as server:
        websocket = tcp.websocket(server)
        clock = Clock(websocket.connect(session_class, poll=POLL, ping_timeout=TIMEOUT))
    check_unresponsive(clock)


def test_server_that_falls_silent_within_a_frame(wire: Wire, session_class: Session) -> None:
    script = [Peer.accept_upgrade, b"\x82\x7e\x01\x00" + b"half", Peer.read_until_end]
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        clock = Clock(websocket.connect(session_class, poll=POLL, ping_timeout=TIMEOUT))
    check_unresponsive(clock)
    assert clock.end.bytes_lost == 4


@pytest.mark.parametrize("size", [1, 7])
def test_server_that_falls_silent_within_a_tls_record(
    certificates: Any, session_class: Session, size: int
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send_part_of_record(server_frame(0x82, b"x" * 1000), size)
        peer.read_until_end()

    wire = Wire("tls", certificates)
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        clock = Clock(websocket.connect(session_class, poll=POLL, ping_timeout=TIMEOUT))
    check_unresponsive(clock)


def test_tls_record_that_is_completed_late_is_a_message(
    certificates: Any, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        rest = peer.send_part_of_record(server_frame(0x81, b"late"))
        peer.hold(POLL * 2.5)
        peer.send_raw(rest)

    wire = Wire("tls", certificates)
    with wire.server(script) as server:
        clock = Clock(wire.websocket(server).connect(session_class, poll=POLL, ping_rate=0))
    assert names_of(clock.events)[3] == "text"
    clock.check_polls(POLL)


def test_bytes_of_any_kind_prove_life(tcp: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send_slowly(server_frame(0x82, b"x" * 8), pause=TIMEOUT / 4)

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        clock = Clock(websocket.connect(session_class, ping_rate=0, ping_timeout=TIMEOUT))
    assert clock.until_end(events.Ready) > 2 * TIMEOUT
    assert names_of(clock.events)[3:] == ["binary", "disconnected"]


def answer_pings(peer: Peer) -> None:
    """Answer pings until the client closes, and then its Close frame."""
    peer.accept_upgrade()
    while True:
        first_byte, payload = peer.read_frame()
        with contextlib.suppress(OSError):
            peer.send(server_frame(0x8A if first_byte == 0x89 else first_byte, payload))
        if first_byte == 0x88:
            return


def test_server_that_answers_pings_is_not_unresponsive(tcp: Wire, session_class: Session) -> None:
    with tcp.server(answer_pings) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(
            session_class, poll=3 * TIMEOUT, ping_rate=TIMEOUT / 3, ping_timeout=TIMEOUT
        )
        pongs = 0
        for event in stream:
            pongs += isinstance(event, events.Pong)
            if isinstance(event, events.Poll) and pongs:
                websocket.close()
    assert isinstance(event, events.Disconnected)
    assert event.graceful
    assert pongs >= 7


def test_slow_handler_finds_the_pong_that_was_waiting(
    tcp: Wire, session_class: Session, world: World
) -> None:
    with tcp.server(answer_pings) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, ping_rate=TIMEOUT / 3, ping_timeout=TIMEOUT)
        actions = {
            events.Ready: lambda _: world.sleep(2 * TIMEOUT),
            events.Pong: lambda _: websocket.close(),
        }
        clock = Clock(stream, actions)
    assert clock.end.graceful
    assert "unresponsive" not in names_of(clock.events)


def test_slow_handler_that_held_the_pings_up_gives_the_server_time_to_answer(
    tcp: Wire, session_class: Session, world: World
) -> None:
    def answer_late(peer: Peer) -> None:
        peer.accept_upgrade()
        while (frame := peer.read_frame())[0] != 0x88:
            peer.hold(0.05)
            peer.send(server_frame(0x8A, frame[1]))
        peer.send(server_frame(*frame))

    def be_slow(_event: events.Event) -> None:
        if pongs:
            websocket.close()
        else:
            pongs.append(1)
            # Meanwhile no Ping is sent that the server could answer.
            world.sleep(0.8)

    pongs: list[int] = []
    with tcp.server(answer_late) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, ping_rate=0.1, ping_timeout=0.6)
        clock = Clock(stream, {events.Pong: be_slow})
    assert "unresponsive" not in names_of(clock.events)
    assert clock.end.graceful


# ---- the closing handshake -------------------------------------------------------------------


def test_close_that_is_never_answered(wire: Wire, session_class: Session) -> None:
    with wire.server(NEVER_ANSWERED) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(session_class, close_timeout=TIMEOUT)
        clock = Clock(stream, {events.Poll: lambda _: websocket.close(1001)})
    end = clock.end
    assert names_of(clock.events)[3:] == ["disconnected"]
    assert (end.phase, end.kind, end.graceful) == ("closing", "close_timeout", False)
    assert (end.code, end.closed_by) == (1006, "client")
    assert end.reason == f"disconnected; server didn't respond to close packet within {TIMEOUT}s"
    assert is_in_time(clock.until_end(events.Poll), TIMEOUT)


# What one read has brought is handed out before time is judged: 32,000 events of the smallest
# frames, which may take seconds where every line is traced.
@pytest.mark.parametrize(
    ("flood", "late"),
    [
        (server_frame(0x81, b"x" * 1000), LATE),
        (b"\x81\x00" * 1000, 10.0),
        (b"\x89\x00" * 1000, 10.0),
    ],
    ids=["long messages", "empty messages", "pings"],
)
def test_close_timeout_holds_while_frames_go_on_coming(
    tcp: Wire, session_class: Session, flood: bytes, late: float
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.flood(flood)

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, close_timeout=TIMEOUT)
        clock = Clock(stream, {events.Poll: lambda _: websocket.close()})
    assert clock.end.kind == "close_timeout"
    assert is_in_time(clock.until_end(events.Poll), TIMEOUT, late)


def test_ping_timeout_is_over_once_our_close_frame_was_sent(
    tcp: Wire, session_class: Session
) -> None:
    with tcp.server(NEVER_ANSWERED) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, ping_timeout=0.1, close_timeout=TIMEOUT)
        clock = Clock(stream, {events.Poll: lambda _: websocket.close()})
    assert clock.end.kind == "close_timeout"


@pytest.mark.parametrize("begins", ["client", "server"])
@pytest.mark.parametrize(("close_timeout", "linger"), [(0.1, 0.3), (30.0, 0.1)])
def test_server_that_keeps_tcp_after_both_close_frames_gets_a_moment(
    tcp: Wire,
    session_class: Session,
    monkeypatch: pytest.MonkeyPatch,
    begins: str,
    close_timeout: float,
    linger: float,
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        if begins == "client":
            peer.read_frame()
        peer.send(server_frame(0x88, close_payload(1000)))
        peer.read_until_end()

    monkeypatch.setattr("lomond.protocol.connection.LINGER", linger)
    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, ping_rate=0, close_timeout=close_timeout)
        actions = {events.Poll: lambda _: websocket.close()} if begins == "client" else {}
        clock = Clock(stream, actions)
    end = clock.end
    assert (end.graceful, end.closed_by, end.code) == (True, begins, 1000)
    assert is_in_time(clock.until_end(events.Poll), min(linger, close_timeout), 0.15)
