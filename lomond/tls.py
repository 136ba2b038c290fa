"""TLS: the options, the OpenSSL contexts made from them, and errors in words.

The stream that uses a context is in `lomond.tls_stream`, and has its name here too.

Rules of this file:
- A context that the user made is used as it is and never changed.
- Contexts are shared: making one with certifi's bundle costs 28 to 98 ms and 750 KiB.
- Files are read here, when the first connection needs them, and not before.

Names of the `ssl` module are looked up when they are used, never imported from it:
`gevent.monkey` may replace `ssl.SSLContext` later, and a mixture of both kinds recurses.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import certifi

from lomond.errors import ConnectFail
from lomond.tls_stream import TLSStream as TLSStream

_Path: TypeAlias = str | os.PathLike[str]
_Key: TypeAlias = tuple[bool, str | None, str | None, str | None]


class InsecureTLSWarning(RuntimeWarning):
    """Certificates are not verified: whoever is between us and the server can read along."""


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """How TLS connections are made. Two equal options share one OpenSSL context.

    Raises TypeError or ValueError for values that are wrong or contradict one another,
    under the names that these options have at `WebSocket`.
    """

    verify: bool = True
    """Whether the server's certificate must be valid for the host."""
    cafile: _Path | None = None
    """A PEM file of trusted authorities; None for certifi's."""
    context: ssl.SSLContext | None = None
    """A context of the user's own, which then decides alone."""
    server_hostname: str | None = None
    """The name to ask for and to verify, where it is not the URL's host."""
    certfile: _Path | None = None
    """A PEM file with the client's certificate (chain), if the server wants one."""
    keyfile: _Path | None = None
    """A PEM file with the key for `certfile`; None where `certfile` holds it too."""

    def __post_init__(self) -> None:
        self._check_types()
        self._check_context()
        if self.cafile is not None and not self.verify:
            raise ValueError("ssl_cafile has no use with ssl_verify=False: leave one of them out")
        if self.keyfile is not None and self.certfile is None:
            raise ValueError("ssl_keyfile needs the certificate that it is for: add ssl_certfile")
        if self.server_hostname is not None:
            _check_server_hostname(self.server_hostname)

    def _check_types(self) -> None:
        if not isinstance(self.verify, bool):
            raise TypeError("ssl_verify must be True or False: a file of authorities is ssl_cafile")
        for option in ("cafile", "certfile", "keyfile"):
            value = getattr(self, option)
            if value is not None and not isinstance(value, (str, os.PathLike)):
                raise TypeError(f"ssl_{option} must be a path, not {type(value).__name__}")
        if self.server_hostname is not None and not isinstance(self.server_hostname, str):
            kind = type(self.server_hostname).__name__
            raise TypeError(f"server_hostname must be str, not {kind}")

    def _check_context(self) -> None:
        if self.context is None:
            return
        # Not isinstance: after a late monkey.patch_all() the class of an older context is no
        # longer the one called ssl.SSLContext.
        if not hasattr(self.context, "wrap_bio"):
            kind = type(self.context).__name__
            raise TypeError(f"ssl_context must be an ssl.SSLContext, not {kind}")
        if self.context.protocol == ssl.PROTOCOL_TLS_SERVER:
            raise ValueError("ssl_context is for servers: make it with PROTOCOL_TLS_CLIENT")
        for option in ("cafile", "certfile", "keyfile"):
            if getattr(self, option) is not None:
                raise ValueError(f"ssl_context decides alone: load ssl_{option} into that context")
        if not self.verify:
            raise ValueError("ssl_context decides alone: set verify_mode on that context instead")


def is_verified(options: TLSOptions) -> bool:
    """Answer whether these options prove that the server is the one that was asked for."""
    if options.context is None:
        return options.verify
    # A chain without the host's name would let in the holder of any valid certificate.
    return options.context.verify_mode != ssl.CERT_NONE and options.context.check_hostname


# Guards the two names below it while a context is made; nothing is waited for under it.
_lock = threading.Lock()
_contexts: dict[_Key, ssl.SSLContext] = {}
_has_warned = False


def context_for(options: TLSOptions) -> ssl.SSLContext:
    """Return the user's context, or the one shared by all who verify with the same files.

    Files are read once in the life of the process. Raises `ConnectFail` where one cannot be
    loaded. The first call with verify=False warns with `InsecureTLSWarning`.
    """
    if options.context is not None:
        return options.context
    if not options.verify:
        _warn_once()
    paths = (options.cafile, options.certfile, options.keyfile)
    cafile, certfile, keyfile = (None if path is None else os.fspath(path) for path in paths)
    key = (options.verify, cafile, certfile, keyfile)
    with _lock:
        if key not in _contexts:
            _contexts[key] = _make_context(*key)
        return _contexts[key]


def _warn_once() -> None:
    global _has_warned
    with _lock:
        is_first, _has_warned = not _has_warned, True
    if is_first:
        text = "ssl_verify=False: certificates are not verified; trust your own with ssl_cafile"
        warnings.warn(text, InsecureTLSWarning, stacklevel=3)


def _make_context(
    verify: bool, cafile: str | None, certfile: str | None, keyfile: str | None
) -> ssl.SSLContext:
    if verify:
        path = certifi.where() if cafile is None else cafile
        with _explain_file_errors(f"ssl_cafile {path!r}"):
            context = ssl.create_default_context(cafile=path)
        # RFC 9525 (and RFC 6125 before it, more mildly): a Common Name identifies no service.
        context.hostname_checks_common_name = False
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # RFC 8996 §4, §5: TLS 1.0 and 1.1 "MUST NOT be used".
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certfile is not None:
        names = f"ssl_certfile {certfile!r}" + (f" with ssl_keyfile {keyfile!r}" if keyfile else "")
        with _explain_file_errors(names):
            context.load_cert_chain(certfile, keyfile, password=_refuse_passphrase)
    return context


@contextlib.contextmanager
def _explain_file_errors(names: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # OpenSSL's errors do not name the file. A file stays wrong: no use in trying again.
        raise ConnectFail(
            f"cannot load {names}: {error.strerror or error}",
            phase="tls",
            kind="tls",
            error=error,
            retryable=False,
        ) from error


def _refuse_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal, and wait.
    raise OSError("the private key is encrypted: decrypt it, or load it into an ssl_context")


def _check_server_hostname(name: str) -> None:
    try:
        encoded = name.encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded or encoded.startswith(b".") or b"\0" in encoded:
        raise ValueError(f"server_hostname must be a host name or an address, not {name!r}")


def _renew_lock() -> None:  # pragma: no cover: runs in forked children only
    global _lock
    _lock = threading.Lock()


# Another thread may have held the lock at the moment of the fork.
if hasattr(os, "register_at_fork"):  # pragma: no branch
    os.register_at_fork(after_in_child=_renew_lock)


# What OpenSSL says, by X509_V_ERR_ number (openssl-verification-options), and what to do.
_CERTIFICATE_FAULTS = {
    2: "cannot be traced to a trusted authority: give that authority's as ssl_cafile",
    9: "is not valid yet: check this machine's clock",
    10: "has expired: the server needs a new one (or check this machine's clock)",
    18: "is self-signed: if you trust it, give it as ssl_cafile",
    19: "is signed by an authority that is not trusted: give that authority's as ssl_cafile",
    20: "cannot be traced to a trusted authority: give that authority's as ssl_cafile",
    21: "cannot be traced to a trusted authority: give that authority's as ssl_cafile",
    23: "was revoked: the server needs a new one",
    62: "is for another host: connect by a name in it, or give that name as server_hostname",
    64: "is for another host: connect by an address or name in it, or set server_hostname",
}

# By OpenSSL's reason, without what stands before and including "ALERT_": that part differs
# between its releases. None of these ends differently at another attempt.
_FAULTS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS on this port: is it ws:// or http://?",
    "UNSUPPORTED_PROTOCOL": "the server has no TLS version that is accepted here",
    "PROTOCOL_VERSION": "the server accepts none of our TLS versions",
    "HANDSHAKE_FAILURE": "the server found no common ciphers, or wants a client certificate",
    "CERTIFICATE_REQUIRED": "the server wants a client certificate: give ssl_certfile",
    "UNKNOWN_CA": "the server does not trust our ssl_certfile",
    "BAD_CERTIFICATE": "the server does not accept our ssl_certfile",
    "CERTIFICATE_EXPIRED": "the server says that our ssl_certfile has expired",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know this host: set server_hostname",
}


def explain_tls_error(error: ssl.SSLError) -> tuple[str, bool]:
    """Return what went wrong in words to act on, and whether to try again is of any use."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _CERTIFICATE_FAULTS.get(error.verify_code, "is not acceptable")
        return f"the server's certificate {advice} ({error.verify_message})", False
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "the server ended the connection in the middle of TLS", True
    reason = (error.reason or "").rpartition("ALERT_")[2]
    return f"{_FAULTS.get(reason, 'TLS failed')} ({error.reason or error})", reason not in _FAULTS
