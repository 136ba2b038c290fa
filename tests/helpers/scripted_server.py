"""A server that does what a test tells it, byte by byte, right or wrong.

    def script(peer):
        peer.accept_upgrade()
        peer.send(server_frame(0x81, b"hello"))
        assert peer.read_frame() == (0x88, close_payload(1000, "goodbye"))
        peer.reset()

    with ScriptedServer(script) as server:
        events = list(WebSocket(server.url))

A script is a function or a list of steps; bytes among the steps are sent:
`[Peer.accept_upgrade, b"\\x81\\x02hi", Peer.read_until_end]`. It runs once for each connection,
in a thread of its own; `peer.number` counts them from 0. When it returns, the connection ends by
FIN. Where a script fails, leaving the `with` raises its exception in the test. A script that is
not done when the test is has `deadline` seconds to end (`hold` and `flood` end at once); then
the test fails.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeAlias

from tests.helpers.frames import take_client_frame
from tests.helpers.streams import make_stream

__all__ = ["Peer", "Script", "ScriptedServer", "upgrade_answer"]

KEY = re.compile(rb"^sec-websocket-key:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
# A blocked call looks up this often, in seconds, whether the test is over.
TICK = 0.005

Script: TypeAlias = Callable[["Peer"], object] | Sequence[bytes | Callable[["Peer"], object]]


def upgrade_answer(request: bytes, *extra_headers: str) -> bytes:
    """Build the correct answer (RFC 6455 §4.2.2) to the upgrade request of a client."""
    found = KEY.search(request)
    assert found, f"no key in the upgrade request: {request!r}"
    digest = hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
        *extra_headers,
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


class Peer:
    """The client at the other end of one accepted connection, for a script to deal with.

    Every step that waits raises TimeoutError after the server's deadline.
    """

    def __init__(self, server: ScriptedServer, connected: socket.socket, number: int) -> None:
        connected.settimeout(server.deadline)
        self.number = number
        self.stream = make_stream(connected, server.tls)
        self.request = b""
        self.received = bytearray()  # all that came, without TLS
        self._unread = bytearray()
        self._server = server

    def receive(self) -> bytes:
        """Return what came and was not read, or wait for more; `b""` at the end of the stream."""
        if not self._unread and not self._fill():
            return b""
        data = bytes(self._unread)
        self._unread.clear()
        return data

    def read_request(self) -> bytes:
        """Read an HTTP request up to its empty line; it stays in `request`."""
        while (end := self._unread.find(b"\r\n\r\n") + 4) < 4:
            assert self._fill(), f"the client ended within its request: {bytes(self._unread)!r}"
        self.request = bytes(self._unread[:end])
        del self._unread[:end]
        return self.request

    def accept_upgrade(self, *extra_headers: str) -> None:
        """Read the upgrade request, unless that was done, and answer it correctly."""
        self.send(upgrade_answer(self.request or self.read_request(), *extra_headers))

    def read_frame(self) -> tuple[int, bytes]:
        """Read one frame: its first byte and its unmasked payload."""
        while (taken := take_client_frame(self._unread)) is None:
            assert self._fill(), f"the client ended within a frame: {bytes(self._unread[:64])!r}"
        first_byte, payload, end = taken
        del self._unread[:end]
        return first_byte, payload

    def read_until_end(self) -> bytes:
        """Read all that the client still sends, until it ends or resets the connection."""
        try:
            while self._fill():
                continue
        except ConnectionError:
            pass  # A reset is an end as well.
        return self.receive() if self._unread else b""

    def send(self, data: bytes) -> None:
        """Send all of it, in one write."""
        self.stream.send(data)

    def send_slowly(self, data: bytes, *, piece: int = 1, pause: float = 0.0) -> None:
        """Send in pieces of so many bytes, each a packet of its own, `pause` seconds apart."""
        for start in range(0, len(data), piece):
            self.send(data[start : start + piece])
            self._server.stopping.wait(pause)

    def send_part_of_record(self, data: bytes, size: int = 7) -> bytes:
        """Send the first bytes of the TLS record that holds `data`; return the rest of it."""
        record = self.stream.sealed(data)
        self.send_raw(record[:size])
        return record[size:]

    def send_raw(self, data: bytes) -> None:
        """Send bytes past the TLS of this connection."""
        self.stream.socket.sendall(data)

    def flood(self, data: bytes) -> int:
        """Send `data` over and over until the client ends or the test is over; count the bytes."""
        self.stream.socket.settimeout(TICK)
        sent = 0
        while not self._server.stopping.is_set():
            left = memoryview(self.stream.sealed(data))
            while left and not self._server.stopping.is_set():
                try:
                    size = self.stream.socket.send(left)
                except TimeoutError:
                    continue
                except OSError:
                    return sent
                sent, left = sent + size, left[size:]
        return sent

    def hold(self, seconds: float | None = None) -> None:
        """Do nothing, not even read, for so long or until the test is over."""
        self._server.stopping.wait(seconds)

    def close(self) -> None:
        """End the connection by FIN, and read on, so that the kernel has no cause for a RST."""
        self.stream.finish()
        self.stream.socket.settimeout(TICK)
        while not self._server.stopping.is_set():
            try:
                if not self._fill():
                    break
            except TimeoutError:
                continue
            except OSError:
                break  # Reset, or broken TLS: an end as well.
        self.stream.socket.close()

    def reset(self) -> None:
        """End the connection by RST."""
        self.stream.reset()

    def _fill(self) -> bool:
        data = self.stream.receive()
        self.received += data
        self._unread += data
        return bool(data)


class ScriptedServer:
    """Listens on a free port of the loopback while the `with` block runs. See the module."""

    def __init__(
        self,
        script: Script,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        accepts: bool = True,
        deadline: float = 10.0,
    ) -> None:
        self.tls = tls
        self.deadline = deadline
        self.peers: list[Peer] = []
        self.handshake_errors: list[OSError] = []  # of TLS: no script ran for these
        self.stopping = threading.Event()
        self._steps = [script] if callable(script) else list(script)
        self._errors: list[Exception] = []
        self._is_interrupted = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=128)
        self.host, self.port = self._listener.getsockname()[:2]
        self._threads = [threading.Thread(target=self._accept, daemon=True)] if accepts else []

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """The URL for a client."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ws' if self.tls is None else 'wss'}://{host}:{self.port}/"

    @property
    def received(self) -> bytes:
        """All that came over all connections, without TLS, in the order of the connections."""
        return b"".join(bytes(peer.received) for peer in self.peers)

    def __enter__(self) -> ScriptedServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        if error is not None:
            self.interrupt()
        is_stuck = not self._join(self.deadline)
        if is_stuck:
            self.interrupt()
            self._join(self.deadline)
        self._listener.close()
        if error is None and self._errors:
            raise self._errors[0]
        if error is None and is_stuck:
            raise AssertionError(f"a script still ran {self.deadline} s after the test was over")

    def interrupt(self) -> None:
        """End all connections under their scripts; what those raise from now on is no failure."""
        self._is_interrupted = True
        for peer in list(self.peers):
            peer.stream.interrupt()

    def _accept(self) -> None:
        self._listener.settimeout(TICK)
        while True:
            try:
                connected, _ = self._listener.accept()
            except TimeoutError:
                # Only now: whoever connected before the test was over is served.
                if self.stopping.is_set():
                    return
                continue
            peer = Peer(self, connected, len(self.peers))
            self.peers.append(peer)
            if self._is_interrupted:
                peer.stream.interrupt()
            thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, peer: Peer) -> None:
        try:
            if not self._shake_hands(peer):
                return
            for step in self._steps:
                peer.send(step) if isinstance(step, bytes) else step(peer)
            if peer.stream.socket.fileno() >= 0:
                peer.close()
        except Exception as error:  # Raised in the test, by __exit__.
            if not self._is_interrupted:
                self._errors.append(error)
        finally:
            peer.stream.socket.close()

    def _shake_hands(self, peer: Peer) -> bool:
        try:
            peer.stream.handshake()
        except OSError as error:
            # A client that refuses a certificate is right to: the test looks at what it says of it.
            self.handshake_errors.append(error)
            return False
        return True

    def _join(self, seconds: float) -> bool:
        give_up = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
