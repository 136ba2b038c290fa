"""FIN and RST in every phase: one terminal event, which tells the phase, the kind and the error.

RFC 6455 §7.1.5: "If this Close control frame contains no status code, The WebSocket Connection
Close Code is considered to be 1005. If The WebSocket Connection is Closed and no Close control
frame was received by the endpoint, The WebSocket Connection Close Code is considered to be 1006."
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from tests.helpers.conversation import (
    Wire,
    converse,
    ending_of,
    names_of,
    open_sockets_to,
    patch_resolver,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

Session = type[WebsocketSession]

ROOT = Path(__file__).parent.parent.parent
CLOSE = server_frame(0x88, close_payload(1001, "bye"))
by_both_ways = pytest.mark.parametrize("way", [Peer.close, Peer.reset], ids=["fin", "rst"])


def kind_of(way: Any) -> str:
    return "eof" if way is Peer.close else "reset"


def converse_until_broken(
    wire: Wire, session_class: Session, *script: Any, closes: bool = False
) -> list[events.Event]:
    """Connect, close at the first poll where the client is to, and check the socket at the end."""
    with wire.server(script) as server:
        websocket = wire.websocket(server)
        actions: dict[Any, Any] = {
            events.ConnectFail: lambda _: sockets.append(open_sockets_to(server)),
            events.Disconnected: lambda _: sockets.append(open_sockets_to(server)),
        }
        if closes:
            actions[events.Poll] = lambda _: websocket.close()
        sockets: list[Any] = []
        seen = converse(websocket.connect(session_class, ping_rate=0), actions)
        assert sockets == [[]], "the socket is open at the terminal event"
        assert websocket.is_closed
    return seen


# ---- before the connection is ready ----------------------------------------------------------


def test_port_that_nobody_listens_on(session_class: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    seen = list(WebSocket(f"ws://127.0.0.1:{port}").connect(session_class))
    end = ending_of(seen)
    assert (end.name, end.phase, end.kind, end.retryable) == (
        "connect_fail",
        "tcp",
        "refused",
        True,
    )
    assert isinstance(end.error, ConnectionRefusedError)
    said = str(OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)))
    assert end.reason == f"unable to connect; {said} (127.0.0.1:{port})"


def test_all_addresses_are_tried_and_named(
    session_class: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    answer = [(*kind, ("127.0.0.1", port)), (*kind, ("127.0.0.2", port))]
    patch_resolver(monkeypatch, lambda *_: answer)
    end = ending_of(list(WebSocket(f"ws://two.example.org:{port}").connect(session_class)))
    assert (end.phase, end.kind) == ("tcp", "refused")
    assert f"(127.0.0.1:{port})" in end.reason
    assert f"(127.0.0.2:{port})" in end.reason


@by_both_ways
@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x03\x40\x00\x02"])
def test_tls_handshake_that_breaks_off(session_class: Session, way: Any, hello: bytes) -> None:
    def script(peer: Peer) -> None:
        # So that no unread bytes turn a FIN into a RST.
        peer.receive()
        peer.send(hello)
        way(peer)

    with ScriptedServer(script) as server:
        websocket = WebSocket(server.url.replace("ws:", "wss:"))
        end = ending_of(list(websocket.connect(session_class)))
        assert open_sockets_to(server) == []
    assert (end.name, end.phase, end.retryable) == ("connect_fail", "tls", True)
    assert end.kind == ("tls" if way is Peer.close else "reset")
    assert isinstance(end.error, OSError)


def test_server_that_speaks_no_tls(session_class: Session) -> None:
    with ScriptedServer([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        websocket = WebSocket(server.url.replace("ws:", "wss:"))
        end = ending_of(list(websocket.connect(session_class)))
    assert (end.phase, end.kind, end.retryable) == ("tls", "tls", False)
    assert "does not speak TLS on this port" in end.reason


@by_both_ways
@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 101 Switching Proto"])
def test_upgrade_that_is_not_answered(
    wire: Wire, session_class: Session, way: Any, head: bytes
) -> None:
    seen = converse_until_broken(wire, session_class, Peer.read_request, head, way)
    assert names_of(seen) == ["connecting", "connected", "disconnected"]
    end = ending_of(seen)
    assert (end.phase, end.kind, end.graceful) == ("handshake", kind_of(way), False)
    assert (end.code, end.closed_by, end.retryable) == (1006, None, True)


@by_both_ways
def test_refusal_whose_body_breaks_off_is_a_refusal(
    tcp: Wire, session_class: Session, way: Any
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot")
        peer.hold(0.05)
        way(peer)

    seen = converse_until_broken(tcp, session_class, script)
    assert names_of(seen) == ["connecting", "connected", "rejected", "disconnected"]
    rejected: Any = seen[2]
    assert (rejected.response.body, ending_of(seen).kind) == (b"not", "rejected")


@pytest.mark.parametrize(
    ("answer", "kind", "name"),
    [
        (b"SSH-2.0-OpenSSH_9.9\r\n", "rejected", "rejected"),
        (b"\x00" * 100, "rejected", "rejected"),
        (b"HTTP/1.1 101 X\r\n" + b"A: b\r\n" * 200 + b"\r\n", "limit", "protocol_error"),
        (b"HTTP/1.1 101 X\r\nA: " + b"b" * 20_000, "limit", "protocol_error"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "rejected", "rejected"),
    ],
    ids=["ssh", "zeros", "many headers", "long header", "no upgrade"],
)
def test_answer_that_is_none(
    wire: Wire, session_class: Session, answer: bytes, kind: str, name: str
) -> None:
    seen = converse_until_broken(wire, session_class, Peer.read_request, answer)
    assert names_of(seen) == ["connecting", "connected", name, "disconnected"]
    end = ending_of(seen)
    assert (end.phase, end.kind, end.graceful) == ("handshake", kind, False)


# ---- while it is open ------------------------------------------------------------------------


@by_both_ways
def test_idle_connection(wire: Wire, session_class: Session, way: Any) -> None:
    seen = converse_until_broken(wire, session_class, Peer.accept_upgrade, way)
    end = ending_of(seen)
    assert (end.phase, end.kind, end.graceful) == ("open", kind_of(way), False)
    assert (end.code, end.closed_by, end.bytes_lost, end.retryable) == (1006, None, 0, True)
    if way is Peer.close:
        assert (end.reason, end.error) == ("socket fail; connection lost", None)
    else:
        assert end.reason == f"socket fail; recv fail; {end.error}"
        assert (type(end.error), end.error.errno) == (ConnectionResetError, errno.ECONNRESET)


def test_messages_before_the_end_are_delivered(wire: Wire, session_class: Session) -> None:
    script = [Peer.accept_upgrade, server_frame(0x81, b"one") + server_frame(0x81, b"two")]
    seen = converse_until_broken(wire, session_class, *script)
    assert names_of(seen)[3:] == ["text", "text", "disconnected"]


def test_frame_that_breaks_off_is_counted_as_lost(wire: Wire, session_class: Session) -> None:
    fragment = server_frame(0x02, b"x" * 1000)
    script = [Peer.accept_upgrade, fragment, server_frame(0x80, b"y" * 1000)[:504]]
    end = ending_of(converse_until_broken(wire, session_class, *script))
    assert (end.kind, end.bytes_lost) == ("eof", 1500)


@pytest.mark.parametrize("size", [1, 5, 50])
def test_tls_record_that_breaks_off_is_an_end(
    certificates: Any, session_class: Session, size: int
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send_part_of_record(server_frame(0x81, b"x" * 100), size)
        peer.stream.interrupt()

    end = ending_of(converse_until_broken(Wire("tls", certificates), session_class, script))
    assert (end.phase, end.graceful) == ("open", False)
    assert end.kind in ("eof", "tls")


def test_tls_that_ends_without_close_notify_is_an_ordinary_end(
    certificates: Any, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x81, b"last"))
        peer.stream.interrupt()

    seen = converse_until_broken(Wire("tls", certificates), session_class, script)
    assert names_of(seen)[3:] == ["text", "disconnected"]
    assert ending_of(seen).kind == "eof"


def test_garbage_in_the_middle_of_tls(certificates: Any, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x81, b"last"))
        peer.send_raw(b"\x17\x03\x03\x00\x20" + b"\xaa" * 32)
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
            peer.read_until_end()

    seen = converse_until_broken(Wire("tls", certificates), session_class, script)
    assert names_of(seen)[3:] == ["text", "disconnected"]
    assert (ending_of(seen).phase, ending_of(seen).kind) == ("open", "tls")


# ---- while it closes -------------------------------------------------------------------------


@by_both_ways
def test_end_instead_of_an_answer_to_our_close_frame(
    wire: Wire, session_class: Session, way: Any
) -> None:
    script = [Peer.accept_upgrade, Peer.read_frame, way]
    seen = converse_until_broken(wire, session_class, *script, closes=True)
    end = ending_of(seen)
    assert (end.phase, end.kind, end.graceful) == ("closing", kind_of(way), False)
    assert (end.code, end.closed_by) == (1006, "client")


@by_both_ways
def test_end_behind_both_close_frames_when_we_began(
    wire: Wire, session_class: Session, way: Any
) -> None:
    script = [Peer.accept_upgrade, Peer.read_frame, CLOSE, lambda peer: peer.hold(0.05), way]
    seen = converse_until_broken(wire, session_class, *script, closes=True)
    end = ending_of(seen)
    assert (end.phase, end.kind, end.graceful) == ("closing", "closed", True)
    assert (end.code, end.closed_by, end.error) == (1001, "client", None)


@by_both_ways
def test_end_behind_both_close_frames_when_the_server_began(
    wire: Wire, session_class: Session, way: Any
) -> None:
    script = [Peer.accept_upgrade, CLOSE, Peer.read_frame, way]
    end = ending_of(converse_until_broken(wire, session_class, *script))
    assert (end.phase, end.kind, end.graceful) == ("closing", "closed", True)
    assert (end.code, end.closed_by, end.error) == (1001, "server", None)


def test_close_frame_and_fin_at_once_are_a_graceful_end(wire: Wire, session_class: Session) -> None:
    end = ending_of(converse_until_broken(wire, session_class, Peer.accept_upgrade, CLOSE))
    assert (end.graceful, end.code, end.closed_by) == (True, 1001, "server")


# ---- resources -------------------------------------------------------------------------------

EXHAUSTED = """
import resource
from lomond import WebSocket
from {module} import {name} as Session

websocket = WebSocket("ws://127.0.0.1:{port}")
*_, end = websocket.connect(Session)
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        held.append(open("/dev/null"))
except OSError:
    # The limit is reached, which is what was wanted.
    pass
for spare in range(3):
    *_, end = websocket.connect(Session)
    print(end.name, end.phase, end.kind, end.retryable, "ulimit" in end.reason)
    held.pop()
held.clear()
*_, end = websocket.connect(Session)
print(end.name)
"""


def test_process_without_a_descriptor_left_fails_and_recovers(
    tcp: Wire, session_class: Session
) -> None:
    with tcp.server([Peer.accept_upgrade, CLOSE, Peer.read_frame]) as server:
        module, name = session_class.__module__, session_class.__name__
        code = EXHAUSTED.format(module=module, name=name, port=server.port)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
    *attempts, last = done.stdout.splitlines()
    assert attempts[0] == "connect_fail tcp resources True True", done.stderr
    assert set(attempts) <= {attempts[0], "disconnected closing closed True False"}
    assert last == "disconnected"
