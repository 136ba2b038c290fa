"""New keys in mid-connection: RFC 5246 §7.4.1.1, renegotiation, and RFC 8446 §4.6.3, key updates.

RFC 5246 §7.4.1.1: "HelloRequest is a simple notification that the client should begin the
negotiation process anew." Who reads and writes application data notices neither.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lomond.tls_stream import TLSStream
from tests.helpers.certificates import Certificates
from tests.helpers.tls_server import SLICE


class BusyObject:
    """In place of an SSLObject: takes at most `takes[n]` bytes at the n-th write; 0: waits."""

    def __init__(self, takes: list[int]) -> None:
        self._takes = takes
        self.taken = b""

    def write(self, data: memoryview) -> int:
        count = min(self._takes.pop(0), len(data))
        if count == 0:
            raise ssl.SSLWantReadError
        self.taken += data[:count]
        return count

    def pending(self) -> int:
        return 0

    def read(self, size: int) -> bytes:
        raise ssl.SSLWantReadError


class BusyContext(ssl.SSLContext):
    """Makes streams over a given object."""

    busy: BusyObject

    def wrap_bio(self, *args: object, **kwargs: object) -> BusyObject:  # type: ignore[override]
        return self.busy


def make_busy_stream(takes: list[int]) -> tuple[TLSStream, BusyObject]:
    context = BusyContext(ssl.PROTOCOL_TLS_CLIENT)
    context.busy = BusyObject(takes)
    return TLSStream(context, "localhost"), context.busy


def test_writes_during_a_renegotiation_follow_in_order_after_a_read() -> None:
    stream, busy = make_busy_stream([2, 0, 3, 9, 9])
    stream.write(b"abcde")
    stream.write(b"fgh")
    assert busy.taken == b"ab"
    assert stream.read() is None
    assert busy.taken == b"abcdefgh"


def test_writes_wait_for_as_many_reads_as_it_takes() -> None:
    buffer = bytearray(b"abcde")
    stream, busy = make_busy_stream([0, 2, 0, 9])
    stream.write(memoryview(buffer))
    buffer[:] = b"-----"
    assert stream.read() is None
    assert busy.taken == b"ab"
    assert stream.read() is None
    assert busy.taken == b"abcde"


class OpenSSLServer:
    """`openssl s_server`, which begins renegotiations and key updates on command."""

    def __init__(self, openssl: str, certificate: str, version: str) -> None:
        command = [openssl, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1"]
        self._process = subprocess.Popen(
            [*command, "-cert", certificate, "-num_tickets", "0", version],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        # Ends every read_until() that would wait for ever.
        self._watchdog = threading.Timer(30, self._process.kill)
        self._watchdog.start()
        accepting = self.read_until(b"ACCEPT ")
        self.port = int(accepting.rpartition(b":")[2])

    def read_until(self, word: bytes) -> bytes:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if word in line:
                return line
        raise AssertionError(f"no {word!r} from openssl s_server")

    def type(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def stop(self) -> None:
        self._watchdog.cancel()
        self._watchdog.join()
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def openssl_server(
    request: pytest.FixtureRequest, certificates: Certificates
) -> Iterator[OpenSSLServer]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command")
    server = OpenSSLServer(openssl, certificates.server_file(), request.param)
    yield server
    server.stop()


@pytest.fixture
def wire(
    certificates: Certificates, openssl_server: OpenSSLServer
) -> Iterator[tuple[TLSStream, socket.socket]]:
    client = TLSStream(certificates.client_context(), "localhost")
    with socket.create_connection(("127.0.0.1", openssl_server.port), timeout=20) as sock:
        while not client.handshake():
            sock.sendall(client.take_outgoing())
            client.feed(sock.recv(SLICE))
        sock.sendall(client.take_outgoing())
        yield client, sock


def receive(client: TLSStream, sock: socket.socket) -> bytes:
    while True:
        sock.sendall(client.take_outgoing())
        data = client.read()
        sock.sendall(client.take_outgoing())
        if data is not None:
            return data
        client.feed(sock.recv(SLICE))


@pytest.mark.loopback
@pytest.mark.parametrize("openssl_server", ["-tls1_2"], indirect=True)
def test_a_renegotiation_is_not_noticed(
    openssl_server: OpenSSLServer, wire: tuple[TLSStream, socket.socket]
) -> None:
    client, sock = wire
    openssl_server.type(b"r\n")
    client.feed(sock.recv(SLICE))
    assert client.read() is None
    client.write(b"from the client\n")
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(receive, client, sock)
        openssl_server.read_until(b"from the client")
        openssl_server.type(b"from the server\n")
        assert received.result() == b"from the server\n"


@pytest.mark.loopback
@pytest.mark.parametrize("openssl_server", ["-tls1_3"], indirect=True)
def test_a_key_update_is_answered_and_not_noticed(
    openssl_server: OpenSSLServer, wire: tuple[TLSStream, socket.socket]
) -> None:
    client, sock = wire
    openssl_server.type(b"K\n")  # goes out in front of the next data
    client.write(b"old keys\n")
    sock.sendall(client.take_outgoing())
    openssl_server.read_until(b"old keys")
    openssl_server.type(b"from the server\n")
    assert receive(client, sock) == b"from the server\n"
    client.write(b"new keys\n")
    sock.sendall(client.take_outgoing())
    openssl_server.read_until(b"new keys")
