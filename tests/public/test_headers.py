"""The headers of the upgrade request (RFC 6455 §4.1): ours, the application's, and their order.

"Custom headers first in insertion order, then the rest; custom Host, User-Agent and Authorization
replace ours." Headers outlive a connection; those of a callable are fresh for each. A secret shows
in the request only.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from lomond.websocket import WebSocket
from tests.helpers.fake_transport import accept, scripted

URL = "ws://example.org/chat?room=1"
SECRET = "sekret7canary"


def lines_of(request: bytes) -> list[bytes]:
    assert request.endswith(b"\r\n\r\n")
    return request[:-4].split(b"\r\n")


def lines(websocket: WebSocket) -> list[bytes]:
    return lines_of(websocket.build_request())


def lines_of_connection(websocket: WebSocket) -> list[bytes]:
    """Connect, and return the lines of the request that was really sent."""
    session_class, channel = scripted(accept, b"")
    for _ in websocket.connect(session_class=session_class, ping_rate=0):
        continue
    return lines_of(bytes(channel.sent))


def test_the_request_has_all_that_the_rfc_demands() -> None:
    websocket = WebSocket(URL)

    first, *headers = lines(websocket)

    assert first == b"GET /chat?room=1 HTTP/1.1"
    key = websocket.state.key
    assert headers == [
        b"Host: example.org",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + key,
        b"Sec-WebSocket-Version: 13",
        b"User-Agent: Lomond/1.0.0.dev0",
    ]
    assert len(base64.b64decode(key, validate=True)) == 16


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://example.org:80/", b"Host: example.org"),
        ("wss://example.org:443/", b"Host: example.org"),
        ("ws://example.org:443/", b"Host: example.org:443"),
        ("wss://example.org:80/", b"Host: example.org:80"),
        ("ws://[::1]:99/", b"Host: [::1]:99"),
        ("ws://[::1]/", b"Host: [::1]"),
    ],
)
def test_the_host_has_brackets_and_no_default_port(url: str, host: bytes) -> None:
    assert host in lines(WebSocket(url))


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "1", "X-B": "2"},
        {b"X-A": b"1", b"X-B": b"2"},
        [("X-A", "1"), (b"X-B", "2")],
        [["X-A", b"1"], ["X-B", "2"]],
        (pair for pair in [("X-A", "1"), ("X-B", "2")]),
        lambda: {"X-A": "1", "X-B": "2"},
        lambda: iter([("X-A", "1"), ("X-B", "2")]),
    ],
)
def test_headers_are_a_mapping_or_pairs_or_a_callable_and_come_first(headers: Any) -> None:
    websocket = WebSocket(URL, headers=headers)

    assert lines_of_connection(websocket)[1:4] == [b"X-A: 1", b"X-B: 2", b"Host: example.org"]


def test_added_headers_follow_those_of_the_constructor_in_order() -> None:
    websocket = WebSocket(URL, headers={"X-A": "1"})

    websocket.add_header("X-B", "2")
    websocket.add_header(b"X-A", b"3")

    assert lines(websocket)[1:4] == [b"X-A: 1", b"X-B: 2", b"X-A: 3"]


def test_headers_outlive_a_connection() -> None:
    websocket = WebSocket(URL)
    websocket.add_header(b"X-A", b"1")

    connections = [lines_of_connection(websocket), lines_of_connection(websocket)]

    assert [b"X-A: 1" in connection for connection in connections] == [True, True]
    websocket.reset()
    assert b"X-A: 1" in lines(websocket)


def test_a_header_added_during_a_connection_is_for_the_next_one() -> None:
    websocket = WebSocket(URL)
    session_class, channel = scripted(accept, b"")
    run = websocket.connect(session_class=session_class, ping_rate=0)
    next(run)

    websocket.add_header("X-A", "1")
    list(run)

    assert b"X-A: 1" not in lines_of(bytes(channel.sent))
    assert b"X-A: 1" in lines_of_connection(websocket)


def test_a_callable_is_asked_for_each_connection_and_not_before() -> None:
    asked: list[int] = []

    def fresh() -> Mapping[str, str]:
        asked.append(len(asked))
        return {"X-Token": str(len(asked))}

    websocket = WebSocket(URL, headers=fresh)
    assert asked == []
    sent = [lines_of_connection(websocket)[1] for _ in range(2)]

    assert sent == [b"X-Token: 1", b"X-Token: 2"]


def test_what_a_callable_for_headers_raises_reaches_the_caller_of_connect() -> None:
    def fresh() -> Iterable[tuple[str, str]]:
        raise LookupError("no token")

    with pytest.raises(LookupError, match="no token"):
        WebSocket(URL, headers=fresh).connect()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Host", b"Host: mine"),
        ("host", b"host: mine"),
        ("User-Agent", b"User-Agent: mine"),
        ("authorization", b"authorization: mine"),
    ],
)
def test_a_header_of_the_application_takes_the_place_of_ours(name: str, line: bytes) -> None:
    websocket = WebSocket("ws://user:password@example.org/", headers={name: "mine"})

    found = [
        header for header in lines(websocket) if header.lower().startswith(name.lower().encode())
    ]

    assert found == [line]


@pytest.mark.parametrize("name", ["Origin", "Cookie", "Accept-Language"])
def test_a_header_that_we_do_not_send_is_added(name: str) -> None:
    websocket = WebSocket(URL)
    assert name.encode() not in websocket.build_request()

    websocket.add_header(name, "x")

    assert f"{name}: x".encode() in lines(websocket)


def test_text_goes_out_as_utf_8_and_bytes_as_they_are() -> None:
    websocket = WebSocket(URL, headers=[("X-A", "ü"), ("X-B", b"\xff\xfc")])

    assert lines(websocket)[1:3] == [b"X-A: \xc3\xbc", b"X-B: \xff\xfc"]


def test_white_space_around_a_value_is_dropped_and_a_tab_within_is_kept() -> None:
    websocket = WebSocket(URL, headers={"X-A": " \ta\tb "})

    assert lines(websocket)[1] == b"X-A: a\tb"


def test_the_agent_can_be_chosen() -> None:
    assert b"User-Agent: me/1" in lines(WebSocket(URL, agent="me/1"))


def test_protocols_are_offered_in_their_order() -> None:
    websocket = WebSocket(URL, ["superchat", "chat"])

    assert lines(websocket)[-1] == b"Sec-WebSocket-Protocol: superchat, chat"


@pytest.mark.parametrize("protocols", [None, [], ()])
def test_nothing_is_offered_without_protocols(protocols: Any) -> None:
    assert b"Protocol" not in WebSocket(URL, protocols).build_request()


def test_user_and_password_of_the_url_become_basic_authorization() -> None:
    websocket = WebSocket("ws://us%40er:p%C3%A4ss@example.org/")

    authorization = b"Authorization: Basic " + base64.b64encode("us@er:päss".encode())
    assert authorization in lines(websocket)


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Token"])
def test_a_secret_shows_in_the_request_only(name: str) -> None:
    websocket = WebSocket(f"ws://user:{SECRET}@example.org/", headers={name: f"Bearer {SECRET}"})
    session_class, channel = scripted(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    told = [*websocket.connect(session_class=session_class), websocket, websocket.state.request]
    told.append(websocket.session)

    assert SECRET.encode() in channel.sent
    assert SECRET not in repr(told)
    assert "***@example.org" in repr(websocket)
