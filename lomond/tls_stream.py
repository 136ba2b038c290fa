"""One TLS connection as bytes in, bytes out: RFC 8446, RFC 5246, by OpenSSL.

There is no socket here, only `SSLObject` over `MemoryBIO` (`context.wrap_bio`), so that one
piece of code serves the blocking and the gevent world, with any context, patched or not,
and a TLS stream can run inside another (an https proxy). Contexts are made in `lomond.tls`;
waiting, and moving bytes between a socket and this stream, is the transport's.
"""

from __future__ import annotations

import contextlib
import ssl

# Bytes moved in or out of a MemoryBIO at a time: one TLS record (RFC 8446 §5.1: 2^14). A
# MemoryBIO never gives memory back: after an echo of 1 MiB an idle connection keeps 63 KiB
# with slices of this size, 171 KiB with 64 KiB, 1,132 KiB unsliced.
_SLICE = 16 * 1024
_READ_SIZE = 64 * 1024  # bytes that one read() gathers before it returns


class TLSStream:
    """The client's end of one TLS connection: ciphertext on one side, plaintext on the other.

    Order of calls: `handshake()` until it answers True, giving it what arrives by `feed()`;
    then `write()`, and `read()` after each `feed()` until it answers None. After every call,
    also one that raised, send what `take_outgoing()` returns: it may hold an alert or the
    answer to a key update, whatever the call was. `ssl.SSLError` from `handshake()` or
    `read()` is final.

    Not safe for use by two threads at once. Idle, it owns about 24 KiB.
    """

    __slots__ = (
        "_failure",
        "_has_ended",
        "_incoming",
        "_is_eof_due",
        "_outgoing",
        "_pending",
        "_ssl",
        "_taken",
        "_unsent",
    )

    def __init__(self, context: ssl.SSLContext, server_hostname: str) -> None:
        # -- ciphertext from the peer: _pending, then _incoming, then OpenSSL
        self._incoming = ssl.MemoryBIO()
        self._pending = bytearray()  # what must wait so that _incoming stays small
        self._is_eof_due = False  # from feed_eof() until _incoming was told
        # -- ciphertext for the peer: OpenSSL, then _outgoing, then _taken
        self._outgoing = ssl.MemoryBIO()
        self._taken: list[bytes] = []  # what was moved out so that _outgoing stays small
        # -- plaintext that OpenSSL refuses while the peer renegotiates; empty otherwise
        self._unsent: list[memoryview] = []
        # -- the end, from the moment on that read() found it
        self._has_ended = False
        self._failure: ssl.SSLError | None = None
        # "example.org." and "example.org" are one host to the DNS; certificates and RFC 6066
        # §3 ("without a trailing dot") know only the second spelling.
        name = server_hostname.removesuffix(".")
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def handshake(self) -> bool:
        """Go as far in the handshake as the bytes fed so far allow; True when it is done.

        Raises `ssl.SSLError`, which `explain_tls_error` puts into words.
        """
        while True:
            try:
                self._ssl.do_handshake()
                return True
            except ssl.SSLWantReadError:
                if not self._refill():
                    return False

    def feed(self, ciphertext: bytes | bytearray | memoryview) -> None:
        """Take bytes from the peer. They are copied."""
        if self._pending or self._incoming.pending + len(ciphertext) > _SLICE:
            self._pending += ciphertext
        else:
            self._incoming.write(ciphertext)

    def feed_eof(self) -> None:
        """Take note that the peer sends nothing more."""
        self._is_eof_due = True

    def read(self) -> bytes | None:
        """Return plaintext, at most about 64 KiB; None when more ciphertext is needed.

        `b""` means that the peer ended the stream, with or without close_notify: RFC 6455
        has an ending of its own, so a missing close_notify cannot cut a message unnoticed.
        Raises `ssl.SSLError` after everything that arrived before the fault was returned.
        """
        data = self._read_record()
        if self._unsent:
            self._retry_unsent()
        if not data or not self._has_input():
            return data
        pieces = [data]
        size = len(data)
        while size < _READ_SIZE and self._has_input():
            try:
                piece = self._read_record()
            except ssl.SSLError:
                break  # kept in _failure: raised by the next call
            if not piece:
                break  # the end, too, is kept for the next call
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def write(self, data: bytes | memoryview) -> None:
        """Encrypt `data`, of any length; `take_outgoing()` returns the result.

        While the peer renegotiates (TLS 1.2) the rest of `data` is kept and follows after a
        later `read()`. Raises `ssl.SSLError` after `close()` and after a fault.
        """
        view = memoryview(data)
        sent = 0 if self._unsent else self._encrypt(view)
        if sent < len(view):
            self._unsent.append(memoryview(bytes(view[sent:])))

    def close(self) -> None:
        """Add a close_notify alert to what is outgoing, where TLS allows one. Never raises."""
        # SSLWantReadError asks us to wait for the peer's close_notify, which RFC 8446 §6.1
        # does not require. Any other error: the connection is past saying goodbye.
        with contextlib.suppress(OSError):
            self._ssl.unwrap()

    def take_outgoing(self) -> bytes:
        """Return the ciphertext to send, and forget it; `b""` if there is none."""
        if not self._taken:
            return self._outgoing.read()
        self._taken.append(self._outgoing.read())
        data = b"".join(self._taken)
        self._taken.clear()
        return data

    def _has_input(self) -> bool:
        return bool(
            self._incoming.pending or self._pending or self._is_eof_due or self._ssl.pending()
        )

    def _refill(self) -> bool:
        """Move the next slice, or the end of the stream, on to OpenSSL; False if none waits."""
        if self._pending:
            self._incoming.write(self._pending[:_SLICE])
            del self._pending[:_SLICE]
            return True
        if self._is_eof_due:
            self._is_eof_due = False
            self._incoming.write_eof()
            return True
        return False

    def _read_record(self) -> bytes | None:
        if self._failure is not None:
            raise self._failure
        if self._has_ended:
            return b""
        try:
            data = self._read_openssl()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        except ssl.SSLError as error:
            self._failure = error
            raise
        self._has_ended = data == b""
        return data

    def _read_openssl(self) -> bytes | None:
        # Asking OpenSSL in vain costs an exception, 2 µs; without input it has nothing new.
        if not (self._incoming.pending or self._ssl.pending() or self._refill()):
            return None
        while True:
            try:
                return self._ssl.read(_SLICE)
            except ssl.SSLWantReadError:
                if not self._refill():
                    return None

    def _encrypt(self, view: memoryview) -> int:
        """Encrypt from the front of `view`; return how many bytes OpenSSL has taken."""
        sent = 0
        while sent < len(view):
            piece = view[sent : sent + _SLICE]
            if self._outgoing.pending + len(piece) > _SLICE:
                self._taken.append(self._outgoing.read())
            try:
                sent += self._ssl.write(piece)
            except ssl.SSLWantReadError:
                break
        return sent

    def _retry_unsent(self) -> None:
        while self._unsent:
            view = self._unsent[0]
            sent = self._encrypt(view)
            if sent < len(view):
                self._unsent[0] = view[sent:]
                return
            del self._unsent[0]
