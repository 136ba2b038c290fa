"""TLS as a user meets it: verified by default, faults in words to act on, and no surprises.

RFC 6455 §4.1: "If the TLS handshake fails (e.g., the server's certificate can't be verified), then
the client MUST _Fail the WebSocket Connection_ and abort the connection."
"""

from __future__ import annotations

import itertools
import ssl
from typing import Any

import pytest

import lomond.tls
from lomond import WebSocket, events
from lomond.session import WebsocketSession
from lomond.tls import InsecureTLSWarning
from tests.helpers.certificates import Certificates, Kind
from tests.helpers.conversation import (
    Stopwatch,
    World,
    converse,
    ending_of,
    names_of,
    open_sockets_to,
)
from tests.helpers.echo_server import EchoServer
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

Session = type[WebsocketSession]

SCRIPT = [Peer.accept_upgrade, server_frame(0x88, close_payload(1000)), Peer.read_frame]


def connect(
    context: ssl.SSLContext, session_class: Session, host: str = "127.0.0.1", **options: Any
) -> tuple[list[events.Event], ScriptedServer]:
    """Connect to a server with this context; return the events, and the server as it was left."""
    with ScriptedServer(SCRIPT, tls=context) as server:
        websocket = WebSocket(f"wss://{host}:{server.port}/", **options)
        seen = converse(websocket.connect(session_class))
        assert open_sockets_to(server) == []
    return seen, server


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "number", "text"),
    [
        ("self_signed", 18, "is self-signed: if you trust it, give it as ssl_cafile"),
        ("unknown_authority", 20, "cannot be traced to a trusted authority"),
        ("expired", 10, "has expired: the server needs a new one"),
        ("wrong_host", 64, "is for another host: connect by an address or name in it"),
        ("no_name", 64, "is for another host"),
    ],
)
def test_certificate_that_proves_nothing_is_refused(
    certificates: Certificates, session_class: Session, kind: Kind, number: int, text: str
) -> None:
    seen, server = connect(
        certificates.server_context(kind), session_class, ssl_cafile=certificates.ca_file
    )
    end = ending_of(seen)
    assert names_of(seen) == ["connecting", "connect_fail"]
    assert (end.phase, end.kind, end.retryable) == ("tls", "tls", False)
    assert end.reason.startswith(f"unable to connect; the server's certificate {text}")
    assert isinstance(end.error, ssl.SSLCertVerificationError)
    assert end.error.verify_code == number
    # The server is told, by an alert.
    assert "ALERT" in str(server.handshake_errors[0])
    assert server.received == b""


def test_authority_that_certifi_does_not_know_is_refused(
    certificates: Certificates, session_class: Session
) -> None:
    seen, _ = connect(certificates.server_context(), session_class)
    end = ending_of(seen)
    assert (end.phase, end.kind, end.retryable) == ("tls", "tls", False)


def test_host_by_another_name_is_refused(
    certificates: Certificates, session_class: Session
) -> None:
    seen, _ = connect(
        certificates.server_context(),
        session_class,
        ssl_cafile=certificates.ca_file,
        server_hostname="example.org",
    )
    assert "is for another host" in ending_of(seen).reason


def test_server_with_old_tls_only_is_refused(
    certificates: Certificates, session_class: Session
) -> None:
    context = certificates.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    seen, _ = connect(context, session_class, ssl_cafile=certificates.ca_file)
    end = ending_of(seen)
    assert (end.kind, end.retryable) == ("tls", False)


def test_file_that_cannot_be_read_is_no_connection(
    certificates: Certificates, session_class: Session
) -> None:
    seen, _ = connect(certificates.server_context(), session_class, ssl_cafile="/no/such/file.pem")
    end = ending_of(seen)
    assert (end.phase, end.kind, end.retryable) == ("tls", "tls", False)
    assert "cannot load ssl_cafile '/no/such/file.pem': No such file" in end.reason


# ---- what is accepted ------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_certificate_that_is_valid_is_accepted(
    certificates: Certificates, session_class: Session, version: str, host: str
) -> None:
    context = certificates.server_context()
    context.maximum_version = ssl.TLSVersion[version]
    seen, _ = connect(context, session_class, host, ssl_cafile=certificates.ca_file)
    connected: Any = seen[1]
    assert connected.verified is True
    assert set(connected.timings) == {"dns", "tcp", "tls"}
    assert ending_of(seen).graceful


def test_server_hostname_is_what_is_asked_for_and_verified(
    certificates: Certificates, session_class: Session
) -> None:
    asked = []
    context = certificates.server_context("wrong_host")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    seen, _ = connect(
        context,
        session_class,
        ssl_cafile=certificates.ca_file,
        server_hostname="other.example",
    )
    assert ending_of(seen).graceful
    assert asked == ["other.example"]


def test_ssl_verify_of_false_accepts_anything_warns_once_and_shows(
    certificates: Certificates, session_class: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lomond.tls, "_has_warned", False)
    context = certificates.server_context("self_signed")
    with pytest.warns(InsecureTLSWarning) as warned:
        first, _ = connect(context, session_class, ssl_verify=False)
        second, _ = connect(context, session_class, ssl_verify=False)
    assert len(warned) == 1
    verified = [e.verified for e in [*first, *second] if isinstance(e, events.Connected)]
    assert verified == [False, False]


def test_plain_connection_is_neither_verified_nor_not(
    echo_server: EchoServer, session_class: Session
) -> None:
    seen = converse(WebSocket(echo_server.url_for("/push")).connect(session_class))
    connected: Any = seen[1]
    assert connected.verified is None


# ---- the user's own context ------------------------------------------------------------------


def test_context_of_the_user_decides_and_stays_as_it_is(
    certificates: Certificates, session_class: Session
) -> None:
    own = certificates.client_context()
    own.minimum_version = own.maximum_version = ssl.TLSVersion.TLSv1_2
    before = (own.minimum_version, own.verify_mode, own.check_hostname, own.options)
    seen, _ = connect(certificates.server_context(), session_class, ssl_context=own)
    connected: Any = seen[1]
    assert connected.verified is True
    assert (own.minimum_version, own.verify_mode, own.check_hostname, own.options) == before


def test_context_of_the_user_that_verifies_nothing_shows(
    certificates: Certificates, session_class: Session
) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    own.check_hostname = False
    own.verify_mode = ssl.CERT_NONE
    seen, _ = connect(certificates.server_context("expired"), session_class, ssl_context=own)
    connected: Any = seen[1]
    assert connected.verified is False


def test_context_of_the_user_does_not_stop_the_others(
    certificates: Certificates, session_class: Session, world: World
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold(0.2)
        peer.send(server_frame(0x88, close_payload(1000)))

    def tick() -> None:
        while not is_over.is_set():
            world.sleep(0.01)
            ticks.append(stopwatch.seconds)

    is_over, stopwatch = world.make_event(), Stopwatch()
    ticks: list[float] = []
    with ScriptedServer(script, tls=certificates.server_context()) as server:
        ticker = world.spawn(tick)
        websocket = WebSocket(server.url, ssl_context=certificates.client_context())
        converse(websocket.connect(session_class))
        is_over.set()
        ticker.result()
    gaps = [after - before for before, after in itertools.pairwise(ticks)]
    assert len(ticks) > 5
    assert max(gaps) < 0.15


# ---- certificates of the client --------------------------------------------------------------


def name_in_certificate(peer: Peer) -> str:
    """Return the name in the certificate that the client has shown."""
    stream: Any = peer.stream
    return str(stream._tls.getpeercert()["subjectAltName"][0][1])


@pytest.mark.parametrize("files", ["one", "two"])
def test_client_shows_its_certificate(
    certificates: Certificates, session_class: Session, files: str
) -> None:
    names = []

    def script(peer: Peer) -> None:
        names.append(name_in_certificate(peer))
        peer.accept_upgrade()

    options = {"ssl_certfile": certificates.client_file}
    if files == "two":
        options["ssl_certfile"] = certificates.client_certfile
        options["ssl_keyfile"] = certificates.client_keyfile
    context = certificates.server_context(wants_client_certificate=True)
    with ScriptedServer(script, tls=context) as server:
        websocket = WebSocket(server.url, ssl_cafile=certificates.ca_file, **options)
        seen = converse(websocket.connect(session_class))
    assert "ready" in names_of(seen)
    assert names == ["client@example.org"]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_server_that_wants_a_certificate_which_there_is_none_of(
    certificates: Certificates, session_class: Session, version: str
) -> None:
    context = certificates.server_context(wants_client_certificate=True)
    context.maximum_version = ssl.TLSVersion[version]
    seen, _ = connect(context, session_class, ssl_cafile=certificates.ca_file)
    end = ending_of(seen)
    # In TLS 1.3 the client learns of it only after its own side is done (RFC 8446 §4.4.2).
    assert end.phase == ("tls" if version == "TLSv1_2" else "handshake")
    assert (end.kind, end.retryable) == ("tls", False)
    assert "wants a client certificate" in end.reason
    assert isinstance(end.error, ssl.SSLError)


def test_contradiction_raises_in_the_callers_line(certificates: Certificates) -> None:
    with pytest.raises(ValueError, match="ssl_context decides alone"):
        WebSocket(
            "wss://example.org",
            ssl_context=certificates.client_context(),
            ssl_cafile=certificates.ca_file,
        )
