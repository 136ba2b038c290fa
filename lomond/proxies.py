"""Which HTTP proxy leads to a host: proxy URLs, the environment's variables, NO_PROXY.

There is no standard for these variables. Where programs differ, this file does what keeps
a connection from taking another way than its reader expects: names match at label
boundaries only, addresses are compared as addresses, malformed entries match nothing.
Speaking to a proxy (RFC 9110 §9.3.6, CONNECT) is in `lomond.protocol.tunnel`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from lomond.url import check_characters, parse_credentials, redact_url, split_authority

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_VARIABLES = (
    "REQUEST_METHOD",
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
)
# As `os.environ` keeps them: bytes, or on Windows text.
_KEPT_VARIABLES = frozenset((*_VARIABLES, *map(os.fsencode, _VARIABLES)))
_DEFAULT_PORTS = {"http": 80, "https": 443}
_AFTER_AUTHORITY = re.compile(r"[/?#]")
_SEPARATORS = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """An HTTP proxy. Neither `repr` nor `str` shows user and password."""

    scheme: str
    """Either "http", or "https" for a proxy that is itself spoken to over TLS."""
    host: str
    """A host name in lower-case ASCII, or an address; IPv6 without brackets."""
    port: int
    username: str | None = None
    password: str | None = None

    @property
    def redacted(self) -> str:
        """The proxy's URL with `***` for user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        secret = "" if self.username is None else "***@"
        return f"{self.scheme}://{secret}{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.redacted!r})"

    def __str__(self) -> str:
        return self.redacted


def parse_proxy(url: str) -> Proxy:
    """Take the URL of a proxy apart; "host:port" alone means "http://host:port".

    User and password are percent-decoded. Raises TypeError for anything but str, ValueError
    for what is not the URL of an HTTP proxy; neither shows user or password.
    """
    if not isinstance(url, str):
        raise TypeError(f"proxy must be str, not {type(url).__name__}")
    try:
        return _parse(url)
    except ValueError as error:
        raise ValueError(f"bad proxy {redact_url(url)!r}: {error}") from None


def check_proxies(proxies: object) -> None:
    """Raise TypeError or ValueError for what is not `{"http": url, "https": url}`.

    Each URL may be None or empty for "no proxy". Other keys are ignored, so that
    `urllib.request.getproxies()` is accepted; "ws" and "wss" are refused, since who wrote
    them expects a proxy to be used.
    """
    if not isinstance(proxies, Mapping):
        raise TypeError(f"proxies must be a mapping, not {type(proxies).__name__}")
    for key, twin in (("ws", "http"), ("wss", "https")):
        if key in proxies:
            raise ValueError(f"proxies has no key {key!r}: use {twin!r} for {key}:// URLs")
    for key in _DEFAULT_PORTS:
        if proxies.get(key):
            parse_proxy(proxies[key])


def proxies_from_environment(environ: Mapping[str, str]) -> Mapping[str, str | None]:
    """Return the proxies that `http_proxy` and `https_proxy` name, under "http" and "https".

    Lower case goes before upper case, also where it is empty, which means no proxy.
    """
    names = {"http": ["http_proxy", "HTTP_PROXY"], "https": ["https_proxy", "HTTPS_PROXY"]}
    # A CGI server makes HTTP_PROXY out of a request's header "Proxy:", so that any visitor
    # could choose our proxy (CVE-2016-5385, "httpoxy").
    if "REQUEST_METHOD" in environ:
        names["http"].remove("HTTP_PROXY")
    return _share_proxies(*(_first(environ, variables) for variables in names.values()))


@lru_cache(maxsize=16)
def _share_proxies(http: str | None, https: str | None) -> Mapping[str, str | None]:
    # One for all that are made in the same environment, and so not to be changed: a dict for
    # each WebSocket is 190 bytes.
    return {"http": http, "https": https}


def no_proxy_from_environment(environ: Mapping[str, str]) -> str | None:
    """Return the value of `no_proxy`, or else of `NO_PROXY`; None where there is none."""
    return _first(environ, ["no_proxy", "NO_PROXY"])


def read_environment() -> dict[str, str]:
    """Return those variables of the environment that the two above look at."""
    environ = os.environ
    # Each variable that is not set costs `os.environ` two exceptions, all of them a twelfth of a
    # connection. The dictionary below it tells for nothing that none is, which is the usual case.
    kept = getattr(environ, "_data", None)
    if isinstance(kept, dict) and kept.keys().isdisjoint(_KEPT_VARIABLES):
        return {}
    return {name: environ[name] for name in _VARIABLES if name in environ}


def choose_proxy(
    proxies: Mapping[str, str | None],
    no_proxy: str | None,
    *,
    is_secure: bool,
    host: str,
    port: int,
) -> Proxy | None:
    """Return the proxy for a connection to `host` and `port`; None to connect directly.

    `proxies` holds URLs under "https" for wss and "http" for ws. Raises as `parse_proxy`.
    """
    url = proxies.get("https" if is_secure else "http")
    if not url or is_bypassed(no_proxy, host, port):
        return None
    return parse_proxy(url)


def is_bypassed(no_proxy: str | None, host: str, port: int) -> bool:
    """Answer whether NO_PROXY's value `no_proxy` exempts `host` and `port`. Never raises.

    Entries are separated by commas or spaces: `*` for every host; a domain, with or without
    `.` or `*.` in front, for itself and all names below it; an address; a network such as
    `10.0.0.0/8`. Each may be followed by `:port`; an IPv6 address is then in brackets.
    """
    name = _normalise(host.strip("[]"))
    address = _as_address(name)
    entries = filter(None, _SEPARATORS.split(no_proxy or ""))
    return any(_matches(entry, name, address, port) for entry in entries)


def _parse(url: str) -> Proxy:
    check_characters(url)
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    scheme = scheme.lower()
    if scheme.startswith("socks"):
        raise ValueError("SOCKS proxies are not supported, only http:// and https://")
    if scheme not in _DEFAULT_PORTS:
        raise ValueError("the URL of a proxy begins with 'http://' or 'https://'")
    authority = rest.removesuffix("/")
    if _AFTER_AUTHORITY.search(authority):
        raise ValueError("the URL of a proxy has no path, query or fragment")
    userinfo, host, port = split_authority(authority)
    username, password = parse_credentials(userinfo) if userinfo else (None, None)
    return Proxy(scheme, host, port or _DEFAULT_PORTS[scheme], username, password)


def _first(environ: Mapping[str, str], names: list[str]) -> str | None:
    values = (environ[name] for name in names if name in environ)
    return next(values, "").strip() or None


def _matches(entry: str, name: str, address: _Address | None, port: int) -> bool:
    if entry == "*":
        return True
    pattern, wanted_port = _split_entry(entry)
    if wanted_port and wanted_port != str(port):
        return False
    # The digits of an address are no labels: "0.0.1" is not a domain above 127.0.0.1.
    if address is not None:
        return _contains(pattern, address)
    domain = _normalise(pattern.removeprefix("*.").lstrip("."))
    return bool(domain) and (name == domain or name.endswith("." + domain))


def _split_entry(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        pattern, _, port = entry[1:].partition("]")
        return pattern, port.removeprefix(":")
    if entry.count(":") == 1:
        pattern, _, port = entry.partition(":")
        return pattern, port
    return entry, ""


def _contains(pattern: str, address: _Address) -> bool:
    try:
        return address in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return False


def _as_address(name: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    # ::ffff:10.0.0.1 reaches 10.0.0.1, so 10.0.0.0/8 is about it too.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _normalise(name: str) -> str:
    # The same codec as for the hosts of URLs; a name that it refuses matches only itself.
    try:
        name = name.encode("idna").decode("ascii")
    except UnicodeError:
        return name.lower().rstrip(".")
    return name.lower().rstrip(".")
