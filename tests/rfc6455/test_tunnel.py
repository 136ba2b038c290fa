"""A tunnel through an HTTP proxy.

RFC 9110 §9.3.6: "Any 2xx (Successful) response indicates that the sender (and all inbound proxies)
will switch to tunnel mode immediately after the response header section; data received after that
header section is from the server identified by the request target."
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.errors import ConnectFail
from lomond.protocol.tunnel import TunnelReader, build_connect_request

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
CANARY = "sekret-canary"
INJECTIONS = ["\r\nEvil: 1", "a\nb", "\n", "a\rb", "a\x00b", "\x7f", "\ud800"]


def refusal(data: bytes) -> ConnectFail:
    with pytest.raises(ConnectFail) as refused:
        TunnelReader().feed(data)
    assert (refused.value.phase, refused.value.kind) == ("proxy", "proxy")
    return refused.value


def test_a_request_without_credentials_is_built() -> None:
    assert build_connect_request("example.com", 443, None, "Test/1") == (
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nUser-Agent: Test/1\r\n\r\n"
    )


def test_credentials_are_sent_in_base64() -> None:
    # RFC 7617 §2
    request = build_connect_request("h", 80, ("Aladdin", "open sesame"), "Test/1")
    line = b"\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
    assert request.endswith(line)


def test_credentials_are_utf_8() -> None:
    # RFC 7617 §2.1
    request = build_connect_request("h", 80, ("test", "123£"), "Test/1")
    assert b"Basic dGVzdDoxMjPCow==\r\n" in request


def test_a_password_may_be_empty_or_have_colons() -> None:
    assert b" Basic dTo=\r\n" in build_connect_request("h", 80, ("u", ""), "Test/1")
    assert b" Basic dTo6Og==\r\n" in build_connect_request("h", 80, ("u", "::"), "Test/1")


@pytest.mark.parametrize("host", ["2001:db8::1", "2001:db8::1%eth0"])
def test_an_ipv6_address_stands_in_brackets_without_its_zone(host: str) -> None:
    request = build_connect_request(host, 8080, None, "Test/1")
    assert request.startswith(
        b"CONNECT [2001:db8::1]:8080 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n"
    )


@pytest.mark.parametrize(
    "host", [*INJECTIONS, "", "a b", "é", "h:80", "u@h", "[::1]", "a/b", "a,b"]
)
def test_no_injection_passes_in_the_host(host: str) -> None:
    with pytest.raises(ValueError, match=r"^bad host: unexpected"):
        build_connect_request(host, 80, None, "Test/1")


@pytest.mark.parametrize("attack", INJECTIONS)
def test_no_injection_passes_in_the_agent(attack: str) -> None:
    with pytest.raises(ValueError, match=r"^value of header User-Agent contains"):
        build_connect_request("h", 80, None, "Test" + attack)


@pytest.mark.parametrize("attack", INJECTIONS)
def test_no_injection_passes_in_the_credentials(attack: str) -> None:
    for credentials in (("user" + attack, CANARY), ("user", CANARY + attack)):
        with pytest.raises(ValueError) as refused:
            build_connect_request("h", 80, credentials, "Test/1")
        assert CANARY not in str(refused.value)


def test_a_user_with_a_colon_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError) as refused:
        build_connect_request("h", 80, (f"user:{CANARY}", ""), "Test/1")
    assert str(refused.value) == "user name for the proxy contains a colon"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=r"^port must be 1 to 65535"):
        build_connect_request("h", port, None, "Test/1")


@pytest.mark.parametrize("status", [b"200 OK", b"204 No Content", b"299"])
def test_any_2xx_opens_the_tunnel(status: bytes) -> None:
    assert TunnelReader().feed(b"HTTP/1.1 " + status + b"\r\n\r\n")


def test_http_1_0_opens_the_tunnel() -> None:
    assert TunnelReader().feed(b"HTTP/1.0 200 Connection established\r\n\r\n")


def test_bytes_behind_the_head_come_from_the_server() -> None:
    reader = TunnelReader()
    assert reader.feed(ESTABLISHED + b"\x16\x03\x01")
    assert reader.rest == b"\x16\x03\x01"


def test_a_length_in_a_successful_answer_is_ignored() -> None:
    reader = TunnelReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    assert reader.rest == b"abc"


def test_an_answer_may_come_byte_by_byte() -> None:
    reader = TunnelReader()
    answers = [reader.feed(ESTABLISHED[i : i + 1]) for i in range(len(ESTABLISHED))]
    assert answers == [False] * (len(ESTABLISHED) - 1) + [True]


def test_8_interim_answers_are_skipped() -> None:
    assert TunnelReader().feed(b"HTTP/1.1 100 Continue\r\n\r\n" * 8 + ESTABLISHED)


def test_9_interim_answers_are_a_failure() -> None:
    error = refusal(b"HTTP/1.1 100 Continue\r\n\r\n" * 9)
    assert str(error) == "proxy's answer is not acceptable: more than 8 interim responses"


def test_a_refusal_says_what_the_proxy_said() -> None:
    error = refusal(b"HTTP/1.1 502 Bad {Gateway}\r\n\r\n")
    assert str(error) == "proxy refused the tunnel (code=502 'Bad {Gateway}')"
    assert error.retryable


def test_missing_credentials_are_named() -> None:
    error = refusal(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    assert str(error) == (
        "proxy refused the tunnel (code=407 'Proxy Authentication Required'): "
        "it needs credentials, or others than those in its url"
    )


@pytest.mark.parametrize("status", [b"403", b"405", b"407", b"501"])
def test_a_refusal_that_will_be_repeated_is_not_retryable(status: bytes) -> None:
    assert not refusal(b"HTTP/1.1 " + status + b" No\r\n\r\n").retryable


@pytest.mark.parametrize("status", [b"101", b"199", b"300", b"302", b"400", b"500", b"999"])
def test_any_other_status_is_a_failure(status: bytes) -> None:
    head = b"HTTP/1.1 " + status + b" No\r\n\r\n"
    assert "proxy" in str(refusal(head * 9))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"SSH-2.0", "response does not begin with HTTP/"),
        (b"\x15\x03\x01", "response does not begin with HTTP/, it looks like TLS"),
        (b"HTTP/1.1 200 OK\n\n", "line of the response head ends with a bare LF"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 20_000, "response head is longer than 16384 bytes"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200, "response has more than 128 headers"),
    ],
)
def test_garbage_and_endless_heads_are_a_failure(data: bytes, text: str) -> None:
    error = refusal(data)
    assert str(error) == f"proxy's answer is not acceptable: {text}"
    assert error.error is error.__cause__ is not None


@given(st.binary(max_size=100), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n"]))
def test_any_bytes_are_an_answer_or_a_failure(data: bytes, start: bytes) -> None:
    try:
        assert TunnelReader().feed(start + data) in (True, False)
    except ConnectFail as error:
        assert error.phase == "proxy"
