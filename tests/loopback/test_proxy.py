"""Through an HTTP proxy by CONNECT, with every way in which a proxy can fail.

RFC 6455 §4.1: "If the user configured the client to use a proxy when using the WebSocket Protocol
to connect to host /host/ and port /port/, then the client SHOULD connect to that proxy and ask it
to open a TCP connection". Secrets never appear in what an application may log.
"""

from __future__ import annotations

from typing import Any

import certifi
import pytest

import lomond.tls
from lomond import WebSocket, events
from lomond.session import WebsocketSession
from tests.helpers.certificates import Certificates
from tests.helpers.connect_proxy import ConnectProxy
from tests.helpers.conversation import (
    Wire,
    converse,
    ending_of,
    names_of,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.protocol import tell_all
from tests.helpers.scripted_server import Peer, upgrade_answer

Session = type[WebsocketSession]

TIMEOUT = 0.3
CLOSE = server_frame(0x88, close_payload(1000))
SCRIPT = [Peer.accept_upgrade, server_frame(0x81, b"hi") + CLOSE, Peer.read_frame]


def through(url: str) -> dict[str, Any]:
    return {"proxies": {"http": url, "https": url}}


# ---- a proxy that works ----------------------------------------------------------------------


def test_conversation_through_a_proxy_is_the_same(wire: Wire, session_class: Session) -> None:
    with wire.server(SCRIPT) as server, ConnectProxy() as proxy:
        stream = wire.websocket(server, **through(proxy.url)).connect(session_class, ping_rate=0)
        seen = converse(stream)
    assert tell_all(seen)[1] == ("connected", server.url, proxy.url)
    assert tell_all(seen)[4:] == [
        ("text", "hi"),
        ("closing", 1000, ""),
        ("disconnected", "closed", True),
    ]
    connected: Any = seen[1]
    assert {"dns", "tcp", "proxy"} <= set(connected.timings)
    request = f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    assert proxy.requests[0].startswith(request.encode())


def test_name_is_left_for_the_proxy_to_look_up(wire: Wire, session_class: Session) -> None:
    with wire.server(SCRIPT) as server, ConnectProxy(forward_to=server.address) as proxy:
        scheme = server.url.partition(":")[0]
        options = {"server_hostname": "localhost"} if scheme == "wss" else {}
        websocket = WebSocket(
            f"{scheme}://far.example.org:4711/", **through(proxy.url), **wire.options, **options
        )
        seen = converse(websocket.connect(session_class))
    assert ending_of(seen).graceful
    assert proxy.requests[0].startswith(b"CONNECT far.example.org:4711 HTTP/1.1\r\n")


def test_credentials_are_decoded_and_sent(tcp: Wire, session_class: Session) -> None:
    with tcp.server(SCRIPT) as server, ConnectProxy(credentials=("me@home", "pä:ss")) as proxy:
        url = proxy.url_for("me%40home", "p%C3%A4%3Ass")
        seen = converse(tcp.websocket(server, **through(url)).connect(session_class))
    connected: Any = seen[1]
    assert connected.proxy == proxy.url.replace("://", "://***@")
    assert b"authorization" not in server.received.lower()


def test_bytes_behind_the_proxys_answer_belong_to_the_server(
    tcp: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        # Too early to be an answer, but not to be a refusal.
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
        peer.read_until_end()

    with tcp.server(script) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        stream = WebSocket("ws://far.example.org", **through(url)).connect(session_class)
        seen = converse(stream)
    assert names_of(seen) == ["connecting", "connected", "rejected", "disconnected"]
    rejected: Any = seen[2]
    assert (rejected.response.status_code, rejected.response.body) == (503, b"busy")


def test_all_bytes_of_the_conversation_may_come_with_the_proxys_answer(
    tcp: Wire, session_class: Session
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send_slowly(b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n")
        peer.send(upgrade_answer(peer.read_request()) + server_frame(0x81, b"hi") + CLOSE)
        peer.read_frame()

    with tcp.server(script) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        stream = WebSocket("ws://far.example.org", **through(url)).connect(session_class)
        assert ending_of(converse(stream)).graceful


# ---- TLS to the proxy ------------------------------------------------------------------------


@pytest.fixture
def trusting_certifi(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tests' authority be the one that everybody trusts."""
    monkeypatch.setattr(certifi, "where", lambda: certificates.ca_file)
    monkeypatch.setattr(lomond.tls, "_contexts", {})


@pytest.mark.usefixtures("trusting_certifi")
def test_https_proxy_with_ws_or_wss_inside(
    wire: Wire, certificates: Certificates, session_class: Session
) -> None:
    proxy_tls = certificates.server_context()
    with wire.server(SCRIPT) as server, ConnectProxy(tls=proxy_tls) as proxy:
        stream = wire.websocket(server, **through(proxy.url)).connect(session_class, ping_rate=0)
        seen = converse(stream)
    assert proxy.url.startswith("https://")
    assert names_of(seen)[3:] == ["text", "closing", "disconnected"]
    assert ending_of(seen).graceful


@pytest.mark.usefixtures("trusting_certifi")
def test_https_proxy_carries_a_mebibyte_both_ways(
    wire: Wire, certificates: Certificates, session_class: Session
) -> None:
    data = bytes(range(256)) * 4096

    def echo(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(server_frame(0x82, peer.read_frame()[1]) + CLOSE)
        peer.read_frame()

    proxy_tls = certificates.server_context()
    with wire.server(echo) as server, ConnectProxy(tls=proxy_tls) as proxy:
        websocket = wire.websocket(server, **through(proxy.url))
        stream = websocket.connect(session_class, ping_rate=0)
        seen = converse(stream, {events.Ready: lambda _: websocket.send_binary(data)})
    assert [event.data for event in seen if isinstance(event, events.Binary)] == [data]
    assert ending_of(seen).graceful


def test_https_proxy_is_verified(
    tcp: Wire, certificates: Certificates, session_class: Session
) -> None:
    with ConnectProxy(tls=certificates.server_context("self_signed")) as proxy:
        stream = WebSocket("ws://far.example.org", **through(proxy.url)).connect(session_class)
        end = ending_of(converse(stream))
    assert (end.name, end.phase, end.kind, end.retryable) == ("connect_fail", "proxy", "tls", False)
    assert end.reason.startswith("unable to connect to proxy; the server's certificate is self-sig")
    assert proxy.requests == []


# ---- the environment -------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["{}_proxy", "{}_PROXY"])
def test_proxy_of_the_environment_is_used(
    wire: Wire, session_class: Session, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wire.server(SCRIPT) as server, ConnectProxy() as proxy:
        scheme = "https" if wire.name == "tls" else "http"
        name = variable.format(scheme if variable.islower() else scheme.upper())
        monkeypatch.setenv(name, proxy.url)
        seen = converse(wire.websocket(server).connect(session_class))
    assert ending_of(seen).graceful
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*", "10.0.0.0/8, 127.0.0.0/8", "127.0.0.1:{}"])
def test_no_proxy_of_the_environment_is_honoured(
    tcp: Wire, session_class: Session, no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tcp.server(SCRIPT) as server, ConnectProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", no_proxy.format(server.port))
        seen = converse(tcp.websocket(server).connect(session_class))
    connected: Any = seen[1]
    assert (connected.proxy, proxy.requests) == (None, [])


def test_empty_proxies_connect_directly(
    tcp: Wire, session_class: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tcp.server(SCRIPT) as server, ConnectProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        converse(tcp.websocket(server, proxies={}).connect(session_class))
    assert proxy.requests == []
