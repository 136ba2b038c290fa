"""A session class that somebody wrote for Lomond still drives a WebSocket.

It knows the documented contract only: constructor, `run`, `send`, `send_compressed`,
`session_time`, `close` and `force_disconnect` are called on it; it calls `build_request`, `feed`,
`send_ping`, `send_pong`, `is_closed`, `is_active` and `sent_close_time`. It frames, masks, writes,
polls, pings and judges time-outs by itself.
"""

from __future__ import annotations

import functools
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lomond import errors, events
from lomond.persist import persist
from lomond.websocket import WebSocket
from tests.helpers.frames import parse_client_frames
from tests.helpers.scripted_server import Peer, ScriptedServer, upgrade_answer

URL = "ws://example.org/"
CLOSE = b"\x88\x05\x03\xe8bye"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"

Read = bytes | OSError | Callable[[bytes], bytes]


class Wire:
    """What this test's session needs of a socket; `b""` where nothing more is said."""

    def __init__(self, *reads: Read) -> None:
        self.reads = deque(reads)
        self.sent = b""
        self.is_closed = False

    def recv(self, size: int) -> bytes:
        read = self.reads.popleft() if self.reads else b""
        if isinstance(read, OSError):
            raise read
        return read(self.sent) if callable(read) else read

    def sendall(self, data: bytes) -> None:
        if self.is_closed:
            raise BrokenPipeError("closed")
        self.sent += data

    def close(self) -> None:
        self.is_closed = True

    def frames(self) -> list[tuple[int, bytes]]:
        return parse_client_frames(self.sent.partition(b"\r\n\r\n")[2])


class _Forced(Exception):
    """Lomond's own sessions end their loop by an exception of their own."""


class LomondSession:
    """A session as it was written for Lomond 0.3: `run` has five options and no more."""

    wire: Any = None

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.session_time = 0.0
        self.calls: list[str] = []

    def make_wire(self) -> Any:
        return type(self).wire

    def run(
        self,
        poll: float = 5,
        ping_rate: float = 30,
        ping_timeout: float | None = None,
        auto_pong: bool = True,
        close_timeout: float | None = None,
    ) -> Iterator[events.Event]:
        websocket = self.websocket
        yield events.Connecting(websocket.url)
        self.wire = self.make_wire()
        self.wire.sendall(websocket.build_request())
        yield events.Connected(websocket.url)
        try:
            yield from self.read(ping_rate, auto_pong)
        except (_Forced, OSError) as error:
            self.close()
            yield events.Disconnected(f"disconnected; {error}")
        else:
            self.close()
            yield events.Disconnected(graceful=True)

    def read(self, ping_rate: float, auto_pong: bool) -> Iterator[events.Event]:
        while not self.websocket.is_closed:
            data = self.wire.recv(65536)
            if not data:
                if self.websocket.is_active:
                    raise _Forced("connection lost")
                return
            for event in self.websocket.feed(memoryview(data)):
                if event.name == "ready" and ping_rate:
                    self.websocket.send_ping()
                if isinstance(event, events.Ping) and auto_pong:
                    self.websocket.send_pong(event.data)
                self.session_time += 1
                yield event
                if event.name == "ready":
                    yield events.Poll()

    def send(self, opcode: int, payload: bytes) -> None:
        self.write(0x80 | opcode, payload)

    def send_compressed(self, opcode: int, payload: bytes) -> None:
        self.write(0xC0 | opcode, payload)

    def write(self, first_byte: int, payload: bytes) -> None:
        key = os.urandom(4)
        size = len(payload)
        long = size > 125
        head = struct.pack("!BB", first_byte, 0xFE if long else 0x80 | size)
        head += struct.pack("!H", size) if long else b""
        masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
        try:
            self.wire.sendall(head + key + masked)
        except OSError as error:
            raise errors.TransportFail(f"socket fail; {error}") from error

    def close(self) -> None:
        self.calls.append("close")
        if self.wire is not None:
            self.wire.close()

    def force_disconnect(self) -> None:
        raise _Forced("forced")


def accept(*headers: str, rest: bytes = b"") -> Callable[[bytes], bytes]:
    return lambda request: upgrade_answer(request, *headers) + rest


def session_on(*reads: Read) -> tuple[type[LomondSession], Wire]:
    wire = Wire(*reads)
    return type("SessionOnWire", (LomondSession,), {"wire": wire}), wire


Handlers = dict[str, Callable[[WebSocket], object]]


def converse(
    *reads: Read, on: Handlers | None = None, websocket: WebSocket | None = None, **options: Any
) -> tuple[list[str], Wire, WebSocket]:
    """Run a conversation to its end; return the names of its events."""
    websocket = WebSocket(URL) if websocket is None else websocket
    session_class, wire = session_on(*reads)
    names = []
    for event in websocket.connect(session_class=session_class, **options):
        names.append(event.name)
        (on or {}).get(event.name, lambda _: None)(websocket)
    assert wire.is_closed
    return names, wire, websocket


# ---- conversations ------------------------------------------------------------------------------


def test_it_upgrades_by_build_request_and_feeds_what_it_reads() -> None:
    names, wire, websocket = converse(accept(rest=b"\x81\x02hi"), b"\x82\x01b", ping_rate=0)

    assert wire.sent.startswith(b"GET / HTTP/1.1\r\nHost: example.org\r\n")
    assert b"Sec-WebSocket-Key: " + websocket.state.key in wire.sent
    assert names[:6] == ["connecting", "connected", "ready", "poll", "text", "binary"]
    assert names[6:] == ["disconnected"]


def test_what_is_sent_passes_its_send() -> None:
    on: Handlers = {"ready": lambda ws: (ws.send_text("hü"), ws.send_binary(bytes(300)))}

    _, wire, _ = converse(accept(), on=on, ping_rate=0)

    assert wire.frames() == [(0x81, b"h\xc3\xbc"), (0x82, bytes(300))]


def test_its_pings_and_pongs_are_the_only_ones() -> None:
    names, wire, _ = converse(accept(rest=b"\x89\x01p\x8a\x00"))

    assert names[4:6] == ["ping", "pong"]
    assert wire.frames() == [(0x89, b""), (0x8A, b"p")]


def test_without_auto_pong_a_ping_is_left_to_the_application() -> None:
    _, wire, _ = converse(accept(rest=b"\x89\x01p"), auto_pong=False, ping_rate=0)

    assert wire.frames() == []


def test_closing_by_us() -> None:
    on: Handlers = {"poll": lambda ws: ws.close(1001, "away")}

    names, wire, websocket = converse(accept(), b"\x81\x02hi", CLOSE, on=on, ping_rate=0)

    assert names[4:] == ["text", "closed", "disconnected"]
    assert wire.frames() == [(0x88, b"\x03\xe9away")]
    assert websocket.sent_close_time == 1.0
    assert (websocket.is_closed, websocket.is_closing) == (True, False)


def test_closing_by_the_server() -> None:
    on: Handlers = {"closing": lambda ws: ws.send_text("last words")}

    names, wire, _ = converse(accept(rest=CLOSE), on=on, ping_rate=0)

    assert names[4:] == ["closing", "disconnected"]
    assert wire.frames() == [(0x81, b"last words"), (0x88, b"\x03\xe8bye")]


def test_a_close_frame_that_cannot_be_sent_is_no_error_of_the_caller() -> None:
    def close_without_a_wire(websocket: WebSocket) -> None:
        websocket.session.wire.is_closed = True
        websocket.close()

    names, _, _ = converse(accept(), on={"poll": close_without_a_wire}, ping_rate=0)

    assert names[-1] == "disconnected"


def test_a_message_that_cannot_be_sent_is() -> None:
    def send_without_a_wire(websocket: WebSocket) -> None:
        websocket.session.wire.is_closed = True
        with pytest.raises(errors.TransportFail, match="socket fail; closed"):
            websocket.send_text("hi")

    converse(accept(), on={"poll": send_without_a_wire}, ping_rate=0)


def test_a_rejection_closes_it_before_it_is_told() -> None:
    closed = []
    on: Handlers = {"rejected": lambda ws: closed.append(ws.session.wire.is_closed)}

    names, _, websocket = converse(
        b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", on=on, ping_rate=0
    )

    assert names == ["connecting", "connected", "rejected", "disconnected"]
    assert closed == [True]
    assert websocket.is_closed


def test_a_violation_forces_it_to_disconnect() -> None:
    names, wire, _ = converse(accept(rest=b"\x83\x00\x81\x02hi"), ping_rate=0)

    assert names[4:] == ["protocol_error", "disconnected"]
    [(first_byte, payload)] = wire.frames()
    assert (first_byte, payload[:2]) == (0x88, b"\x03\xea")


def test_compressed_messages_in_both_directions() -> None:
    websocket = WebSocket(URL, compress=True)
    hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
    texts = []

    session_class, wire = session_on(
        accept(DEFLATE, rest=hello + hello[:1] + b"\x05\xf2\0\x11\0\0")
    )
    for event in websocket.connect(session_class=session_class, ping_rate=0):
        if isinstance(event, events.Text):
            texts.append(event.text)
            websocket.send_text(event.text)

    assert texts == ["Hello", "Hello"]
    assert wire.frames() == [(0xC1, hello[2:]), (0xC1, b"\xf2\x00\x11\x00\x00")]


def test_a_stream_that_ends_or_fails_is_its_own_to_tell() -> None:
    assert converse(accept())[0][-1] == "disconnected"
    assert converse(accept(), ConnectionResetError())[0][-1] == "disconnected"


def test_forcing_the_end_raises_what_its_force_disconnect_raises() -> None:
    session_class, _ = session_on(accept())
    websocket = WebSocket(URL)
    run = websocket.connect(session_class=session_class)
    next(run)

    with pytest.raises(_Forced):
        websocket.force_disconnect()


def test_a_with_block_closes_it() -> None:
    session_class, wire = session_on(accept())
    with WebSocket(URL) as websocket:
        run = websocket.connect(session_class=session_class)
        [next(run) for _ in range(3)]

    assert wire.is_closed


def test_a_second_connect_closes_it_and_begins_anew() -> None:
    session_class, first = session_on(accept())
    websocket = WebSocket(URL)
    run = websocket.connect(session_class=session_class)
    [next(run) for _ in range(3)]

    names, _, _ = converse(accept(), websocket=websocket)

    assert first.is_closed
    assert names[:3] == ["connecting", "connected", "ready"]


@pytest.mark.loopback
def test_it_works_on_a_real_socket() -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        assert peer.read_frame() == (0x81, b"hello")
        peer.send(b"\x81\x02hi")
        assert peer.read_frame() == (0x88, b"\x03\xe8goodbye")
        peer.send(b"\x88\x02\x03\xe8")

    class Session(LomondSession):
        def make_wire(self) -> socket.socket:
            return socket.create_connection((self.websocket.host, self.websocket.port))

    with ScriptedServer(script) as server:
        websocket = WebSocket(server.url)
        names = []
        for event in websocket.connect(session_class=Session, ping_rate=0):
            names.append(event.name)
            if event.name == "ready":
                websocket.send_text("hello")
            if event.name == "text":
                websocket.close()

    assert names[4:] == ["text", "closed", "disconnected"]


# ---- how it is made and run ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda cls: cls,
        lambda cls: lambda websocket: cls(websocket),
        lambda cls: functools.partial(cls),
    ],
    ids=["class", "lambda", "partial"],
)
def test_a_session_class_is_anything_that_makes_a_session(
    wrap: Callable[[type[LomondSession]], Any],
) -> None:
    session_class, _ = session_on(accept())
    websocket = WebSocket(URL)

    names = [event.name for event in websocket.connect(session_class=wrap(session_class))]

    assert names[2] == "ready"
    assert websocket.state.session is websocket.session


def test_newer_options_that_nobody_set_are_not_passed_to_it() -> None:
    # Its `run` would raise TypeError for an option that it does not know.
    names, _, _ = converse(
        accept(), poll=1, ping_rate=2, ping_timeout=3, auto_pong=False, close_timeout=4
    )

    assert names[2] == "ready"


@pytest.mark.parametrize("option", ["open_timeout", "send_timeout", "exit_event"])
def test_a_newer_option_that_the_caller_set_is_passed_on(option: str) -> None:
    session_class, _ = session_on(accept())

    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
        WebSocket(URL).connect(session_class=session_class, **{option: None})


def test_persist_runs_it_with_the_options_that_it_knows() -> None:
    session_class, _ = session_on(accept())
    run = persist(WebSocket(URL), session_class=session_class, min_wait=0)

    names = [next(run).name for _ in range(6)]
    run.close()

    assert names[2:] == ["ready", "poll", "disconnected", "back_off"]


def test_what_run_returns_is_handed_to_the_caller_unchanged() -> None:
    class Fake:
        """As the tests of programs have it: `run` takes anything and returns None."""

        def __init__(self, websocket: WebSocket) -> None:
            self.sent: list[tuple[int, bytes]] = []

        def run(self, *args: Any, **options: Any) -> None:
            return None

        def send(self, opcode: int, payload: bytes) -> None:
            self.sent.append((opcode, payload))

        def force_disconnect(self) -> None:
            """Do nothing."""

    websocket = WebSocket(URL)
    assert websocket.connect(session_class=Fake) is None
    answer = upgrade_answer(websocket.build_request())

    names = [event.name for event in websocket.feed(answer + b"\x83\x00\x81\x00")]

    assert names == ["ready", "protocol_error"]
    assert list(websocket.feed(b"\x81\x00")) == []
    assert [opcode for opcode, _ in websocket.session.sent] == [8]
