"""What the operating system's errors mean, in the words of `lomond.errors.Kind`."""

from __future__ import annotations

import errno
import socket
import ssl

from lomond.errors import ConnectFail, Kind, Phase
from lomond.tls import explain_tls_error

_KINDS: dict[int, Kind] = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EAGAIN: "resources",
    errno.EMFILE: "resources",
    errno.ENFILE: "resources",
    errno.ENOBUFS: "resources",
    errno.ENOMEM: "resources",
    errno.EADDRNOTAVAIL: "resources",
    errno.EADDRINUSE: "resources",
}

_ADVICE = {
    errno.EMFILE: "; this process may not open more files: raise its limit (ulimit -n)",
    errno.EADDRNOTAVAIL: "; no local port is free for this address: use several source addresses",
}


def kind_of(error: OSError) -> Kind:
    """Return what kind of failure a system error is."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, socket.gaierror):
        return "dns"
    return _KINDS.get(error.errno or 0, "unreachable")


def explain(error: OSError) -> tuple[str, bool]:
    """Return what happened in words, and whether to try again is of any use."""
    return explain_tls_error(error) if isinstance(error, ssl.SSLError) else (str(error), True)


def connect_fail(error: OSError, phase: Phase, prefix: str = "unable to connect") -> ConnectFail:
    """Translate a system error that ended an attempt to connect."""
    text, retryable = explain(error)
    # Its frames would keep the socket alive as long as the event that tells of it.
    error = error.with_traceback(None)
    text += _ADVICE.get(error.errno or 0, "")
    return ConnectFail(
        f"{prefix}; {text}", phase=phase, kind=kind_of(error), error=error, retryable=retryable
    )
