"""What the system's errors mean: `kind` for programs, a text to act on for people.

"Foreign exceptions are translated in exactly one place each."
"""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from lomond.errors import Kind
from lomond.failures import connect_fail, kind_of

KINDS: list[tuple[int, Kind]] = [
    (errno.ECONNREFUSED, "refused"),
    (errno.ECONNRESET, "reset"),
    (errno.ECONNABORTED, "reset"),
    (errno.EPIPE, "reset"),
    (errno.ETIMEDOUT, "timeout"),
    (errno.EMFILE, "resources"),
    (errno.ENFILE, "resources"),
    (errno.ENOBUFS, "resources"),
    (errno.ENOMEM, "resources"),
    (errno.EAGAIN, "resources"),
    (errno.EADDRNOTAVAIL, "resources"),
    (errno.EADDRINUSE, "resources"),
    (errno.EHOSTUNREACH, "unreachable"),
    (errno.ENETUNREACH, "unreachable"),
    (errno.ENETDOWN, "unreachable"),
    (errno.EACCES, "unreachable"),
]


def certificate_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.reason, error.verify_code, error.verify_message = "FAILED", code, message
    return error


@pytest.mark.parametrize(("number", "kind"), KINDS, ids=[errno.errorcode[n] for n, _ in KINDS])
def test_an_errno_has_a_kind(number: int, kind: Kind) -> None:
    error = OSError(number, os.strerror(number))

    assert kind_of(error) == kind
    assert connect_fail(error, "tcp").kind == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), "timeout"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "dns"),
        (ssl.SSLError(1, "wrong version"), "tls"),
        (ssl.SSLEOFError(8, "eof"), "tls"),
        (certificate_error(18, "self-signed certificate"), "tls"),
        (OSError("without a number"), "unreachable"),
    ],
)
def test_a_class_of_errors_has_a_kind(error: OSError, kind: Kind) -> None:
    assert kind_of(error) == kind


def test_a_failure_to_connect_says_what_the_system_said() -> None:
    error = OSError(errno.ECONNREFUSED, "Connection refused (127.0.0.1:1)")

    failure = connect_fail(error, "tcp")

    text = f"unable to connect; [Errno {errno.ECONNREFUSED}] Connection refused (127.0.0.1:1)"
    assert str(failure) == text
    assert (failure.phase, failure.kind, failure.error, failure.retryable) == (
        "tcp",
        "refused",
        error,
        True,
    )


def test_a_failure_at_a_proxy_says_so() -> None:
    failure = connect_fail(OSError(errno.ECONNREFUSED, "no"), "proxy", "unable to connect to proxy")

    assert str(failure).startswith("unable to connect to proxy; ")
    assert failure.phase == "proxy"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EMFILE, "raise its limit (ulimit -n)"),
        (errno.EADDRNOTAVAIL, "use several source addresses"),
    ],
)
def test_a_lack_of_resources_comes_with_advice(number: int, advice: str) -> None:
    failure = connect_fail(OSError(number, os.strerror(number)), "tcp")

    assert str(failure).endswith(advice)
    assert failure.retryable


def test_a_bad_certificate_is_explained_and_not_worth_repeating() -> None:
    failure = connect_fail(certificate_error(18, "self-signed certificate"), "tls")

    assert str(failure) == (
        "unable to connect; the server's certificate is self-signed: if you trust it, give it as "
        "ssl_cafile (self-signed certificate)"
    )
    assert (failure.phase, failure.kind, failure.retryable) == ("tls", "tls", False)


def test_tls_that_ends_early_is_worth_repeating() -> None:
    failure = connect_fail(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "tls")

    assert "ended the connection in the middle of TLS" in str(failure)
    assert failure.retryable


def test_a_failure_does_not_keep_the_frames_of_its_error() -> None:
    try:
        raise OSError(errno.ECONNREFUSED, "no")
    except OSError as error:
        failure = connect_fail(error, "tcp")

    assert failure.error is not None
    assert failure.error.__traceback__ is None
