"""The upgrade request, and that no argument can break out of its line.

RFC 6455 §4.1: "The handshake MUST be a valid HTTP request"; the values below are those of §1.2.
RFC 9110 §5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous, due to
the varying ways that implementations might parse and interpret those characters"
"""

from __future__ import annotations

from typing import Any

import pytest

from lomond.protocol.deflate import DeflateOffer
from lomond.protocol.handshake import UpgradeRequest, check_custom_header
from lomond.protocol.headers import build_head, check_header, check_token

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ARGUMENTS: dict[str, Any] = {
    "host": "server.example.com",
    "resource": "/chat",
    "key": KEY,
    "agent": "Test/1",
}
REQUEST = UpgradeRequest(**ARGUMENTS)
CANARY = "sekret-canary"

INJECTIONS = ["\r\nEvil: 1", "a\nb", "\n", "a\rb", "a\x00b", "\x0b", "\x1b[0m", "\x7f", "\ud800"]


def request_with(**arguments: Any) -> UpgradeRequest:
    return UpgradeRequest(**ARGUMENTS | arguments)


def headers_of(request: UpgradeRequest) -> list[bytes]:
    head = request.build()
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")[1:]


def test_the_request_of_the_rfc_is_built() -> None:
    request = UpgradeRequest("server.example.com", "/chat", KEY, ("chat", "superchat"), "Test/1")
    assert request.build() == (
        b"GET /chat HTTP/1.1\r\n"
        b"Host: server.example.com\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"User-Agent: Test/1\r\n"
        b"Sec-WebSocket-Protocol: chat, superchat\r\n"
        b"\r\n"
    )


def test_the_agent_is_ours_unless_given() -> None:
    lines = headers_of(UpgradeRequest("h", "/", KEY))
    assert lines[-1].startswith(b"User-Agent: Lomond/")


def test_compression_is_offered() -> None:
    lines = headers_of(request_with(deflate=DeflateOffer()))
    assert lines[-1] == b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def test_authorization_is_sent() -> None:
    lines = headers_of(request_with(authorization="Basic dTpw"))
    assert lines[-1] == b"Authorization: Basic dTpw"


def test_custom_headers_come_first_and_in_order() -> None:
    request = request_with(headers=(("B", "1"), ("A", "2"), ("b", "3")))
    assert request.build().startswith(
        b"GET /chat HTTP/1.1\r\nB: 1\r\nA: 2\r\nb: 3\r\nHost: server.example.com\r\n"
    )


@pytest.mark.parametrize(
    ("name", "start"),
    [("host", b"Host:"), ("USER-AGENT", b"User-Agent:"), ("authorization", b"Authorization:")],
)
def test_a_custom_header_takes_the_place_of_ours(name: str, start: bytes) -> None:
    lines = headers_of(request_with(authorization="Basic dTpw", headers=((name, "mine"),)))
    assert lines[0] == name.encode() + b": mine"
    assert not [line for line in lines[1:] if line.startswith(start)]


def test_two_hosts_are_refused() -> None:
    with pytest.raises(ValueError, match="Host is given more than once"):
        request_with(headers=(("Host", "a"), ("host", "b")))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Upgrade", "it is made for each connection"),
        ("connection", "it is made for each connection"),
        ("Sec-WebSocket-Key", "it is made for each connection"),
        ("Sec-WebSocket-Version", "it is made for each connection"),
        ("SEC-WEBSOCKET-PROTOCOL", "use the option protocols"),
        ("Sec-WebSocket-Extensions", "use the option compress"),
        ("Sec-WebSocket-Accept", "the name belongs to the handshake"),
        ("sec-websocket-", "the name belongs to the handshake"),
        ("Content-Length", "an upgrade request has no body"),
        ("Transfer-Encoding", "an upgrade request has no body"),
    ],
)
def test_headers_of_the_handshake_cannot_be_custom(name: str, advice: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_custom_header(name, "x")
    assert str(refused.value) == f"header {name} cannot be set: {advice}"


def test_a_custom_header_of_the_handshake_is_refused_in_a_request() -> None:
    with pytest.raises(ValueError, match="header Upgrade cannot be set"):
        request_with(headers=(("Upgrade", "h2c"),))


def test_any_other_custom_header_is_returned_as_text() -> None:
    assert check_custom_header(b"Origin", b"https://example.com") == (
        "Origin",
        "https://example.com",
    )


def test_text_is_sent_as_utf_8() -> None:
    request = request_with(agent="Tést", headers=(("X", "naïve €"),))
    lines = headers_of(request)
    assert (lines[0], lines[-1]) == (b"X: na\xc3\xafve \xe2\x82\xac", b"User-Agent: T\xc3\xa9st")


def test_bytes_that_are_not_utf_8_are_sent_as_they_are() -> None:
    header = check_custom_header(b"X", b"\xff\x80latin")
    assert headers_of(request_with(headers=(header,)))[0] == b"X: \xff\x80latin"


def test_white_space_around_a_value_is_dropped_and_inside_kept() -> None:
    assert check_header("X", " \ta\tb c\t ") == ("X", "a\tb c")


def test_an_empty_value_is_accepted() -> None:
    assert check_header("X", "") == ("X", "")


def test_a_head_ends_with_a_blank_line() -> None:
    assert build_head("GET / HTTP/1.1", []) == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("attack", [*INJECTIONS, "a b", "/", "a:b", 'a"b', "é", "€"])
def test_no_injection_passes_as_a_token(attack: str) -> None:
    for token in (attack, "x" + attack, attack + "x"):
        with pytest.raises(ValueError, match=r"^token under test must be a token of letters"):
            check_token(token, "token under test")


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^sub-protocol must not be empty$"):
        check_token("", "sub-protocol")


@pytest.mark.parametrize("attack", [*INJECTIONS, "", "a b", "a:", "é"])
def test_no_injection_passes_in_a_header_name(attack: str) -> None:
    with pytest.raises(ValueError, match="header name"):
        check_header(attack, "x")
    with pytest.raises(ValueError, match="header name"):
        request_with(headers=((attack, "x"),))


@pytest.mark.parametrize("attack", [b"a\r\nb", b"", b"a b", b"\xe9", b"\xc3\xa9", b"a\x00"])
def test_no_injection_passes_in_a_header_name_of_bytes(attack: bytes) -> None:
    with pytest.raises(ValueError, match="header name"):
        check_header(attack, b"x")


@pytest.mark.parametrize("attack", INJECTIONS)
@pytest.mark.parametrize("argument", ["host", "resource", "agent", "authorization"])
def test_no_injection_passes_in_an_argument(argument: str, attack: str) -> None:
    for value in (attack, "/x" + attack, attack + "x"):
        with pytest.raises(ValueError):
            request_with(**{argument: value})


@pytest.mark.parametrize("attack", [*INJECTIONS, "a b", "", "é", "a,b"])
def test_no_injection_passes_in_a_subprotocol(attack: str) -> None:
    with pytest.raises(ValueError, match="sub-protocol"):
        request_with(protocols=("chat", attack))


@pytest.mark.parametrize("attack", INJECTIONS)
def test_no_injection_passes_in_a_header_value(attack: str) -> None:
    with pytest.raises(ValueError, match=r"^value of header X contains"):
        request_with(headers=(("X", "a" + attack),))


@pytest.mark.parametrize("attack", [b"\r\nEvil: 1", b"a\nb", b"a\rb", b"a\x00b", b"\x7f"])
def test_no_injection_passes_in_a_header_value_of_bytes(attack: bytes) -> None:
    with pytest.raises(ValueError, match=r"^value of header X contains"):
        check_header(b"X", attack)


@pytest.mark.parametrize(
    "resource", ["", "chat", "*", "/a b", "/a#b", "/é", "/€", "/a\tb", "http://x/", "/a HTTP/1.1"]
)
def test_a_resource_is_a_path_of_visible_ascii(resource: str) -> None:
    with pytest.raises(ValueError, match=r"^bad resource: unexpected"):
        request_with(resource=resource)


@pytest.mark.parametrize("resource", ["/", "//", "/a?b=c&d=%20", '/"', "/~"])
def test_any_path_and_query_of_visible_ascii_is_accepted(resource: str) -> None:
    request = request_with(resource=resource)
    assert request.build().startswith(b"GET " + resource.encode() + b" HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "host", ["", "a b", "a/b", "u@h", "a,b", "::1", "[::1", "h:", "h:port", "é", "h:123456", "a\\b"]
)
def test_a_host_is_a_name_or_a_literal_with_a_port(host: str) -> None:
    with pytest.raises(ValueError, match=r"^bad host: unexpected"):
        request_with(host=host)


@pytest.mark.parametrize("host", ["h", "a_b.example:8080", "[::1]", "[::1]:99", "127.0.0.1:1"])
def test_any_host_that_a_url_may_have_is_accepted(host: str) -> None:
    assert b"Host: " + host.encode() in headers_of(request_with(host=host))


@pytest.mark.parametrize("key", [b"", b"short", KEY + b"\r\n", KEY[:-1], b"!" * 24])
def test_a_key_is_16_bytes_in_base64(key: bytes) -> None:
    with pytest.raises(ValueError, match=r"^handshake key must be 16 bytes in base64"):
        request_with(key=key)


def test_subprotocols_must_differ() -> None:
    with pytest.raises(ValueError, match="must differ"):
        request_with(protocols=("chat", "chat"))


@pytest.mark.parametrize("protocols", ["chat", b"chat"])
def test_one_name_is_not_taken_for_several_subprotocols(protocols: object) -> None:
    with pytest.raises(TypeError, match=r"write \[name\]"):
        request_with(protocols=protocols)


@pytest.mark.parametrize(
    "arguments",
    [
        {"host": b"h"},
        {"host": None},
        {"resource": 1},
        {"key": "dGhlIHNhbXBsZSBub25jZQ=="},
        {"agent": None},
        {"agent": 1},
        {"authorization": 1},
        {"protocols": (b"chat",)},
        {"protocols": 1},
        {"headers": ((1, "x"),)},
        {"headers": (("X", None),)},
        {"headers": (("X", bytearray(b"x")),)},
    ],
)
def test_arguments_of_other_types_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        request_with(**arguments)


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key"])
def test_a_refused_value_is_not_shown(name: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_header(name, CANARY + "\n")
    assert name in str(refused.value)
    assert f"position {len(CANARY)}" in str(refused.value)
    assert CANARY not in str(refused.value)


def test_a_value_that_slipped_into_the_name_is_not_shown() -> None:
    with pytest.raises(ValueError) as refused:
        check_header(f"Cookie: {CANARY}", "")
    assert "'Cookie' is followed by ':'" in str(refused.value)
    assert CANARY not in str(refused.value)


def test_the_repr_hides_secrets() -> None:
    request = request_with(authorization=CANARY, headers=(("Cookie", CANARY),))
    assert repr(request) == "UpgradeRequest('server.example.com', '/chat', headers=['Cookie'])"
