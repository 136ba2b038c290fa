"""WebSocket URLs: RFC 6455 §3 on top of RFC 3986, and nothing more lenient than those.

A URL is read in one way only: whatever two programs could read differently (a backslash, a
space, a control character, two "@", "127.1" as an address) is refused, and nothing is
stripped or repaired. The standard library's `urlsplit` removes tabs and newlines, accepts
"host\\@other" and knows no bad host, so the few lines of grammar are here.

Rules of this file:
- No error, repr or redacted text shows the user or the password of a URL.
- What is in a `WebSocketURL` may go into a request as it stands: visible ASCII only.
- No I/O: whether a host exists is the transport's question.

The addresses of proxies are in `lomond.proxies`, which borrows the grammar from here.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote

# RFC 6455 §3: "The port component is OPTIONAL; the default for "ws" is port 80, while the
# default for "wss" is port 443."
_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_HTTP_TWINS = {"http": "ws", "https": "wss"}

# Spaces of every script, C0 and C1 control characters, backslash, halves of surrogate pairs.
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOCATION = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?")  # host, port
# RFC 1123 §2.1 and the underscore, which names inside container networks often have.
_HOST_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# RFC 3986 §3.3, §3.4. The brackets are not legal there, but browsers leave them alone, and
# "?filter[id]=1" is common.
_LEGAL_IN_PATH = "/%:@!$&'()*+,;=[]"
_LEGAL_IN_QUERY = _LEGAL_IN_PATH + "?"

_MAX_HOST = 253  # characters; RFC 1035 §2.3.4
_MAX_SHOWN = 200  # characters of a URL in an error


@dataclass(frozen=True, slots=True)
class WebSocketURL:
    """The parts of a ws:// or wss:// URL, each ready to be used."""

    scheme: str
    """Either "ws" or "wss"."""
    host: str
    """A host name in lower-case ASCII, or an address; IPv6 without brackets."""
    port: int
    resource: str
    """Path and query as the request line carries them (RFC 6455 §3, "resource-name")."""
    authorization: str | None = field(repr=False)
    """The value of an Authorization header for the URL's user and password, or None."""
    redacted: str
    """The URL as it was given, with `***` for user and password."""
    host_header: str
    """The value of the Host header: IPv6 in brackets, the default port left out."""

    @property
    def is_secure(self) -> bool:
        """Whether the connection runs over TLS (RFC 6455 §3: "the secure flag")."""
        return self.scheme == "wss"


def parse_url(url: str) -> WebSocketURL:
    """Take a ws:// or wss:// URL apart.

    Characters outside ASCII are percent-encoded as UTF-8 in path and query, and go through
    IDNA in the host. Raises TypeError for anything but str, and ValueError for what is not a
    valid WebSocket URL; the text of the error says which rule was broken.
    """
    if not isinstance(url, str):
        raise TypeError(f"url must be str, not {type(url).__name__}")
    try:
        return _parse(url)
    except ValueError as error:
        raise ValueError(f"bad url {redact_url(url)!r}: {error}") from None


def redact_url(url: str) -> str:
    """Return any text that may be a URL with `***` in place of a user and password.

    Made for errors, about text that need not be valid: hides everything before the last
    "@", wherever that is, and shortens long text. It never raises.
    """
    _, at, tail = url.rpartition("@")
    if at:
        scheme = _SCHEME.match(url)
        url = f"{scheme.group() if scheme else ''}***@{tail}"
    return url if len(url) <= _MAX_SHOWN else url[:_MAX_SHOWN] + "…"


def check_characters(text: str) -> None:
    """Raise ValueError where `text` holds a character that no URL may contain."""
    found = _FORBIDDEN.search(text)
    if found:
        # Only the kind of character is named: its neighbours may be part of a password.
        raise ValueError(
            f"character {found.group()!r} is not allowed: spaces, control characters and "
            "backslashes must be percent-encoded"
        )
    if _LONE_PERCENT.search(text):
        raise ValueError("'%' must be followed by two hexadecimal digits: write '%' as %25")


def split_authority(authority: str) -> tuple[str, str, int | None]:
    """Return userinfo (as it stands), host and port (or None) of `[userinfo@]host[:port]`.

    The host comes as in `WebSocketURL.host`. Raises ValueError.
    """
    # RFC 3986 §3.2.1: userinfo holds no "@". Readers differ on which of two ends it.
    userinfo, _, location = authority.rpartition("@")
    if "@" in userinfo:
        raise ValueError("more than one '@' before the host: write '@' in a password as %40")
    parts = _LOCATION.fullmatch(location)
    if parts is None or (parts[2] and ":" in parts[2]):
        raise ValueError("host and port must be 'host:port' or '[IPv6 address]:port'")
    return userinfo, _parse_host(parts[1]), _parse_port(parts[2] or "")


def parse_credentials(userinfo: str) -> tuple[str, str]:
    """Return user and password of a URL's `user[:password]`, percent-decoded as UTF-8.

    Raises ValueError where they could not be sent as basic credentials (RFC 7617 §2). The
    error never shows them.
    """
    quoted_user, _, quoted_password = userinfo.partition(":")
    # Not errors="strict": a UnicodeDecodeError would carry the password.
    user = unquote(quoted_user, errors="surrogateescape")
    password = unquote(quoted_password, errors="surrogateescape")
    if _SURROGATE.search(user + password):
        raise ValueError("user and password must be UTF-8 before they are percent-encoded")
    # RFC 7617 §2: "The user-id and password MUST NOT contain any control characters", and
    # "a user-id containing a colon character is invalid".
    if _CONTROL.search(user + password):
        raise ValueError("user and password must not contain control characters")
    if ":" in user:
        raise ValueError("the user must not contain a colon")
    return user, password


# Thousands of connections to one server share what its URL consists of.
@lru_cache(maxsize=16)
def _parse(url: str) -> WebSocketURL:
    check_characters(url)
    scheme, _, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme in _HTTP_TWINS:
        raise ValueError(f"a WebSocket URL begins with '{_HTTP_TWINS[scheme]}://', not '{scheme}:'")
    # RFC 3986 §3.3 would allow "ws:path" without an authority, RFC 6455 §3 does not.
    if scheme not in _DEFAULT_PORTS or not rest.startswith("//"):
        raise ValueError("a WebSocket URL begins with 'ws://' or 'wss://'")
    # RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and
    # MUST NOT be used on these URIs."
    if "#" in rest:
        raise ValueError("a fragment is not allowed (RFC 6455 §3): write '#' as %23")
    hierarchy, _, query = rest.partition("?")
    authority, slash, path = hierarchy[2:].partition("/")
    userinfo, host, port = split_authority(authority)
    default_port = _DEFAULT_PORTS[scheme]
    port = default_port if port is None else port
    return WebSocketURL(
        scheme=scheme,
        host=host,
        port=port,
        resource=_build_resource(slash + path, query),
        authorization=_build_authorization(userinfo) if userinfo else None,
        redacted=url.replace(f"//{userinfo}@", "//***@", 1) if userinfo else url,
        host_header=_build_host_header(host, port, default_port),
    )


def _build_host_header(host: str, port: int, default_port: int) -> str:
    host = f"[{host}]" if ":" in host else host
    # RFC 6455 §4.1: "/host/ plus optionally ":" followed by /port/ (when not using the default
    # port)".
    return host if port == default_port else f"{host}:{port}"


def _build_resource(path: str, query: str) -> str:
    # RFC 6455 §3: "/" if the path component is empty, and "?" if the query component is
    # non-empty.
    resource = quote(path or "/", safe=_LEGAL_IN_PATH)
    return f"{resource}?{quote(query, safe=_LEGAL_IN_QUERY)}" if query else resource


def _build_authorization(userinfo: str) -> str:
    # RFC 7617 §2, §2.1: base64 of user, ":" and password; UTF-8 is the only encoding it names.
    credentials = ":".join(parse_credentials(userinfo))
    return "Basic " + b64encode(credentials.encode()).decode("ascii")


def _parse_port(text: str) -> int | None:
    # RFC 3986 §3.2.3: "port = *DIGIT", so that "host:" means the default. int() alone would
    # take "+80", "8_0" and the digits of other scripts.
    if not text:
        return None
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not 1 <= len(digits) <= 5 or int(digits) > 65535:
        raise ValueError("the port must be a number from 1 to 65535")
    return int(digits)


def _parse_host(text: str) -> str:
    if not text:
        raise ValueError("the host is missing")
    if text.startswith("["):
        return _parse_ipv6(text[1:-1])
    host = _encode_host(text)
    # IDNA also turns some characters into "/", ":" or "@", hence this check after it.
    if len(host) > _MAX_HOST or not _HOST_NAME.fullmatch(host):
        raise ValueError("the host is neither a host name nor an address")
    # The C library also reads "127.1", "0x7f.1" and "2130706433" as 127.0.0.1; whoever
    # compares names (NO_PROXY, certificates) does not.
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) and not _is_ipv4(host):
        raise ValueError("a host that ends in a number must be an IPv4 address like 192.0.2.1")
    return host


def _encode_host(text: str) -> str:
    # The standard library's codec is IDNA2003 (RFC 3490): "ß" becomes "ss", and letters
    # that are newer than Unicode 3.2 keep their case. A host that IDNA2008 (RFC 5891) spells
    # differently can be given in its "xn--" form.
    # Longer names cannot be valid, and some Pythons encode in quadratic time.
    if len(text) > _MAX_HOST:
        raise ValueError(f"the host is longer than {_MAX_HOST} characters")
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("the host is not a valid internationalised name (IDNA)") from None


def _parse_ipv6(text: str) -> str:
    # RFC 6874 zone identifiers name an interface of this machine; no server could know one.
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError("the brackets do not hold an IPv6 address") from None
    if address.scope_id is not None:
        raise ValueError("an IPv6 address with a zone identifier is not supported")
    return text.lower()


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
