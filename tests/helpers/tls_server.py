"""The server's end of a TLS connection in memory, made from OpenSSL without the library's help."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from lomond.tls_stream import TLSStream
from tests.helpers.certificates import Certificates

SLICE = 16 * 1024


class ServerEnd:
    """The other end of a connection. It shakes hands by itself while it reads."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def receive(self, ciphertext: bytes) -> bytes:
        plaintext = b""
        for start in range(0, len(ciphertext), SLICE):
            self._incoming.write(ciphertext[start : start + SLICE])
            plaintext += b"".join(self._read_all())
        return plaintext

    def send(self, plaintext: bytes) -> bytes:
        ciphertext = b""
        for start in range(0, len(plaintext), SLICE):
            self.tls.write(plaintext[start : start + SLICE])
            ciphertext += self.take_outgoing()
        return ciphertext

    def say_goodbye(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.take_outgoing()

    def take_outgoing(self) -> bytes:
        return self._outgoing.read()

    def _read_all(self) -> Iterator[bytes]:
        while True:
            try:
                piece = self.tls.read(SLICE)
            except ssl.SSLWantReadError:
                return
            if not piece:
                return
            yield piece


def shake_hands(client: TLSStream, server: ServerEnd) -> None:
    while not client.handshake():
        server.receive(client.take_outgoing())
        client.feed(server.take_outgoing())
    server.receive(client.take_outgoing())
    client.feed(server.take_outgoing())
    assert client.read() is None


def read_all(client: TLSStream) -> bytes:
    return b"".join(iter(client.read, None))


def connect(
    certificates: Certificates, host: str = "localhost", version: str = "TLSv1_3"
) -> tuple[TLSStream, ServerEnd]:
    context = certificates.server_context()
    context.maximum_version = ssl.TLSVersion[version]
    client, server = TLSStream(certificates.client_context(), host), ServerEnd(context)
    shake_hands(client, server)
    return client, server
