"""Proxy URLs, `http_proxy` and its relatives, and NO_PROXY, for which no standard exists.

A connection never takes another way than its variables say, and no text made from a proxy
shows its user or password.
"""

from __future__ import annotations

import pytest

from lomond.proxies import (
    Proxy,
    check_proxies,
    choose_proxy,
    is_bypassed,
    no_proxy_from_environment,
    parse_proxy,
    proxies_from_environment,
)

CANARY = "sekret7canary"


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy", Proxy("http", "proxy", 80)),
        ("https://proxy", Proxy("https", "proxy", 443)),
        ("HTTP://Proxy.Example:3128/", Proxy("http", "proxy.example", 3128)),
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("proxy", Proxy("http", "proxy", 80)),
        ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ("http://u:p@proxy:1", Proxy("http", "proxy", 1, "u", "p")),
        ("u:p@proxy:1", Proxy("http", "proxy", 1, "u", "p")),
        ("http://u@proxy", Proxy("http", "proxy", 80, "u", "")),
        ("http://u%40x:%C3%BC%3A@proxy", Proxy("http", "proxy", 80, "u@x", "ü:")),
        ("http://bücher.example", Proxy("http", "xn--bcher-kva.example", 80)),
    ],
)
def test_the_url_of_a_proxy_is_taken_apart(url: str, proxy: Proxy) -> None:
    assert parse_proxy(url) == proxy


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("socks5://proxy:1080", "SOCKS proxies are not supported"),
        ("SOCKS4A://proxy:1080", "SOCKS proxies are not supported"),
        ("ftp://proxy", "begins with 'http://' or 'https://'"),
        ("ws://proxy", "begins with 'http://' or 'https://'"),
        ("http://", "host is missing"),
        ("", "host is missing"),
        ("http://proxy/path", "no path, query or fragment"),
        ("http://proxy?x", "no path, query or fragment"),
        ("http://proxy/#", "no path, query or fragment"),
        ("http://proxy:0", "port"),
        ("http://proxy\r\nX: 1", "control characters"),
        ("http://pro xy", "spaces"),
        ("http://a@b@proxy", "%40"),
        ("http://::1:80", "host:port"),
        (f"socks5://u:{CANARY}@proxy", "SOCKS"),
        (f"http://u:{CANARY}/@proxy", "path"),
        (f"u:{CANARY}%ff@proxy", "UTF-8"),
    ],
)
def test_what_is_no_http_proxy_is_refused_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="bad proxy") as caught:
        parse_proxy(url)
    assert complaint in str(caught.value)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.__context__)


def test_a_proxy_that_is_not_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="proxy must be str, not bytes"):
        parse_proxy(b"http://proxy")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        (f"http://user:{CANARY}@proxy:3128", "http://***@proxy:3128"),
        (f"https://{CANARY}@[::1]", "https://***@[::1]:443"),
        ("http://proxy", "http://proxy:80"),
    ],
)
def test_a_proxy_does_not_show_its_user_and_password(url: str, redacted: str) -> None:
    proxy = parse_proxy(url)
    assert proxy.redacted == str(proxy) == redacted
    assert repr(proxy) == f"Proxy('{redacted}')"


@pytest.mark.parametrize(
    "proxies",
    [
        {},
        {"http": None, "https": ""},
        {"http": "http://proxy", "https": "proxy:3128"},
        {"all": "socks5://proxy", "no": "localhost"},
    ],
)
def test_proxies_that_can_be_used_are_accepted(proxies: object) -> None:
    check_proxies(proxies)


@pytest.mark.parametrize("key", ["ws", "wss"])
def test_proxies_are_not_listed_under_websocket_schemes(key: str) -> None:
    with pytest.raises(ValueError, match=f"no key '{key}': use 'https?' for {key}://"):
        check_proxies({key: "http://proxy"})


def test_a_listed_proxy_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ValueError, match="SOCKS"):
        check_proxies({"https": "socks5://proxy"})


@pytest.mark.parametrize("proxies", ["http://proxy", ["http://proxy"], 1])
def test_proxies_that_are_no_mapping_are_a_type_error(proxies: object) -> None:
    with pytest.raises(TypeError, match="proxies must be a mapping"):
        check_proxies(proxies)


@pytest.mark.parametrize(
    ("environ", "proxies"),
    [
        ({}, {"http": None, "https": None}),
        ({"http_proxy": "a", "https_proxy": "b"}, {"http": "a", "https": "b"}),
        ({"HTTP_PROXY": "a", "HTTPS_PROXY": "b"}, {"http": "a", "https": "b"}),
        ({"http_proxy": "a", "HTTP_PROXY": "b"}, {"http": "a", "https": None}),
        ({"http_proxy": "", "HTTP_PROXY": "b"}, {"http": None, "https": None}),
        ({"https_proxy": " a "}, {"http": None, "https": "a"}),
        ({"HTTP_PROXY": "evil", "REQUEST_METHOD": "GET"}, {"http": None, "https": None}),
        ({"http_proxy": "a", "REQUEST_METHOD": "GET"}, {"http": "a", "https": None}),
        ({"HTTPS_PROXY": "a", "REQUEST_METHOD": "GET"}, {"http": None, "https": "a"}),
    ],
)
def test_proxies_come_from_the_environment(
    environ: dict[str, str], proxies: dict[str, str | None]
) -> None:
    assert proxies_from_environment(environ) == proxies


def test_no_proxy_comes_from_the_environment() -> None:
    assert no_proxy_from_environment({}) is None
    assert no_proxy_from_environment({"NO_PROXY": "a"}) == "a"
    assert no_proxy_from_environment({"NO_PROXY": "a", "no_proxy": "b"}) == "b"


# no_proxy, host, port
BYPASSED = [
    ("*", "example.org", 80),
    ("a, *", "example.org", 80),
    ("example.org", "example.org", 80),
    ("EXAMPLE.org", "example.ORG", 80),
    ("example.org", "www.example.org", 80),
    ("example.org", "a.b.example.org", 80),
    (".example.org", "www.example.org", 80),
    (".example.org", "example.org", 80),
    ("*.example.org", "www.example.org", 80),
    ("example.org.", "example.org", 80),
    ("example.org", "example.org.", 80),
    ("a,example.org,b", "example.org", 80),
    ("a example.org\tb", "example.org", 80),
    (" a , example.org ,, b", "example.org", 80),
    ("example.org:80", "example.org", 80),
    ("example.org:", "example.org", 80),
    ("localhost", "localhost", 80),
    ("bücher.example", "xn--bcher-kva.example", 80),
    ("127.0.0.1", "127.0.0.1", 80),
    ("127.0.0.1:80", "127.0.0.1", 80),
    ("10.0.0.0/8", "10.1.2.3", 80),
    ("10.1.2.3/8", "10.200.0.1", 80),
    ("10.0.0.0/8:80", "10.1.2.3", 80),
    ("::1", "::1", 80),
    ("0:0:0:0:0:0:0:1", "::1", 80),
    ("::1", "[::1]", 80),
    ("[::1]", "::1", 80),
    ("[::1]:80", "::1", 80),
    ("fe80::/10", "fe80::1", 80),
    ("[fe80::/10]:80", "fe80::1", 80),
    ("10.0.0.0/8", "::ffff:10.1.2.3", 80),
]

PROXIED = [
    (None, "example.org", 80),
    ("", "example.org", 80),
    (" , ", "example.org", 80),
    ("example.org", "badexample.org", 80),
    ("example.org", "example.org.evil.com", 80),
    ("www.example.org", "example.org", 80),
    (".", "example.org", 80),
    ("*.", "example.org", 80),
    ("*ample.org", "example.org", 80),
    ("example.*", "example.org", 80),
    ("example.org:81", "example.org", 80),
    ("example.org:x", "example.org", 80),
    ("http://example.org", "example.org", 80),
    ("0.0.1", "127.0.0.1", 80),
    ("1", "127.0.0.1", 80),
    ("127.0.0.10", "127.0.0.1", 80),
    ("127.0.0.1:81", "127.0.0.1", 80),
    ("10.0.0.0/8", "11.0.0.1", 80),
    ("10.0.0.0/8", "ten.example.org", 80),
    ("10.0.0.0/99", "10.0.0.1", 80),
    ("0.0.0.0/0", "::1", 80),
    ("::1", "::2", 80),
    ("[::1]:81", "::1", 80),
    ("[::1]x", "::1", 80),
    ("::/0", "10.0.0.1", 80),
    ("a..b", "example.org", 80),
    ("x" * 100, "example.org", 80),
]


@pytest.mark.parametrize(("no_proxy", "host", "port"), BYPASSED)
def test_a_host_in_no_proxy_is_reached_directly(no_proxy: str, host: str, port: int) -> None:
    assert is_bypassed(no_proxy, host, port)


@pytest.mark.parametrize(("no_proxy", "host", "port"), PROXIED)
def test_a_host_not_in_no_proxy_is_reached_by_proxy(
    no_proxy: str | None, host: str, port: int
) -> None:
    assert not is_bypassed(no_proxy, host, port)


PROXIES = {"http": "http://plain:1", "https": "http://secure:2"}


@pytest.mark.parametrize(("is_secure", "name"), [(False, "plain"), (True, "secure")])
def test_the_security_of_the_connection_chooses_the_proxy(is_secure: bool, name: str) -> None:
    proxy = choose_proxy(PROXIES, None, is_secure=is_secure, host="example.org", port=443)
    assert proxy is not None
    assert proxy.host == name


@pytest.mark.parametrize("proxies", [{}, {"https": None}, {"https": ""}, {"http": "http://p"}])
def test_without_a_proxy_the_connection_is_direct(proxies: dict[str, str | None]) -> None:
    assert choose_proxy(proxies, None, is_secure=True, host="example.org", port=443) is None


def test_no_proxy_goes_before_the_choice_of_a_proxy() -> None:
    chosen = choose_proxy(PROXIES, "example.org", is_secure=True, host="example.org", port=443)
    assert chosen is None


def test_a_chosen_proxy_that_cannot_be_used_raises() -> None:
    with pytest.raises(ValueError, match="SOCKS"):
        choose_proxy({"http": "socks5://p"}, None, is_secure=False, host="h", port=80)
