"""The byte streams of the scripted servers: a blocking socket, with or without TLS on it.

TLS runs over memory here, so that a script can hold a piece of a record back. One thread may read
while another writes.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading

__all__ = ["PlainStream", "TLSServerStream", "make_stream"]

CHUNK = 65536


class PlainStream:
    """A connected socket. Its time-out holds for each call."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected

    def handshake(self) -> None:
        """Do what comes before the first byte; nothing, without TLS."""

    def receive(self) -> bytes:
        """Wait for bytes; `b""` at the end of the stream."""
        return self.socket.recv(CHUNK)

    def send(self, data: bytes) -> None:
        """Write everything."""
        self.socket.sendall(data)

    def sealed(self, data: bytes) -> bytes:
        """Return the bytes that would stand for `data` on the wire, without sending them."""
        return data

    def finish(self) -> None:
        """End our direction, by FIN. The other direction goes on."""
        # The peer may have ended or reset the connection before.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close by RST, whatever is still on its way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def interrupt(self) -> None:
        """Wake whoever waits in this stream, from another thread."""
        # Gone already: then nobody waits.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class TLSServerStream(PlainStream):
    """The server's side of TLS on a connected socket."""

    def __init__(self, connected: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(connected)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        # Held for one call into OpenSSL, never while waiting for the socket.
        self._state = threading.Lock()
        # Keeps the records on the wire in the order in which they were made.
        self._sending = threading.Lock()

    def handshake(self) -> None:
        """Shake hands; ssl.SSLError where the client will not, after sending the alert."""
        while True:
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                pass  # The hello of the other side is not complete yet: read on, below.
            finally:
                self._flush()
            self._feed()

    def receive(self) -> bytes:
        """Wait for bytes; `b""` at the end of the stream, with or without close_notify."""
        while True:
            try:
                with self._state:
                    return self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                if self._outgoing.pending:
                    self._flush()
                if not self._feed():
                    return b""
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def send(self, data: bytes) -> None:
        """Write everything."""
        with self._sending:
            self.socket.sendall(self.sealed(data))

    def sealed(self, data: bytes) -> bytes:
        """Return the records that hold `data`; they must be sent before any other."""
        with self._state:
            self._tls.write(data)
            return self._outgoing.read()

    def finish(self) -> None:
        """Send close_notify, then FIN."""
        # No handshake yet, or the answering close_notify is still to come.
        with contextlib.suppress(OSError), self._state:
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._flush()
        super().finish()

    def _feed(self) -> bool:
        data = self.socket.recv(CHUNK)
        with self._state:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
        return bool(data)

    def _flush(self) -> None:
        with self._sending:
            with self._state:
                data = self._outgoing.read()
            self.socket.sendall(data)


def make_stream(connected: socket.socket, context: ssl.SSLContext | None) -> PlainStream:
    """Return the stream of an accepted connection, with TLS where there is a context for it."""
    return PlainStream(connected) if context is None else TLSServerStream(connected, context)
