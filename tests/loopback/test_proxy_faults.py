"""Every way in which a proxy can fail ends in `ConnectFail`, in time, with no secret in any text.

RFC 6455 §4.1: "If the connection could not be opened, either because a direct connection failed or
because any proxy used returned an error, then the client MUST _Fail the WebSocket Connection_ and
abort the connection attempt."
"""

from __future__ import annotations

import base64
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from tests.helpers.connect_proxy import ConnectProxy
from tests.helpers.conversation import (
    Clock,
    Wire,
    converse,
    ending_of,
    is_in_time,
    names_of,
    open_sockets_to,
)
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

Session = type[WebsocketSession]

TIMEOUT = 0.2
SCRIPT = [Peer.accept_upgrade, server_frame(0x88, close_payload(1000)), Peer.read_frame]
CANARY = "c4n4ry"


def through(url: str) -> dict[str, Any]:
    return {"proxies": {"http": url, "https": url}}


def fail(session_class: Session, proxy: ScriptedServer, url: str | None = None) -> Clock:
    """Connect through a proxy that fails; return what happened, up to its ConnectFail."""
    url = url or f"http://127.0.0.1:{proxy.port}"
    websocket = WebSocket("ws://far.example.org/", **through(url))
    clock = Clock(websocket.connect(session_class, open_timeout=TIMEOUT))
    assert names_of(clock.events) == ["connecting", "connect_fail"]
    assert clock.end.phase == "proxy"
    assert open_sockets_to(proxy) == []
    return clock


@pytest.mark.parametrize("credentials", [None, ("me", "wrong")])
def test_proxy_that_wants_other_credentials(session_class: Session, credentials: Any) -> None:
    with ConnectProxy(credentials=("me", "right")) as proxy:
        url = proxy.url_for(*credentials) if credentials else None
        end = fail(session_class, proxy, url).end
    assert (end.kind, end.retryable) == ("proxy", False)
    assert end.reason == (
        "proxy refused the tunnel (code=407 'Refused'): "
        "it needs credentials, or others than those in its url"
    )


@pytest.mark.parametrize(("status", "retryable"), [(403, False), (502, True), (302, True)])
def test_proxy_that_refuses(session_class: Session, status: int, retryable: bool) -> None:
    with ConnectProxy(refuse_with=status) as proxy:
        end = fail(session_class, proxy).end
    assert (end.kind, end.retryable) == ("proxy", retryable)
    assert f"code={status}" in end.reason


def test_proxy_that_says_nothing(session_class: Session) -> None:
    with ConnectProxy(silent=True) as proxy:
        clock = fail(session_class, proxy)
    assert (clock.end.kind, clock.end.retryable) == ("timeout", True)
    assert is_in_time(clock.until_end(), TIMEOUT)


@pytest.mark.parametrize("drop", [b"X-Header: drip\r\n", b"x"])
def test_proxy_that_drips_its_answer(session_class: Session, drop: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nX: ")
        while not peer.hold(0.02):
            try:
                peer.send(drop)
            except OSError:
                return

    with ScriptedServer(script) as proxy:
        clock = fail(session_class, proxy)
    assert clock.end.kind == "timeout"
    assert is_in_time(clock.until_end(), TIMEOUT)


def test_proxy_that_hangs_up(session_class: Session) -> None:
    with ConnectProxy(drop=True) as proxy:
        end = fail(session_class, proxy).end
    assert (end.kind, end.retryable) == ("proxy", True)
    assert "ended the connection without an answer to CONNECT" in end.reason


def test_proxy_that_resets(session_class: Session) -> None:
    with ScriptedServer([Peer.read_request, Peer.reset]) as proxy:
        end = fail(session_class, proxy).end
    assert (end.kind, end.retryable) == ("reset", True)


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0\r\n", b"\x05\x00", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000],
    ids=["ssh", "socks", "endless header"],
)
def test_proxy_that_speaks_something_else(session_class: Session, answer: bytes) -> None:
    with ScriptedServer([Peer.read_request, answer, Peer.read_until_end]) as proxy:
        end = fail(session_class, proxy).end
    assert end.kind == "proxy"
    assert end.reason.startswith("proxy's answer is not acceptable")


def test_proxy_that_nobody_listens_at(session_class: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    websocket = WebSocket("ws://far.example.org", **through(f"http://127.0.0.1:{port}"))
    end = ending_of(converse(websocket.connect(session_class)))
    assert (end.phase, end.kind, end.retryable) == ("tcp", "refused", True)
    assert end.reason.startswith("unable to connect to proxy; ")


# ---- secrets ---------------------------------------------------------------------------------


def is_told(secret: str, texts: list[str]) -> bool:
    encoded = base64.b64encode(f"me:{secret}".encode()).decode()
    return any(secret in text or encoded in text for text in texts)


def all_errors_of(event: events.Event) -> Iterator[BaseException]:
    error = getattr(event, "error", None)
    while isinstance(error, BaseException):
        yield error
        error = error.__cause__ or error.__context__


FAILING: dict[str, dict[str, Any]] = {
    "works": {},
    "407": {"credentials": ("me", "other")},
    "502": {"refuse_with": 502},
    "silent": {"silent": True},
    "drop": {"drop": True},
}


@pytest.mark.parametrize("options", FAILING.values(), ids=FAILING)
def test_secrets_are_told_to_the_server_only(
    wire: Wire, session_class: Session, options: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    records: list[Any] = []
    with wire.server(SCRIPT) as server, ConnectProxy(**options) as proxy:
        url = server.url.replace("://", f"://me:{CANARY}@")
        websocket = WebSocket(
            url,
            **through(proxy.url_for("me", CANARY)),
            **wire.options,
            headers={"Cookie": f"session={CANARY}"},
            trace=records.append,
        )
        seen = converse(websocket.connect(session_class, open_timeout=TIMEOUT))
    texts = [show(event) for event in seen for show in (repr, str)]
    texts += [str(vars_of(event)) for event in seen]
    texts += [f"{error!r} {error.args}" for event in seen for error in all_errors_of(event)]
    texts += [str(records), caplog.text, repr(websocket), repr(websocket.session)]
    texts += [repr(websocket.state.request)]
    assert not is_told(CANARY, texts)
    assert is_told(CANARY, [proxy.requests[0].decode()])
    assert (ending_of(seen).name == "disconnected") == (not options)
    if not options:
        assert is_told(CANARY, [server.received.decode("latin-1")])


def vars_of(event: events.Event) -> dict[str, Any]:
    names = {name for kind in type(event).__mro__ for name in getattr(kind, "__slots__", ())}
    return {name: getattr(event, name, None) for name in names}


@pytest.mark.parametrize(
    "url", ["socks5://me:{}@127.0.0.1:1", "http://me:{}@[::1", "ftp://me:{}@x"]
)
def test_bad_proxy_of_the_environment_is_no_connection(
    session_class: Session, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", url.format(CANARY))
    end = ending_of(converse(WebSocket("ws://far.example.org").connect(session_class)))
    assert (end.name, end.phase, end.kind, end.retryable) == (
        "connect_fail",
        "proxy",
        "proxy",
        False,
    )
    assert not is_told(CANARY, [end.reason, repr(end.error)])
