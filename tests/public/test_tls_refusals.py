"""RFC 8446 §6.2: an end that refuses the other says so with a fatal alert; we also say it in words.

RFC 2818 §3.1: "If the hostname is available, the client MUST check it against the server's
identity". RFC 8996 §4, §5: TLS 1.0 and 1.1 "MUST NOT be used".
"""

from __future__ import annotations

import ssl
import warnings

import pytest

from lomond.tls import TLSOptions, context_for, explain_tls_error
from lomond.tls_stream import TLSStream
from tests.helpers.certificates import Certificates, Kind
from tests.helpers.tls_server import ServerEnd, shake_hands


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("expired", "certificate has expired"),
        ("wrong_host", "certificate is for another host"),
        ("no_name", "certificate is for another host"),
        ("unknown_authority", "certificate cannot be traced to a trusted authority"),
        ("self_signed", "certificate is self-signed"),
    ],
)
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_bad_certificate_is_refused_with_words_and_an_alert(
    certificates: Certificates, kind: Kind, text: str, version: str
) -> None:
    context = certificates.server_context(kind)
    context.maximum_version = ssl.TLSVersion[version]
    options = TLSOptions(cafile=certificates.ca_file)
    client, server = TLSStream(context_for(options), "localhost"), ServerEnd(context)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake_hands(client, server)
    explanation, is_retryable = explain_tls_error(caught.value)
    assert text in explanation
    assert not is_retryable
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        server.receive(client.take_outgoing())


def test_a_certificate_for_other_addresses_is_refused(certificates: Certificates) -> None:
    client = TLSStream(certificates.client_context(), "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake_hands(client, ServerEnd(certificates.server_context("wrong_host")))
    assert "for another host" in explain_tls_error(caught.value)[0]


def test_a_server_that_knows_only_tls_1_1_is_refused(certificates: Certificates) -> None:
    context = certificates.server_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    client, server = TLSStream(certificates.client_context(), "localhost"), ServerEnd(context)
    assert not client.handshake()
    with pytest.raises(ssl.SSLError, match=r"(?i)unsupported.protocol"):
        server.receive(client.take_outgoing())
    client.feed(server.take_outgoing())
    with pytest.raises(ssl.SSLError) as caught:
        client.handshake()
    assert explain_tls_error(caught.value)[0].startswith("the server accepts none of our TLS")


def test_a_server_without_tls_is_recognised(certificates: Certificates) -> None:
    client = TLSStream(certificates.client_context(), "localhost")
    assert not client.handshake()
    client.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ssl.SSLError) as caught:
        client.handshake()
    assert explain_tls_error(caught.value)[0].startswith("the server does not speak TLS")


def test_a_server_that_hangs_up_in_the_handshake_is_worth_another_try(
    certificates: Certificates,
) -> None:
    client = TLSStream(certificates.client_context(), "localhost")
    assert not client.handshake()
    client.feed_eof()
    with pytest.raises(ssl.SSLEOFError) as caught:
        client.handshake()
    assert explain_tls_error(caught.value)[1]


def test_a_missing_client_certificate_is_asked_for(certificates: Certificates) -> None:
    client = TLSStream(certificates.client_context(), "localhost")
    server = ServerEnd(certificates.server_context(wants_client_certificate=True))
    with pytest.raises(ssl.SSLError, match=r"(?i)peer.did.not.return.a.certificate"):
        shake_hands(client, server)
    client.feed(server.take_outgoing())
    # In TLS 1.3 our handshake is long over when the server refuses us.
    with pytest.raises(ssl.SSLError) as caught:
        client.read()
    assert "give ssl_certfile" in explain_tls_error(caught.value)[0]


def test_a_client_certificate_is_shown_to_a_server_that_wants_it(
    certificates: Certificates,
) -> None:
    context = certificates.client_context()
    context.load_cert_chain(certificates.client_file)
    client = TLSStream(context, "localhost")
    server = ServerEnd(certificates.server_context(wants_client_certificate=True))
    shake_hands(client, server)
    assert server.tls.getpeercert()


# -- errors in words


def make_verification_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    error.verify_message = message
    return error


def make_error(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL] {reason}")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("code", "message", "text"),
    [
        (9, "not yet valid", "is not valid yet: check this machine's clock (not yet valid)"),
        (10, "has expired", "has expired: the server needs a new one (or check this machine's"),
        (18, "self signed", "is self-signed: if you trust it, give it as ssl_cafile (self"),
        (20, "no issuer", "cannot be traced to a trusted authority: give that authority's as"),
        (62, "{mismatch}", "is for another host: connect by a name in it, or give that name as"),
        (99, "odd", "is not acceptable (odd)"),
    ],
)
def test_a_bad_certificate_is_explained_and_not_worth_retrying(
    code: int, message: str, text: str
) -> None:
    explanation, is_retryable = explain_tls_error(make_verification_error(code, message))
    assert explanation.startswith(f"the server's certificate {text}")
    assert explanation.endswith(f"({message})")
    assert not is_retryable


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("WRONG_VERSION_NUMBER", "the server does not speak TLS on this port"),
        ("UNSUPPORTED_PROTOCOL", "the server has no TLS version that is accepted here"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "the server accepts none of our TLS versions"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "the server found no common ciphers"),
        ("SSL/TLS_ALERT_HANDSHAKE_FAILURE", "the server found no common ciphers"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "the server wants a client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "the server does not trust our ssl_certfile"),
    ],
)
def test_a_known_alert_is_explained_and_not_worth_retrying(reason: str, text: str) -> None:
    explanation, is_retryable = explain_tls_error(make_error(reason))
    assert explanation.startswith(text)
    assert explanation.endswith(f"({reason})")
    assert not is_retryable


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (make_error("TLSV1_ALERT_INTERNAL_ERROR"), "TLS failed (TLSV1_ALERT_INTERNAL_ERROR)"),
        (make_error(None), "TLS failed ("),
        (ssl.SSLEOFError(8, "EOF"), "the server ended the connection in the middle of TLS"),
        (ssl.SSLZeroReturnError(6, "closed"), "the server ended the connection in the middle"),
    ],
)
def test_any_other_failure_may_be_tried_again(error: ssl.SSLError, text: str) -> None:
    explanation, is_retryable = explain_tls_error(error)
    assert explanation.startswith(text)
    assert is_retryable
