"""RFC 6455 §3: "ws-URI = "ws:" "//" host [ ":" port ] path [ "?" query ]".

And RFC 3986 for its parts: one reading for every URL, or none. No text made from a URL shows
its user or password.
"""

from __future__ import annotations

import base64
import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lomond.url import WebSocketURL, parse_credentials, parse_url, redact_url

# url, host, port, Host header, resource
VALID = [
    ("ws://example.org", "example.org", 80, "example.org", "/"),
    ("wss://example.org", "example.org", 443, "example.org", "/"),
    ("WSS://EXAMPLE.org/Path", "example.org", 443, "example.org", "/Path"),
    ("ws://example.org:80/", "example.org", 80, "example.org", "/"),
    ("wss://example.org:443/", "example.org", 443, "example.org", "/"),
    ("ws://example.org:443/", "example.org", 443, "example.org:443", "/"),
    ("wss://example.org:80/", "example.org", 80, "example.org:80", "/"),
    ("ws://example.org:/x", "example.org", 80, "example.org", "/x"),
    ("ws://example.org:0080/", "example.org", 80, "example.org", "/"),
    ("ws://example.org:65535", "example.org", 65535, "example.org:65535", "/"),
    ("ws://example.org:1", "example.org", 1, "example.org:1", "/"),
    ("ws://example.org.", "example.org.", 80, "example.org.", "/"),
    ("ws://localhost", "localhost", 80, "localhost", "/"),
    ("ws://my_service-1:8080/", "my_service-1", 8080, "my_service-1:8080", "/"),
    ("ws://127.0.0.1:9001", "127.0.0.1", 9001, "127.0.0.1:9001", "/"),
    ("ws://[::1]", "::1", 80, "[::1]", "/"),
    ("ws://[::1]:99/", "::1", 99, "[::1]:99", "/"),
    ("wss://[2001:DB8::A]:443", "2001:db8::a", 443, "[2001:db8::a]", "/"),
    ("ws://[::ffff:192.0.2.1]", "::ffff:192.0.2.1", 80, "[::ffff:192.0.2.1]", "/"),
    ("ws://h?q=1", "h", 80, "h", "/?q=1"),
    ("ws://h/?", "h", 80, "h", "/"),
    ("ws://h/a/../b//c/", "h", 80, "h", "/a/../b//c/"),
    ("ws://h/a:b@c;d=e,f!$&'()*+~", "h", 80, "h", "/a:b@c;d=e,f!$&'()*+~"),
    ("ws://h/a?b?c/d@e:f", "h", 80, "h", "/a?b?c/d@e:f"),
    ("ws://h/?filter[id]=1", "h", 80, "h", "/?filter[id]=1"),
    ('ws://h/?q={"a":1}', "h", 80, "h", "/?q=%7B%22a%22:1%7D"),
    ("ws://h/%0d%0aEvil:%201", "h", 80, "h", "/%0d%0aEvil:%201"),
    ("ws://h/é?ö=ü", "h", 80, "h", "/%C3%A9?%C3%B6=%C3%BC"),
    ("ws://h/\U0001f600", "h", 80, "h", "/%F0%9F%98%80"),
    ("ws://bücher.example", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/"),
    ("ws://BÜCHER.example", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/"),
    ("ws://xn--bcher-kva.example", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/"),
    ("ws://straße.example", "strasse.example", 80, "strasse.example", "/"),
    ("ws://例え。テスト", "xn--r8jz45g.xn--zckzah", 80, "xn--r8jz45g.xn--zckzah", "/"),
    ("ws://good.com@evil.com", "evil.com", 80, "evil.com", "/"),
    ("ws://@example.org/", "example.org", 80, "example.org", "/"),
    ("ws://user:pa%40ss@example.org:81/", "example.org", 81, "example.org:81", "/"),
    ("ws://h/@evil.com", "h", 80, "h", "/@evil.com"),
    ("ws://h?@evil.com", "h", 80, "h", "/?@evil.com"),
    (f"ws://{'a' * 63}.example", f"{'a' * 63}.example", 80, f"{'a' * 63}.example", "/"),
]

# url, and what the error has to mention
INVALID = [
    ("", "'ws://' or 'wss://'"),
    ("example.org", "'ws://' or 'wss://'"),
    ("//example.org", "'ws://' or 'wss://'"),
    ("/path", "'ws://' or 'wss://'"),
    ("http://example.org", "begins with 'ws://', not 'http:'"),
    ("HTTPS://example.org", "begins with 'wss://', not 'https:'"),
    ("ftp://example.org", "'ws://' or 'wss://'"),
    ("wsss://example.org", "'ws://' or 'wss://'"),
    ("ws:example.org", "'ws://' or 'wss://'"),
    ("ws:/example.org", "'ws://' or 'wss://'"),
    ("ws:", "'ws://' or 'wss://'"),
    ("ws://", "host is missing"),
    ("ws:///x", "host is missing"),
    ("ws://:80/", "host is missing"),
    ("ws://user@/", "host is missing"),
    ("ws://?q", "host is missing"),
    (r"ws://good.com\@evil.com", "backslash"),
    (r"ws://h/a\b", "backslash"),
    (" ws://h", "spaces"),
    ("ws://h ", "spaces"),
    ("ws://h/a b", "spaces"),
    ("ws://h\t/", r"'\t'"),
    ("ws://h/\r\nEvil: 1", r"'\r'"),
    ("w\ns://h", r"'\n'"),
    ("ws://h/\0", r"'\x00'"),
    ("ws://h/\x7f", r"'\x7f'"),
    ("ws://h/\x85", r"'\x85'"),
    ("ws://h/\u2028", r"'\u2028'"),
    ("ws://h/\u00a0", r"'\xa0'"),
    ("ws://h/\ud800", r"'\ud800'"),
    ("ws://h/#top", "fragment"),
    ("ws://h#", "fragment"),
    ("ws://h/?q#", "fragment"),
    ("ws://h/100%", "%25"),
    ("ws://h/%zz", "%25"),
    ("ws://h/?q=%1", "%25"),
    ("ws://h:0/", "port"),
    ("ws://h:65536/", "port"),
    ("ws://h:99999", "port"),
    ("ws://h:-1", "port"),
    ("ws://h:+80", "port"),
    ("ws://h:8_0", "port"),
    ("ws://h:8.0", "port"),
    ("ws://h:٨٠", "port"),
    ("ws://h:x", "port"),
    (f"ws://h:{'1' * 5000}", "port"),
    ("ws://h:80:90", "'host:port'"),
    ("ws://::1", "'host:port'"),
    ("ws://::1:80", "'host:port'"),
    ("ws://[::1", "'host:port'"),
    ("ws://[::1]x", "'host:port'"),
    ("ws://x[::1]", "'host:port'"),
    ("ws://[]", "IPv6"),
    ("ws://[example.org]", "IPv6"),
    ("ws://[127.0.0.1]", "IPv6"),
    ("ws://[v1.x]", "IPv6"),
    ("ws://[fe80::1%25eth0]", "zone"),
    ("ws://a@b@c/", "%40"),
    ("ws://a..b", "IDNA"),
    ("ws://.a", "IDNA"),
    ("ws://.", "IDNA"),
    (f"ws://{'a' * 64}.example", "IDNA"),
    (f"ws://{'a.' * 127}example", "longer than 253"),
    (f"ws://{'bü.' * 84}a", "neither a host name"),
    ("ws://a,b", "neither a host name"),
    ("ws://a%20b", "neither a host name"),
    ("ws://%0d%0a", "neither a host name"),
    ("ws://a\u2100b.com", "neither a host name"),  # NFKC makes "a/c" of U+2100
    ("ws://\uff20evil.com", "neither a host name"),  # NFKC makes "@" of U+FF20
    ("ws://\ue000.example", "IDNA"),  # for private use
    ("ws://127.1", "IPv4"),
    ("ws://2130706433", "IPv4"),
    ("ws://0x7f.0.0.1", "IPv4"),
    ("ws://0177.0.0.0x1", "IPv4"),
    ("ws://127.0.0.256", "IPv4"),
    ("ws://127.0.0.1.", "IPv4"),
    ("ws://1.2.3.4.5", "IPv4"),
    ("ws://u%3Ax:p@h", "colon"),
    ("ws://u:%0d%0a@h", "control characters"),
    ("ws://u:%ff@h", "UTF-8"),
]


@pytest.mark.parametrize(("url", "host", "port", "host_header", "resource"), VALID)
def test_a_valid_url_has_one_reading(
    url: str, host: str, port: int, host_header: str, resource: str
) -> None:
    parts = parse_url(url)
    assert (parts.host, parts.port, parts.resource) == (host, port, resource)
    assert parts.host_header == host_header


@pytest.mark.parametrize(("url", "complaint"), INVALID)
def test_an_invalid_url_is_refused_by_the_name_of_the_rule(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="bad url") as caught:
        parse_url(url)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("url", [b"ws://h", None, 7, ["ws://h"]])
def test_a_url_that_is_not_text_is_a_type_error(url: object) -> None:
    with pytest.raises(TypeError, match=f"url must be str, not {type(url).__name__}"):
        parse_url(url)  # type: ignore[arg-type]


def test_only_wss_is_secure() -> None:
    assert not parse_url("ws://h").is_secure
    assert parse_url("wss://h").is_secure


def test_a_url_without_user_has_no_authorization() -> None:
    assert parse_url("ws://h/").authorization is None
    assert parse_url("ws://@h/").authorization is None


@pytest.mark.parametrize(
    ("userinfo", "authorization"),
    [
        # RFC 7617 §2: "Aladdin" and "open sesame"
        ("Aladdin:open%20sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        # RFC 7617 §2.1: "test" and "123" with a pound sign
        ("test:123%C2%A3", "Basic dGVzdDoxMjPCow=="),
        ("test:123£", "Basic dGVzdDoxMjPCow=="),
        ("user", "Basic dXNlcjo="),
        (":secret", "Basic OnNlY3JldA=="),
        ("a:b:c", "Basic YTpiOmM="),
        ("a+b:%2B", "Basic YStiOis="),
    ],
)
def test_user_and_password_become_basic_credentials(userinfo: str, authorization: str) -> None:
    assert parse_url(f"ws://{userinfo}@h/").authorization == authorization


def test_credentials_are_percent_decoded_after_they_were_split() -> None:
    assert parse_credentials("a%40b:c%3Ad") == ("a@b", "c:d")


CANARY = "sekret7canary"
ENCODED = base64.b64encode(f"user:{CANARY}".encode()).decode()


def test_a_parsed_url_does_not_show_the_password() -> None:
    parts = parse_url(f"ws://user:{CANARY}@h:81/a@b?c")
    assert parts.redacted == "ws://***@h:81/a@b?c"
    assert parts.authorization == f"Basic {ENCODED}"
    for text in (repr(parts), str(parts), f"{parts}"):
        assert CANARY not in text
        assert ENCODED not in text


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{CANARY}@h/",
        f"user:{CANARY}@h/",
        f"ws:user:{CANARY}@h/",
        f"ws://user:{CANARY}@h:0/",
        f"ws://user:{CANARY}/@h",
        f"ws://user:12{CANARY}@b@h",
        f"ws://{CANARY}%3A@h",
        f"ws://user:{CANARY}%ff@h",
        f"ws://user:{CANARY}%0a@h",
        f"ws://user:{CANARY}%@h",
        f"ws://user:{CANARY}\ud800@h",
        f"ws://user:{CANARY} @h",
        f"ws://user:{CANARY}#@h",
        f"x y://{CANARY}@h",
    ],
)
def test_an_error_does_not_show_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="bad url") as caught:
        parse_url(url)
    error: BaseException | None = caught.value
    assert CANARY not in "".join(traceback.format_exception_only(error))
    while error is not None:  # also what reporters find that follow suppressed contexts
        assert CANARY not in repr(error.args)
        error = error.__context__


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("ws://h/", "ws://h/"),
        ("ws://u:p@h/", "ws://***@h/"),
        ("ws://u:p@h/@x", "ws://***@x"),
        ("u:p@h", "***@h"),
        ("u:p@ss://x@h", "***@h"),
        ("ws://h/" + "x" * 300, "ws://h/" + "x" * 193 + "…"),
    ],
)
def test_any_text_can_be_redacted(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


def test_equal_urls_are_equal() -> None:
    assert parse_url("ws://u:p@h/") == parse_url("ws://u:p@h/")
    assert parse_url("ws://u:p@h/") != parse_url("ws://u:q@h/")


@given(st.text(alphabet=st.characters(), max_size=40))
@example("[")
@example("a:b@[::1]:8?#")
def test_any_text_is_either_refused_or_fit_for_a_request(rest: str) -> None:
    try:
        parts: WebSocketURL = parse_url("ws://" + rest)
    except ValueError:
        return
    request = f"GET {parts.resource} HTTP/1.1|Host: {parts.host_header}|{parts.authorization}"
    assert request.isascii()
    assert request.isprintable()
    assert " " not in parts.resource + parts.host_header
