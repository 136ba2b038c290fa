"""Several who send at once: frames are whole, in each sender's order, whoever is interrupted.

RFC 6455 §5.4: "The fragments of one message MUST NOT be interleaved between the fragments of
another message"; whole frames are not interleaved either, nor is the context of compression, which
all messages share (RFC 7692 §7.2.3.2).
"""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from lomond_gevent import GeventSession
from tests.helpers.conversation import (
    Interrupted,
    Stopwatch,
    Task,
    Wire,
    World,
    converse,
    ending_of,
    shrink_buffers,
    with_small_buffers,
)
from tests.helpers.frames import close_payload, parse_client_frames, server_frame
from tests.helpers.scripted_server import Peer

Session = type[WebsocketSession]

# A greenlet is killed where it waits. Into a thread nothing but a debugger raises, and that
# between any two instructions, where no code can promise whole frames.
with_greenlets = pytest.mark.parametrize("session_class", [GeventSession])

MIB = 1 << 20
POLL = 0.05
SENDERS = 6
SIZES = [0, 1, 125, 126, 5_000, 70_000, 100_000]


def accept_with_small_buffers(peer: Peer) -> None:
    shrink_buffers(peer.stream.socket)
    peer.accept_upgrade()


def make_messages(sender: int) -> list[bytes]:
    random_bytes = random.Random(sender).randbytes
    return [b"%d %d " % (sender, index) + random_bytes(size) for index, size in enumerate(SIZES)]


def read_slowly(peer: Peer) -> None:
    """Read so that the client has to wait, up to its Close frame; answer that."""
    peer.accept_upgrade()
    peer.hold(POLL)
    while peer.read_frame()[0] != 0x88:
        peer.hold(0.001)
    peer.send(server_frame(0x88, close_payload(1000)))


def send_all(websocket: WebSocket, messages: list[bytes], world: World) -> None:
    for message in messages:
        websocket.send_binary(message)
        world.sleep(0)


def test_frames_of_several_senders_are_whole_and_each_senders_in_order(
    wire: Wire, session_class: Session, world: World
) -> None:
    messages = [make_messages(sender) for sender in range(SENDERS)]
    with wire.server(read_slowly) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), ping_rate=0.01)
        tasks: list[Task] = []

        def start(_event: events.Event) -> None:
            tasks.extend(world.spawn(send_all, websocket, each, world) for each in messages)
            world.spawn(finish)

        def finish() -> None:
            for task in tasks:
                task.result()
            websocket.close()

        end = ending_of(converse(stream, {events.Ready: start}))
    received = server.peers[0].received.split(b"\r\n\r\n", 1)[1]
    frames = [payload for first, payload in parse_client_frames(received) if first == 0x82]
    assert end.graceful
    for sender, sent in enumerate(messages):
        assert [frame for frame in frames if frame.startswith(b"%d " % sender)] == sent


def test_compressed_messages_of_several_senders_come_back(
    echo_server: Any, session_class: Session, world: World
) -> None:
    websocket = WebSocket(echo_server.url, compress=True)
    texts = [[f"{sender} {index} " * 500 for index in range(20)] for sender in range(SENDERS)]
    tasks: list[Task] = []
    echoes: list[str] = []

    def send_texts(own: list[str]) -> None:
        for text in own:
            websocket.send_text(text)
            world.sleep(0)

    for event in websocket.connect(session_class, ping_rate=0):
        if isinstance(event, events.Ready):
            tasks = [world.spawn(send_texts, own) for own in texts]
        elif isinstance(event, events.Text):
            echoes.append(event.text)
            if len(echoes) == SENDERS * 20:
                websocket.close()
    for sender, own in enumerate(texts):
        tasks[sender].result()
        assert [text for text in echoes if text.startswith(f"{sender} ")] == own


@with_greenlets
def test_sender_that_is_interrupted_leaves_a_whole_frame(
    wire: Wire, session_class: Session, world: World
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold(2 * POLL)
        assert peer.read_frame() == (0x82, bytes(MIB))
        assert peer.read_frame() == (0x81, b"behind it")
        peer.send(server_frame(0x81, b"all there"))

    with wire.server(script) as server:
        websocket = wire.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), poll=POLL, ping_rate=0)
        tasks: list[Task] = []
        polls = 0
        for event in stream:
            if isinstance(event, events.Ready):
                tasks.append(world.spawn(websocket.send_binary, bytes(MIB)))
            elif isinstance(event, events.Poll):
                polls += 1
                if polls == 2:
                    tasks[0].interrupt()
                    tasks.append(world.spawn(websocket.send_text, "behind it"))
            elif isinstance(event, events.Text):
                websocket.close()
    with pytest.raises(Interrupted):
        tasks[0].result()
    tasks[1].result()


@with_greenlets
def test_rest_of_an_interrupted_send_is_the_loops(
    wire: Wire, session_class: Session, world: World
) -> None:
    def script(peer: Peer) -> None:
        accept_with_small_buffers(peer)
        peer.send(server_frame(0x81, b"now"))
        is_interrupted.wait(5)
        assert peer.read_frame() == (0x82, bytes(MIB))
        peer.send(server_frame(0x88, close_payload(1000)))

    def interrupt() -> None:
        tasks[0].interrupt()
        world.sleep(POLL)
        is_interrupted.set()

    is_interrupted = threading.Event()
    tasks: list[Task] = []
    stopwatch = Stopwatch()
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        actions = {
            events.Ready: lambda _: tasks.append(world.spawn(websocket.send_binary, bytes(MIB))),
            events.Text: lambda _: world.spawn(interrupt),
        }
        # No poll, no ping, no byte wakes the loop.
        stream = websocket.connect(with_small_buffers(session_class), poll=60, ping_rate=0)
        assert ending_of(converse(stream, actions)).graceful
    with pytest.raises(Interrupted):
        tasks[0].result()
    assert stopwatch.seconds < 5


@with_greenlets
def test_sender_that_is_interrupted_in_line_does_not_keep_the_others(
    tcp: Wire, session_class: Session, world: World
) -> None:
    def script(peer: Peer) -> None:
        accept_with_small_buffers(peer)
        is_interrupted.wait(5)
        frames.extend(peer.read_frame() for _ in range(2))
        peer.send(server_frame(0x88, close_payload(1000)))

    def send_three() -> None:
        for data in (bytes(MIB), b"interrupted", b"last"):
            tasks.append(world.spawn(websocket.send_binary, data))
            world.sleep(POLL)
        tasks[1].interrupt()
        world.sleep(POLL)
        is_interrupted.set()

    is_interrupted = threading.Event()
    frames: list[tuple[int, bytes]] = []
    tasks: list[Task] = []
    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(with_small_buffers(session_class), ping_rate=0)
        converse(stream, {events.Ready: lambda _: world.spawn(send_three)})
    with pytest.raises(Interrupted):
        tasks[1].result()
    tasks[2].result()
    assert frames == [(0x82, bytes(MIB)), (0x82, b"last")]
