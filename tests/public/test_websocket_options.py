"""The options of `WebSocket` and of `connect()`: what they are by default, and what follows.

"Instance attributes are plain, readable and writable"; they count from the next connection on. Of
the times, `connect()` hands on those five that Lomond knows, and of the newer ones what was given.
"""

from __future__ import annotations

import copy
import pickle
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lomond.constants import USER_AGENT
from lomond.errors import ConnectFail
from lomond.protocol.deflate import DeflateOffer
from lomond.proxies import parse_proxy
from lomond.session import WebsocketSession
from lomond.tls import TLSOptions
from lomond.websocket import WebSocket
from tests.helpers.fake_transport import accept, accept_with, start

URL = "ws://example.org/"
SECURE = "wss://example.org/"
PROXY_VARIABLES = ["http_proxy", "https_proxy", "no_proxy"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Keep the proxies of this machine out."""
    for name in [*PROXY_VARIABLES, *(name.upper() for name in PROXY_VARIABLES), "REQUEST_METHOD"]:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


class Recorder:
    """A session that only notes what it is run with."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.ran_with: list[dict[str, Any]] = []

    def run(self, **options: Any) -> str:
        assert self.websocket.session is self
        self.ran_with.append(options)
        return "what run returns"

    def close(self) -> None:
        self.ran_with.append({"closed": True})


def options_handed_on(**options: Any) -> dict[str, Any]:
    websocket = WebSocket(URL)
    assert websocket.connect(session_class=Recorder, **options) == "what run returns"
    [ran_with] = websocket.session.ran_with
    assert isinstance(ran_with, dict)
    return ran_with


def extensions_offered(**options: Any) -> list[bytes]:
    request = WebSocket(URL, **options).build_request()
    return [line for line in request.split(b"\r\n") if b"Extensions" in line]


# ---- what is kept -------------------------------------------------------------------------------


def test_the_defaults_are_the_documented_ones() -> None:
    websocket = WebSocket(URL)

    assert websocket.url == URL
    assert websocket.protocols == []
    assert websocket.agent == USER_AGENT
    assert websocket.proxies == {"http": None, "https": None}
    assert websocket.compress is False
    assert websocket.ssl_verify is True
    assert (websocket.ssl_cafile, websocket.ssl_context, websocket.trace) == (None, None, None)
    assert websocket.max_message_size == 64 * 1024 * 1024
    assert websocket.max_fragments == 131_072


def test_what_was_given_is_kept_as_it_was_given() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    given: dict[str, Any] = {
        "protocols": ("chat",),
        "agent": "me",
        "proxies": {"http": "http://proxy:3128"},
        "compress": True,
        "ssl_context": context,
        "server_hostname": "other.example",
        "max_message_size": 1000,
        "max_fragments": 10,
        "trace": print,
    }

    websocket = WebSocket(SECURE, **given)

    assert {name: getattr(websocket, name) for name in given} == given


def test_the_files_of_tls_are_kept_and_not_read() -> None:
    files: dict[str, Any] = {
        "ssl_cafile": Path("missing-ca.pem"),
        "ssl_certfile": "missing.pem",
        "ssl_keyfile": "missing.key",
    }

    websocket = WebSocket(SECURE, **files)

    assert {name: getattr(websocket, name) for name in files} == files


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (URL, ("ws", "example.org", 80, "/", False)),
        (SECURE, ("wss", "example.org", 443, "/", True)),
        ("ws://EXAMPLE.org:8080/a/b?c=d", ("ws", "example.org", 8080, "/a/b?c=d", False)),
        ("wss://[2001:db8::1]:8443?q", ("wss", "2001:db8::1", 8443, "/?q", True)),
        ("ws://bücher.example/ü", ("ws", "xn--bcher-kva.example", 80, "/%C3%BC", False)),
    ],
)
def test_the_parts_of_the_url(url: str, parts: tuple[object, ...]) -> None:
    ws = WebSocket(url)

    assert (ws.scheme, ws.host, ws.port, ws.resource, ws.is_secure) == parts


def test_a_repr_shows_the_url_without_its_password() -> None:
    assert repr(WebSocket(URL)) == "WebSocket('ws://example.org/')"
    assert repr(WebSocket("ws://u:sekret@example.org/")) == "WebSocket('ws://***@example.org/')"


def test_the_repr_of_a_session_names_its_url() -> None:
    websocket = WebSocket("ws://u:sekret@example.org/")

    assert repr(WebsocketSession(websocket)) == "<ws-session 'ws://***@example.org/'>"


def test_an_attribute_counts_from_the_next_connection_on() -> None:
    websocket = WebSocket(URL)

    websocket.agent, websocket.protocols, websocket.compress = "me", ["chat"], True
    websocket.reset()

    request = websocket.build_request()
    assert b"User-Agent: me\r\n" in request
    assert b"Sec-WebSocket-Protocol: chat\r\n" in request
    assert b"permessage-deflate" in request


def test_what_was_passed_counts_more_than_what_a_subclass_has_by_that_name() -> None:
    class Lax(WebSocket):
        ssl_verify = False
        agent = "lax"

    websocket = Lax(SECURE, ssl_verify=True, agent="strict")

    assert (websocket.ssl_verify, websocket.agent) == (True, "strict")
    assert websocket.state.tls == TLSOptions()


def test_protocols_that_can_be_gone_through_once_are_offered_every_time() -> None:
    websocket = WebSocket(URL, (name for name in ["a", "b"]))

    for _ in range(2):
        websocket.reset()
        assert b"Sec-WebSocket-Protocol: a, b\r\n" in websocket.build_request()


# ---- compression --------------------------------------------------------------------------------


def test_compression_is_offered_only_where_it_is_asked_for() -> None:
    assert extensions_offered() == []
    assert extensions_offered(compress=False) == []
    assert extensions_offered(compress=None) == []


def test_compression_is_offered_with_its_defaults_or_with_those_given() -> None:
    assert extensions_offered(compress=True) == [
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    ]
    assert extensions_offered(compress=DeflateOffer(server_max_window_bits=10)) == [
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10; "
        b"client_max_window_bits"
    ]


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [(accept, False), (accept_with("Sec-WebSocket-Extensions: permessage-deflate"), True)],
)
def test_compression_is_supported_once_it_was_agreed_on(answer: Any, is_supported: bool) -> None:
    websocket = WebSocket(URL, compress=True)
    assert websocket.supports_compression is False

    run, _, seen = start(websocket, answer)
    run.close()

    assert websocket.supports_compression is is_supported
    assert seen[-1].extensions == ({"permessage-deflate"} if is_supported else set())


def test_the_subprotocol_is_known_once_the_server_has_chosen() -> None:
    websocket = WebSocket(URL, ["superchat", "chat"])
    assert websocket.subprotocol is None

    run, _, seen = start(websocket, accept_with("Sec-WebSocket-Protocol: chat"))
    run.close()

    assert websocket.subprotocol == "chat"
    assert seen[-1].protocol == "chat"


# ---- proxies ------------------------------------------------------------------------------------


def test_proxies_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "http://lower:1")
    environment.setenv("HTTP_PROXY", "http://upper:1")
    environment.setenv("HTTPS_PROXY", "http://secure:1")

    websocket = WebSocket(URL)

    assert websocket.proxies == {"http": "http://lower:1", "https": "http://secure:1"}


def test_the_proxies_of_one_may_be_changed_and_are_nobody_elses(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("http_proxy", "http://plain:1")
    changed, other = WebSocket(URL), WebSocket(URL)
    changed.proxies["http"] = "http://other:2"  # type: ignore[index]

    assert changed.choose_route(None).proxy == parse_proxy("http://other:2")
    assert other.choose_route(None).proxy == parse_proxy("http://plain:1")


def test_a_websocket_that_is_not_connected_can_be_copied_and_pickled() -> None:
    websocket = WebSocket(URL, headers={"X-A": "1"})

    for twin in (copy.deepcopy(websocket), pickle.loads(pickle.dumps(websocket))):
        assert (twin.url, twin.proxies) == (URL, websocket.proxies)


def test_proxies_are_found_where_the_environment_was_replaced(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setattr("os.environ", {"http_proxy": "http://plain:1"})

    assert WebSocket(URL).proxies["http"] == "http://plain:1"


@pytest.mark.parametrize(("url", "proxy"), [(URL, "http://plain:1"), (SECURE, "http://secure:1")])
def test_the_scheme_chooses_the_proxy(url: str, proxy: str) -> None:
    websocket = WebSocket(url, proxies={"http": "http://plain:1", "https": "http://secure:1"})

    assert str(websocket.choose_route(None).proxy) == proxy


def test_an_empty_mapping_connects_directly(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "http://lower:1")

    websocket = WebSocket(URL, proxies={})

    assert websocket.proxies == {}
    assert websocket.choose_route(None).proxy is None


@pytest.mark.parametrize("exempted", ["example.org", ".org", "*", "example.org:80"])
def test_no_proxy_is_honoured(environment: pytest.MonkeyPatch, exempted: str) -> None:
    environment.setenv("http_proxy", "http://lower:1")
    environment.setenv("no_proxy", exempted)

    assert WebSocket(URL).choose_route(None).proxy is None


def test_a_bad_proxy_in_the_environment_is_no_error_of_the_caller(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("http_proxy", "socks5://user:sekret@proxy")
    websocket = WebSocket(URL)

    with pytest.raises(ConnectFail, match="SOCKS proxies are not supported") as raised:
        websocket.choose_route(None)

    assert (raised.value.phase, raised.value.kind, raised.value.retryable) == (
        "proxy",
        "proxy",
        False,
    )
    assert "sekret" not in str(raised.value)


def test_a_bad_proxy_in_the_environment_becomes_an_event(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "socks5://proxy")

    _, failed = WebSocket(URL).connect()

    assert (failed.name, failed.kind) == ("connect_fail", "proxy")


# ---- TLS ----------------------------------------------------------------------------------------


def test_the_options_of_tls_are_made_for_wss_only() -> None:
    given: dict[str, Any] = {"ssl_cafile": "ca.pem", "server_hostname": "other.example"}

    assert WebSocket(URL, **given).state.tls is None
    assert WebSocket(SECURE, **given).state.tls == TLSOptions(
        cafile="ca.pem", server_hostname="other.example"
    )


def test_the_route_has_what_a_transport_needs() -> None:
    websocket = WebSocket("wss://example.org:8443/", agent="me")

    route = websocket.choose_route(websocket.state.tls)

    assert (route.host, route.port, route.agent) == ("example.org", 8443, "me")
    assert route.tls == TLSOptions()


# ---- connect ------------------------------------------------------------------------------------


def test_a_session_is_run_with_the_five_options_of_lomond() -> None:
    assert options_handed_on() == {
        "poll": 5.0,
        "ping_rate": 30.0,
        "ping_timeout": None,
        "auto_pong": True,
        "close_timeout": 30.0,
    }


@pytest.mark.parametrize("name", ["open_timeout", "send_timeout", "exit_event"])
def test_a_newer_option_is_handed_on_only_where_it_was_given(name: str) -> None:
    value: Any = threading.Event() if name == "exit_event" else 7

    assert name not in options_handed_on()
    assert options_handed_on(**{name: value})[name] is value
    assert options_handed_on(**{name: None})[name] is None


def test_options_are_handed_on_as_they_were_given() -> None:
    given = {
        "poll": 1,
        "ping_rate": None,
        "ping_timeout": 3,
        "auto_pong": False,
        "close_timeout": 0,
    }

    assert options_handed_on(**given) == given


def test_the_documented_order_of_positions() -> None:
    websocket = WebSocket(URL)

    websocket.connect(Recorder, 1, 2, False)

    [ran_with] = websocket.session.ran_with
    assert (ran_with["poll"], ran_with["ping_rate"], ran_with["auto_pong"]) == (1, 2, False)


def test_a_second_connect_closes_the_first_session() -> None:
    websocket = WebSocket(URL)
    websocket.connect(session_class=Recorder)
    first = websocket.session

    websocket.connect(session_class=Recorder)

    assert first.ran_with[1:] == [{"closed": True}]
    assert websocket.session is not first


def test_each_connection_has_a_key_of_its_own() -> None:
    websocket = WebSocket(URL)
    keys = [websocket.state.key]

    for _ in range(3):
        websocket.connect(session_class=Recorder)
        keys.append(websocket.state.key)

    assert len(set(keys)) == 4


def test_the_limits_reach_the_connection() -> None:
    websocket = WebSocket(URL, max_message_size=4)

    run, channel, _ = start(websocket, accept_with(rest=b"\x81\x05hello"), b"", ping_rate=0)
    told = {event.name: event for event in run}

    assert told["protocol_error"].error == "frame of 5 bytes is over the limit of 4 bytes"
    assert told["disconnected"].kind == "limit"
    assert channel.sent.count(b"\x88") >= 1


def test_the_settings_of_a_session_are_those_of_connect() -> None:
    seen: list[Mapping[str, Any]] = []

    class Session(WebsocketSession):
        def _run(self, settings: Any) -> Any:
            seen.append({name: getattr(settings, name) for name in ("poll", "open_timeout")})
            return iter(())

    list(WebSocket(URL).connect(session_class=Session, poll=2, open_timeout=None))

    assert seen == [{"poll": 2, "open_timeout": None}]
