"""Peers that claim what was never agreed on, and proxies that the environment must not choose.

RFC 6455 §4.1: "If the response includes a |Sec-WebSocket-Extensions| header field and this header
field indicates the use of an extension that was not present in the client's handshake […], the
client MUST _Fail the WebSocket Connection_"; likewise for a sub-protocol and for the Accept.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.persist import persist
from lomond.session import WebsocketSession
from tests.helpers.connect_proxy import ConnectProxy
from tests.helpers.conversation import Wire, converse, ending_of, names_of, read_until
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer, upgrade_answer

Session = type[WebsocketSession]

HELLO = server_frame(0xC1, b"\xf2\x48\xcd\xc9\xc9\x07\x00")
GOODBYE = server_frame(0x88, close_payload(1000))
ACCEPT = re.compile(rb"(?<=Accept: )[^\r]+")

# ---- the answer to the upgrade ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({}, "Sec-WebSocket-Extensions: permessage-deflate"),
        ({}, "Sec-WebSocket-Extensions: x-webkit-deflate-frame"),
        ({"compress": True}, "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate"),
        ({"compress": True}, "Sec-WebSocket-Extensions: permessage-deflate, permessage-bzip2"),
        (
            {"compress": True},
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
        ),
        ({}, "Sec-WebSocket-Protocol: chat"),
        ({"protocols": ["chat"]}, "Sec-WebSocket-Protocol: superchat"),
        ({"protocols": ["chat"]}, "Sec-WebSocket-Protocol: Chat"),
        ({"protocols": ["a", "b"]}, "Sec-WebSocket-Protocol: a, b"),
    ],
)
def test_answer_that_claims_what_was_not_offered_is_rejected(
    tcp: Wire, session_class: Session, options: Any, header: str
) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade(header)
        peer.send(HELLO)
        assert peer.read_until_end() == b""

    with tcp.server(script) as server:
        seen = converse(tcp.websocket(server, **options).connect(session_class))
    # Nothing behind the answer is looked at, let alone inflated.
    assert names_of(seen) == ["connecting", "connected", "rejected", "disconnected"]
    assert (ending_of(seen).phase, ending_of(seen).kind) == ("handshake", "rejected")


def replayed(number: int, _accept: bytes, first: bytes) -> bytes:
    return first


def swapped(_number: int, accept: bytes, _first: bytes) -> bytes:
    return accept.swapcase()


def empty(_number: int, _accept: bytes, _first: bytes) -> bytes:
    return b""


def longer(_number: int, accept: bytes, _first: bytes) -> bytes:
    return accept + b"="


@pytest.mark.parametrize("forge", [replayed, swapped, empty, longer])
def test_accept_for_another_key_is_rejected(tcp: Wire, session_class: Session, forge: Any) -> None:
    accepts: list[bytes] = []

    def script(peer: Peer) -> None:
        answer = upgrade_answer(peer.read_request())
        (accept,) = ACCEPT.findall(answer)
        accepts.append(accept)
        if peer.number:
            answer = ACCEPT.sub(forge(peer.number, accept, accepts[0]), answer)
        peer.send(answer + GOODBYE)
        peer.read_until_end() if peer.number else peer.read_frame()

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        honest = converse(websocket.connect(session_class))
        forged = converse(websocket.connect(session_class))
    assert ending_of(honest).graceful
    assert names_of(forged)[2:] == ["rejected", "disconnected"]


def test_cookies_of_a_server_are_not_kept(tcp: Wire, session_class: Session) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade("Set-Cookie: session=s3cret; Path=/", "Set-Cookie: other=1")
        peer.send(GOODBYE)
        peer.read_frame()

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        for same_or_new in (websocket, websocket, tcp.websocket(server)):
            assert ending_of(converse(same_or_new.connect(session_class))).graceful
    assert [b"ookie" in peer.request for peer in server.peers] == [False] * 3


# ---- masks -----------------------------------------------------------------------------------


def test_masking_keys_on_the_wire_look_like_chance(tcp: Wire, session_class: Session) -> None:
    count = 4000

    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        for _ in range(count):
            peer.read_frame()

    with tcp.server(script) as server:
        websocket = tcp.websocket(server)
        stream = websocket.connect(session_class, ping_rate=0)
        read_until(stream, events.Ready)
        for _ in range(count):
            websocket.send_binary(b"")
        converse(stream)
        frames = bytes(server.peers[0].received).partition(b"\r\n\r\n")[2]
    keys = [frames[start + 2 : start + 6] for start in range(0, len(frames), 6)]
    assert frames[::6] == b"\x82" * count
    # Of 4,000 keys, two are the same in one run of 500.
    assert len(set(keys)) >= count - 1
    tally = Counter(b"".join(keys))
    expected = 4 * count / 256
    chi_square = sum((tally[octet] - expected) ** 2 / expected for octet in range(256))
    # 255 degrees of freedom: 255 on average, 7 standard deviations of 22.6 either way.
    assert 97 < chi_square < 413


# ---- the environment -------------------------------------------------------------------------


def routes(
    session_class: Session, monkeypatch: pytest.MonkeyPatch, **environment: str
) -> tuple[int, int]:
    """Connect to a server of 127.0.0.1; count the connections to its proxy, and to itself."""
    with ScriptedServer([Peer.accept_upgrade, GOODBYE, Peer.read_frame]) as server:
        with ConnectProxy() as proxy:
            for name, value in environment.items():
                monkeypatch.setenv(name, value.format(proxy=proxy.url, port=server.port))
            assert ending_of(converse(WebSocket(server.url).connect(session_class))).graceful
        return len(proxy.requests), len(server.peers)


def test_proxy_that_a_cgi_request_could_set_is_ignored(
    session_class: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"HTTP_PROXY": "{proxy}", "REQUEST_METHOD": "GET"}
    assert routes(session_class, monkeypatch, **environment) == (0, 1)


@pytest.mark.parametrize(
    ("no_proxy", "is_bypassed"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:{port}", True),
        ("127.0.0.0/8", True),
        ("*", True),
        ("127.0.0.1:1", False),
        ("7.0.0.1", False),
        (".0.0.1", False),
        ("127.0.0", False),
        ("127.0.0.10", False),
        ("128.0.0.0/8", False),
    ],
)
def test_proxy_is_bypassed_for_whole_names_and_networks_only(
    session_class: Session, monkeypatch: pytest.MonkeyPatch, no_proxy: str, is_bypassed: bool
) -> None:
    environment = {"http_proxy": "{proxy}", "NO_PROXY": no_proxy}
    assert routes(session_class, monkeypatch, **environment) == (0 if is_bypassed else 1, 1)


@pytest.mark.parametrize("no_proxy", ["ample.test", "example.test.", "example", "test.example"])
def test_proxy_is_not_bypassed_for_the_end_of_a_name(
    session_class: Session, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    with (
        ScriptedServer([Peer.accept_upgrade, GOODBYE, Peer.read_frame]) as server,
        ConnectProxy(forward_to=server.address) as proxy,
    ):
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", no_proxy)
        seen = converse(WebSocket("ws://an-example.test/").connect(session_class))
    assert (ending_of(seen).graceful, len(proxy.requests)) == (True, 1)


# ---- Retry-After -----------------------------------------------------------------------------

UNREADABLE = [
    "nan",
    "inf",
    "1e400",
    "-1e400",
    "0x10",
    "1_000",
    "١٢",
    "Thu, 99 Foo 2026 99:99:99 GMT",
    "Thu, 01 Jan 99999 00:00:00 GMT",
    "9" * 400,
]


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        *[([value], 1, 2) for value in UNREADABLE],
        (["100000000000000000000"], 300, 301),
        (["Fri, 31 Dec 9999 23:59:59 GMT"], 300, 301),
        (["-1"], 1, 2),
        (["Thu, 01 Jan 1970 00:00:00 GMT"], 1, 2),
        (["9000", "3"], 1, 301),
    ],
)
def test_retry_after_cannot_hold_or_hurry_a_client(
    tcp: Wire, session_class: Session, headers: list[str], least: float, most: float
) -> None:
    lines = "".join(f"Retry-After: {value}\r\n" for value in headers)
    answer = f"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n{lines}\r\n".encode()
    with tcp.server([Peer.read_request, answer]) as server:
        stream = persist(tcp.websocket(server), min_wait=1, max_wait=2, session_class=session_class)
        back_off: Any = read_until(stream, events.BackOff)
        stream.close()  # type: ignore[attr-defined]
    assert least <= back_off.delay <= most
