"""Sending: whoever sends waits for the kernel, but not for ever, and nobody waits for a sender.

RFC 6455 §5.4: "The fragments of one message MUST NOT be interleaved between the fragments of
another message". A message that the kernel has not taken within `send_timeout` ends the connection,
because a frame is half written; polls, pings and time-outs go on until then. What comes in while a
handler sends is in `test_reading_ahead`.
"""

from __future__ import annotations

from lomond import WebSocket, events
from lomond.errors import (
    TransportFail,
    WebSocketClosed,
    WebSocketClosing,
)
from lomond.session import WebsocketSession
from tests.helpers.conversation import (
    LATE,
    Clock,
    Stopwatch,
    Task,
    Wire,
    World,
    converse,
    ending_of,
    error_of,
    is_in_time,
    names_of,
    shrink_buffers,
    with_small_buffers,
)
from tests.helpers.scripted_server import Peer

Session = type[WebsocketSession]

MIB = 1 << 20
MUCH = bytes(50 * MIB)
TOO_MUCH = MUCH[: 20 * MIB]  # for the buffers of the kernel, which hold up to 10 MiB
POLL = 0.05
TIMEOUT = 0.2
# Masking and copying what is too much takes a while before there is anything to wait for.
PREPARATION = 2.0


# ---- a peer that does not read ---------------------------------------------------------------


def test_sender_beside_the_loop_gives_up_and_polls_go_on_until_then(
    wire: Wire, session_class: Session, world: World
) -> None:
    tasks: list[Task] = []
    with wire.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(session_class, poll=POLL, send_timeout=TIMEOUT)
        start = {events.Ready: lambda _: tasks.append(world.spawn(send_too_much, websocket, MUCH))}
        clock = Clock(stream, start)
        error, seconds = tasks[0].result()
    assert isinstance(error, TransportFail)
    assert TIMEOUT <= seconds <= TIMEOUT + LATE + PREPARATION
    assert len(clock.times_of(events.Poll)) > 2
    end = clock.end
    assert (end.phase, end.kind, end.graceful) == ("open", "send_timeout", False)
    assert (end.reason, type(end.error)) == (str(error), TransportFail)
    assert (end.code, end.closed_by, end.retryable) == (1006, None, True)


def send_too_much(websocket: WebSocket, data: bytes = TOO_MUCH) -> tuple[Exception | None, float]:
    stopwatch = Stopwatch()
    error = error_of(websocket.send_binary, data)
    return error, stopwatch.seconds


def test_sender_gives_up_in_time(wire: Wire, session_class: Session, world: World) -> None:
    def send(_event: events.Event) -> None:
        stopwatch = Stopwatch()
        assert isinstance(error_of(websocket.send_binary, bytes(MIB)), TransportFail)
        seconds.append(stopwatch.seconds)

    seconds: list[float] = []
    with wire.server([accept_with_small_buffers, Peer.hold]) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), send_timeout=TIMEOUT)
        assert ending_of(converse(stream, {events.Ready: send})).kind == "send_timeout"
    assert is_in_time(seconds[0], TIMEOUT)


def accept_with_small_buffers(peer: Peer) -> None:
    shrink_buffers(peer.stream.socket)
    peer.accept_upgrade()


def test_handler_that_sends_gives_up_and_finds_the_polls_behind_it(
    tcp: Wire, session_class: Session
) -> None:
    errors = []
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, poll=POLL, send_timeout=TIMEOUT)
        clock = Clock(stream, {events.Ready: lambda _: errors.append(send_too_much(websocket))})
    error, seconds = errors[0]
    assert isinstance(error, TransportFail)
    assert TIMEOUT <= seconds <= TIMEOUT + LATE + PREPARATION
    assert len(clock.times_of(events.Poll)) > 2
    assert clock.end.kind == "send_timeout"


def test_ping_timeout_ends_a_send_that_nobody_reads(
    tcp: Wire, session_class: Session, world: World
) -> None:
    tasks: list[Task] = []
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, poll=POLL, ping_timeout=TIMEOUT)
        start = {events.Ready: lambda _: tasks.append(world.spawn(send_too_much, websocket))}
        clock = Clock(stream, start)
        error, seconds = tasks[0].result()
    assert isinstance(error, TransportFail)
    assert seconds <= TIMEOUT + LATE + PREPARATION
    assert names_of(clock.events)[-2:] == ["unresponsive", "disconnected"]
    assert clock.end.kind == "ping_timeout"


def test_close_timeout_ends_a_send_that_nobody_reads(
    tcp: Wire, session_class: Session, world: World
) -> None:
    tasks: list[Task] = []
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, poll=POLL, close_timeout=TIMEOUT)
        start = {events.Ready: lambda _: tasks.append(world.spawn(send_too_much, websocket))}
        for event in stream:
            start.pop(type(event), lambda _: None)(event)
            if isinstance(event, events.Poll) and tasks:
                websocket.close()
        error, _ = tasks[0].result()
    assert isinstance(error, (TransportFail, WebSocketClosing))
    assert isinstance(event, events.Disconnected)
    assert event.kind == "close_timeout"


def test_force_disconnect_ends_a_send_that_nobody_reads(
    tcp: Wire, session_class: Session, world: World
) -> None:
    tasks: list[Task] = []
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, poll=POLL)
        for event in stream:
            if isinstance(event, events.Ready):
                tasks += [world.spawn(send_too_much, websocket) for _ in range(2)]
            elif isinstance(event, events.Poll) and websocket.session.session_time > POLL:
                websocket.force_disconnect()
        outcomes = [task.result() for task in tasks]
    assert isinstance(event, events.Disconnected)
    assert event.kind == "forced"
    # One of them had a frame half written, the other stood in line behind it.
    assert {type(error) for error, _ in outcomes} <= {TransportFail, WebSocketClosed}
    assert all(seconds < POLL + LATE + 2 * PREPARATION for _, seconds in outcomes)


def test_sender_in_line_does_not_wait_longer_than_send_timeout(
    tcp: Wire, session_class: Session, world: World
) -> None:
    tasks: list[Task] = []
    with tcp.server([Peer.accept_upgrade, Peer.hold]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, poll=POLL, send_timeout=TIMEOUT)
        start = {
            events.Ready: lambda _: tasks.extend(
                world.spawn(send_too_much, websocket) for _ in range(3)
            )
        }
        end = ending_of(converse(stream, start))
        outcomes = [task.result() for task in tasks]
    assert end.kind == "send_timeout"
    for error, seconds in outcomes:
        assert isinstance(error, (TransportFail, WebSocketClosed))
        assert seconds <= TIMEOUT + LATE + 3 * PREPARATION


def test_peer_that_resets_ends_the_send(wire: Wire, session_class: Session, world: World) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold(POLL)
        peer.reset()

    tasks: list[Task] = []
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        start = {events.Ready: lambda _: tasks.append(world.spawn(send_too_much, websocket))}
        end = ending_of(converse(websocket.connect(session_class), start))
        error, _ = tasks[0].result()
    assert isinstance(error, TransportFail)
    assert (end.phase, end.kind) == ("open", "reset")
    assert isinstance(end.error, OSError)
