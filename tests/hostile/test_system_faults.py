"""What the operating system refuses: each refusal is a terminal event that says so, or no matter.

Contract: "Every run ends with exactly one terminal event […] The socket is closed before that event
is yielded, and also when the loop is left by break, exception, kill or garbage collection."
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from typing import Any

import pytest

import lomond.exchange
import lomond.session
from lomond import events
from lomond.errors import TransportFail
from lomond.session import WebsocketSession
from tests.helpers.conversation import (
    Clock,
    Wire,
    converse,
    ending_of,
    error_of,
    names_of,
    open_sockets_to,
    read_until,
    world_of,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer
from tests.hostile.victims import run_program, say_goodbye

Session = type[WebsocketSession]

GOODBYE = server_frame(0x88, close_payload(1000))


class Shim:
    """A channel whose next call fails."""

    def __init__(self, channel: Any, faults: dict[str, BaseException]) -> None:
        self._channel, self._faults = channel, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    @property
    def is_ready(self) -> bool:
        """Tell that a read is worth it, as a socket with an error does."""
        return "receive" in self._faults or bool(self._channel.is_ready)

    def receive(self, missing: int = 0) -> bytes | None:
        if "receive" in self._faults:
            raise self._faults["receive"]
        data: bytes | None = self._channel.receive(missing)
        return data

    def send(self, data: bytes | memoryview) -> int:
        if "send" in self._faults:
            raise self._faults["send"]
        size: int = self._channel.send(data)
        return size


def with_faults(session_class: Session, faults: dict[str, BaseException]) -> Session:
    """Return the session class, but on channels that fail as soon as `faults` says so."""

    class FaultyTransport(session_class.transport_class):  # type: ignore[name-defined,misc]
        def connect(self, *args: Any) -> None:
            super().connect(*args)
            self.channel = Shim(self.channel, faults)

    class FaultySession(session_class):  # type: ignore[valid-type,misc]
        transport_class = FaultyTransport

    return FaultySession


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ENOMEM])
@pytest.mark.parametrize("call", ["receive", "send"])
def test_kernel_without_memory_ends_the_connection(
    tcp: Wire, session_class: Session, number: int, call: str
) -> None:
    faults: dict[str, BaseException] = {}
    session = with_faults(session_class, faults)
    with tcp.server([Peer.accept_upgrade, GOODBYE[:1], Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        errors: list[Any] = []

        def break_it(_event: events.Event) -> None:
            faults[call] = OSError(number, os.strerror(number))
            errors.append(error_of(websocket.send_text, "never on the wire"))

        seen = converse(websocket.connect(session, ping_rate=0, poll=0.05), {events.Poll: break_it})
        assert open_sockets_to(server) == []
    end = ending_of(seen)
    assert (end.name, end.kind, end.graceful) == ("disconnected", "resources", False)
    assert (end.retryable, end.error.errno) == (True, number)
    assert isinstance(errors[0], TransportFail) == (call == "send")


def test_memory_error_ends_the_connection(tcp: Wire, session_class: Session) -> None:
    faults: dict[str, BaseException] = {}
    session = with_faults(session_class, faults)
    with tcp.server([Peer.accept_upgrade, b"\x81\x05half", Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session, ping_rate=0, poll=0.05)
        read_until(stream, events.Poll)
        faults["receive"] = MemoryError()
        *_, end = converse(stream)
        assert open_sockets_to(server) == []
    assert isinstance(end, events.Disconnected)
    assert (end.kind, end.graceful) == ("resources", False)
    assert end.reason == "disconnected; out of memory"
    assert isinstance(end.error, MemoryError)
    assert websocket.is_closed


def test_local_port_that_is_taken_is_a_lack_of_resources(session_class: Session) -> None:
    def make_socket(transport: Any, address: Any) -> socket.socket:
        made: socket.socket = kind.make_socket(transport, address)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        return made

    kind = session_class.transport_class
    transport = type("BoundTransport", (kind,), {"make_socket": make_socket})
    bound = type("BoundSession", (session_class,), {"transport_class": transport})
    with ScriptedServer([Peer.hold]) as server, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        other.connect(server.address)
        end = ending_of(converse(Wire("tcp", None).websocket(server).connect(bound)))
        assert len(open_sockets_to(server)) == 1
    assert (end.name, end.phase, end.kind) == ("connect_fail", "tcp", "resources")
    assert (end.retryable, "no local port is free" in end.reason) == (True, True)


def test_process_without_descriptors_backs_off_and_leaks_none(session_class: Session) -> None:
    with ScriptedServer([Peer.accept_upgrade, say_goodbye]) as server:
        result = run_program("exhausted", session_class, server.url, is_measured=False)
    assert result["ends"] == [["connect_fail", "tcp", "resources", True]] * 5
    assert result["descriptors_made"] == 0
    # Five waits of 50 ms or more: who tries again at once needs no time at all.
    assert min(result["delays"]) >= 0.05
    assert result["last"] == "disconnected"


# ---- time, signals, the end of a process -----------------------------------------------------


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_clock_that_is_set_changes_no_deadline(
    tcp: Wire, session_class: Session, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    def set_clock(_event: events.Event) -> None:
        for module in (lomond.session, lomond.exchange):
            monkeypatch.setattr(module, "time", lambda: time.time() + jump)

    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        stream = tcp.websocket(server).connect(
            session_class, poll=0.1, ping_rate=0.2, ping_timeout=0.5
        )
        clock = Clock(stream, {events.Ready: set_clock})
    assert clock.end.kind == "ping_timeout"
    assert 0.49 <= clock.until_end(events.Ready) <= 0.8
    clock.check_polls(0.1)


def listen(peer: Peer) -> None:
    """Accept, and say nothing."""
    peer.accept_upgrade()
    peer.read_until_end()


def test_signals_change_nothing_but_for_the_one_that_raises(session_class: Session) -> None:
    with ScriptedServer(listen) as server:
        # gevent's hub shows a KeyboardInterrupt before it raises it in the main greenlet.
        result = run_program(
            "interrupted", session_class, server.url, is_measured=False, is_quiet=False
        )
    assert result == {"signals": 5, "polls": True, "raised": "KeyboardInterrupt", "open": 0}


def test_process_may_end_in_the_middle_without_a_word(session_class: Session) -> None:
    with ScriptedServer(listen) as server:
        result = run_program("abandoned", session_class, server.url, is_measured=False)
    assert result == {"open": 1}


def test_iterator_that_another_thread_drops_closes_its_socket(
    tcp: Wire, session_class: Session
) -> None:
    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        held = [tcp.websocket(server).connect(session_class)]
        read_until(held[0], events.Ready)
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()
        server.peers[0].hold(0)
        give_up = time.monotonic() + 5
        # A greenlet's socket is closed by its hub, when that runs next.
        while open_sockets_to(server) and time.monotonic() < give_up:
            world_of(session_class).sleep(0.01)
        assert open_sockets_to(server) == []


def test_send_while_it_closes_is_one_of_the_documented_errors(
    tcp: Wire, session_class: Session
) -> None:
    world = world_of(session_class)
    errors: list[Any] = []

    def send_on() -> None:
        while not errors:
            error = error_of(websocket.send_text, "x")
            errors.extend([error] if error is not None else [])
            world.sleep(0)

    with tcp.server([Peer.accept_upgrade, Peer.read_until_end]) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, poll=0.05, close_timeout=0.1)
        read_until(stream, events.Ready)
        tasks = [world.spawn(send_on) for _ in range(4)]
        seen = converse(stream, {events.Poll: lambda _: websocket.close()})
        for task in tasks:
            task.result()
    assert names_of(seen)[-1] == "disconnected"
    assert {type(error).__name__ for error in errors} <= {"WebSocketClosing", "WebSocketClosed"}
