"""Sends come from any greenlet of the hub: each frame whole, and nobody gets in another's way.

Sends try the socket at once; only where that takes no more does a watcher come in. Bytes that
nobody waits for, because their sender was killed, are written by the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.event import Event as Signal

from lomond import events
from lomond.errors import TransportFail
from lomond.websocket import WebSocket
from tests.gevent_sessions.clients import Client, wait_until
from tests.helpers.conversation import Wire, shrink_buffers
from tests.helpers.echo_server import EchoServer
from tests.helpers.frames import close_payload, parse_client_frames, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

KIB = 1024
MIB = 1024 * KIB
FOUR_MIB = bytes(4 * MIB)


def close_at_the_end(peer: Peer) -> None:
    """Read all up to the client's Close frame, and answer that."""
    peer.accept_upgrade()
    while peer.read_frame()[0] != 0x88:
        continue
    peer.send(server_frame(0x88, close_payload(1000)))


def binaries(received: bytes) -> list[bytes]:
    """Return the payloads of the binary frames that a client sent behind its request."""
    frames = parse_client_frames(received.split(b"\r\n\r\n", 1)[1])
    return [payload for first, payload in frames if first == 0x82]


def test_a_hundred_greenlets_send_at_once(wire: Wire) -> None:
    messages = [bytes([number]) * 20_000 for number in range(100)]
    with wire.server(close_at_the_end) as server:
        client = Client(wire.websocket(server), small_buffers=True)
        client.wait_for(events.Ready)
        senders = [gevent.spawn(client.websocket.send_binary, each) for each in messages]
        gevent.joinall(senders, raise_error=True)
        client.stop()
    assert binaries(server.received) == messages


def test_senders_that_meet_take_turns_in_the_order_in_which_they_came(tcp: Wire) -> None:
    order: list[int] = []

    def send(number: int) -> None:
        client.websocket.send_binary(bytes([number]) * 100_000)
        order.append(number)

    with tcp.server(close_at_the_end) as server:
        client = Client(tcp.websocket(server), small_buffers=True)
        client.wait_for(events.Ready)
        gevent.joinall([gevent.spawn(send, number) for number in range(20)], raise_error=True)
        client.stop()
    assert order == list(range(20))


def test_sender_that_is_killed_in_line_sends_nothing_and_the_next_goes_on(wire: Wire) -> None:
    def script(peer: Peer) -> None:
        shrink_buffers(peer.stream.socket)
        peer.accept_upgrade()
        peer.hold(0.1)
        while peer.read_frame()[0] != 0x88:
            continue
        peer.send(server_frame(0x88, close_payload(1000)))

    with wire.server(script) as server:
        client = Client(wire.websocket(server), small_buffers=True, ping_rate=0)
        client.wait_for(events.Ready)
        messages = [letter * MIB for letter in (b"a", b"b", b"c")]
        first, second, third = (
            gevent.spawn(client.websocket.send_binary, each) for each in messages
        )
        gevent.sleep(0.01)
        second.kill()
        gevent.joinall([first, third], raise_error=True)
        client.stop()
    assert binaries(server.received) == [messages[0], messages[2]]


@contextmanager
def killed_sender(
    wire: Wire, script: Callable[[Peer], object]
) -> Iterator[tuple[Client, ScriptedServer, Signal]]:
    """Kill who sends 4 MiB in the middle of that, while the loop is in its handler.

    The handler returns when the signal is set.
    """
    handler_may_return = Signal()

    def stay(event: events.Event) -> None:
        if isinstance(event, events.Ready):
            handler_may_return.wait()

    with wire.server(script) as server:
        client = Client(wire.websocket(server), stay, small_buffers=True, ping_rate=0)
        client.wait_for(events.Ready)
        sender = gevent.spawn(client.websocket.send_binary, FOUR_MIB)
        gevent.sleep(0.02)
        sender.kill()
        yield client, server, handler_may_return


def accept_and_hold(peer: Peer) -> None:
    shrink_buffers(peer.stream.socket)
    peer.accept_upgrade()
    peer.hold(0.1)


def test_rest_of_a_killed_senders_frame_is_written_while_the_loop_is_in_its_handler(
    wire: Wire,
) -> None:
    def script(peer: Peer) -> None:
        accept_and_hold(peer)
        assert peer.read_frame() == (0x82, FOUR_MIB)

    with killed_sender(wire, script) as (client, server, handler_may_return):
        wait_until(lambda: len(server.received) > len(FOUR_MIB), "the rest of the frame")
        handler_may_return.set()
        assert client.end().kind == "eof"


def test_next_sender_goes_on_behind_a_killed_senders_frame(wire: Wire) -> None:
    def script(peer: Peer) -> None:
        accept_and_hold(peer)
        assert peer.read_frame() == (0x82, FOUR_MIB)
        assert peer.read_frame() == (0x82, b"behind it")

    with killed_sender(wire, script) as (client, _server, handler_may_return):
        client.websocket.send_binary(b"behind it")
        handler_may_return.set()
        assert client.end().kind == "eof"


def test_rest_of_a_killed_senders_frame_that_nobody_takes_is_dropped(tcp: Wire) -> None:
    def script(peer: Peer) -> None:
        accept_and_hold(peer)
        peer.reset()

    with killed_sender(tcp, script) as (client, server, handler_may_return):
        wait_until(lambda: server.peers[0].stream.socket.fileno() < 0, "the reset")
        gevent.sleep(0.02)
        handler_may_return.set()
        end = client.end()
    assert (end.phase, end.kind) == ("open", "reset")


def test_connection_that_ends_ends_its_senders(wire: Wire) -> None:
    with wire.server([Peer.accept_upgrade, Peer.hold]) as server:
        client = Client(wire.websocket(server), small_buffers=True)
        client.wait_for(events.Ready)
        senders = [gevent.spawn(error_of_sending, client.websocket) for _ in range(5)]
        gevent.sleep(0.01)
        client.websocket.force_disconnect()
        client.end()
        errors = [sender.get(timeout=5) for sender in senders]
    assert type(errors[0]) is TransportFail
    assert all(isinstance(error, Exception) for error in errors)


def error_of_sending(websocket: WebSocket) -> Exception | None:
    try:
        websocket.send_binary(FOUR_MIB)
    except Exception as error:
        return error
    return None


def test_send_that_the_kernel_takes_at_once_does_not_switch(echo_server: EchoServer) -> None:
    client = Client(WebSocket(echo_server.url))
    client.wait_for(events.Poll)
    neighbour = gevent.spawn(lambda: None)
    client.websocket.send_text("x")
    assert not neighbour.ready()
    neighbour.join()
    client.wait_for(events.Text)
    client.stop()


def test_send_in_a_callback_of_the_hub_works_where_it_need_not_wait(
    echo_server: EchoServer,
) -> None:
    client = Client(WebSocket(echo_server.url))
    client.wait_for(events.Ready)
    gevent.get_hub().loop.run_callback(client.websocket.send_text, "from the hub")
    assert client.wait_for(events.Text).text == "from the hub"
    client.stop()


def test_closing_in_a_callback_of_the_hub_does_not_wait(echo_server: EchoServer) -> None:
    client = Client(WebSocket(echo_server.url), poll=60)
    client.wait_for(events.Ready)
    gevent.get_hub().loop.run_callback(client.websocket.close)
    assert client.end().graceful


@pytest.mark.parametrize("number", [1, 3])
def test_closing_from_any_greenlet_wakes_the_reader_at_once(wire: Wire, number: int) -> None:
    with wire.server(close_at_the_end) as server:
        client = Client(wire.websocket(server), poll=60)
        client.wait_for(events.Ready)
        closers = [gevent.spawn(client.websocket.close, 1000 + n) for n in range(number)]
        gevent.joinall(closers, raise_error=True)
        assert client.end().graceful
    assert client.names == ["connecting", "connected", "ready", "closed", "disconnected"]
