"""Bytes over one connected socket, in the clear or through TLS, without ever waiting.

A channel reads and writes what the kernel has or takes at this moment. Channels stack: TLS
runs over a socket, or over the TLS of a proxy. Waiting belongs to the transport.
"""

from __future__ import annotations

import contextlib
import socket as _socket
import ssl
from typing import Protocol

from lomond.tls_stream import TLSStream

# One read. A fresh bytes object of this size, cut to what came, costs no more than a shared
# buffer and a copy (3.4 and 3.5 µs with the system call), and an idle connection owns neither.
RECEIVE_SIZE = 64 * 1024
# One read within a long frame: a MiB costs a fifth less than in reads of the other size. Not for
# frames that are still to come: of tiny ones, a read is to bring no more than it does.
LONG_RECEIVE_SIZE = 256 * 1024
# How much is encrypted at once: what the kernel does not take is held twice.
ENCRYPT_SIZE = 64 * 1024


class Channel(Protocol):
    """What a transport and a further layer of TLS need of the layer below."""

    @property
    def is_ready(self) -> bool:
        """Tell whether `receive` has something to return that the kernel knows nothing of."""

    def receive(self, missing: int = 0) -> bytes | None:
        """Return what is there: None for nothing yet, b"" for the end. Raises OSError.

        `missing` is how much of the frame under way is still to come.
        """

    def send(self, data: bytes | memoryview) -> int:
        """Take a part of `data`, perhaps none; return how many bytes. Raises OSError."""

    def flush(self) -> bool:
        """Pass on what was taken; tell whether nothing of it is left. Raises OSError."""

    def unread(self, data: bytes) -> None:
        """Put back what was read too far; the next `receive` returns it."""

    def close(self) -> None:
        """Say goodbye, as far as that takes no waiting. Never raises."""


class SocketChannel:
    """A connected, non-blocking socket."""

    __slots__ = ("_socket", "_unread", "is_ready")

    def __init__(self, socket: _socket.socket) -> None:
        self.is_ready = False
        self._socket = socket
        self._unread = b""

    def receive(self, missing: int = 0) -> bytes | None:
        """Read once."""
        if self.is_ready:
            data, self._unread = self._unread, b""
            self.is_ready = False
            return data
        try:
            return self._socket.recv(RECEIVE_SIZE if missing < RECEIVE_SIZE else LONG_RECEIVE_SIZE)
        except BlockingIOError:
            return None

    def send(self, data: bytes | memoryview) -> int:
        """Write what the kernel's buffer has room for."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def flush(self) -> bool:
        """Tell that nothing is kept here."""
        return True

    def unread(self, data: bytes) -> None:
        """Put back what was read too far."""
        self._unread = data
        self.is_ready = bool(data)

    def close(self) -> None:
        """Do nothing: TCP says goodbye by itself."""


class TLSChannel:
    """TLS over another channel.

    `receive` reads the layer below once and returns all that this made readable, so that a
    peer that floods does not keep its reader from its other work.
    """

    __slots__ = ("_below", "_ciphertext", "_failure", "_is_ended", "_tls", "_unread", "is_ready")

    def __init__(self, below: Channel, context: ssl.SSLContext, server_hostname: str) -> None:
        self.is_ready = False
        self._below = below
        self._tls = TLSStream(context, server_hostname)
        self._ciphertext: bytes | memoryview = b""
        self._unread = b""
        self._is_ended = False
        self._failure: OSError | None = None

    def handshake(self) -> bool:
        """Take one step of the handshake; tell whether it is done. Raises ssl.SSLError."""
        try:
            self._feed()
            is_done = self._tls.handshake()
        except OSError:
            # An alert tells the server why. Where that fails too, the first error is the cause.
            with contextlib.suppress(OSError):
                self.flush()
            raise
        self.flush()
        return is_done

    def receive(self, missing: int = 0) -> bytes | None:
        """Decrypt what one read of the layer below brings."""
        if self._unread:
            data, self._unread = self._unread, b""
            self.is_ready = False
            return data
        if self._failure is not None:
            raise self._failure
        pieces: list[bytes] = []
        piece: bytes | None = None
        try:
            if not self._is_ended:
                self._feed(missing)
            while piece := self._tls.read():
                pieces.append(piece)
        except OSError as error:
            # What came before the fault comes first.
            self._failure = error
            if not pieces:
                raise
        finally:
            # Reading may want to write: an answer to KeyUpdate, an alert. Where that fails, the
            # next `send` says so; what was read is not lost for it.
            with contextlib.suppress(OSError):
                self.flush()
        self.is_ready = bool(pieces) and (piece is not None or self._failure is not None)
        return b"".join(pieces) if pieces else piece

    def send(self, data: bytes | memoryview) -> int:
        """Encrypt a slice once the last one is gone."""
        if not self.flush():
            return 0
        piece = data[:ENCRYPT_SIZE]
        self._tls.write(piece)
        self.flush()
        return len(piece)

    def flush(self) -> bool:
        """Pass ciphertext on, as far as the layer below takes it."""
        while True:
            if not self._ciphertext:
                self._ciphertext = self._tls.take_outgoing()
                if not self._ciphertext:
                    return self._below.flush()
            sent = self._below.send(self._ciphertext)
            if not sent:
                return False
            self._ciphertext = memoryview(self._ciphertext)[sent:]

    def unread(self, data: bytes) -> None:
        """Put back what was read too far."""
        self._unread = data
        self.is_ready = bool(data)

    def close(self) -> None:
        """Send close_notify if the kernel takes it now (RFC 8446 §6.1)."""
        self._tls.close()
        with contextlib.suppress(OSError):
            self.flush()
        self._below.close()

    def _feed(self, missing: int = 0) -> None:
        ciphertext = self._below.receive(missing)
        if ciphertext:
            self._tls.feed(ciphertext)
        elif ciphertext is not None:
            self._is_ended = True
            self._tls.feed_eof()
