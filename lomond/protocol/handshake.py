"""The opening handshake, the client's side (RFC 6455 §4.1, §4.2.2, §11.3).

`UpgradeRequest` is what we ask, `check_response` judges what the server answered, and
`Agreement` is what the two have settled on for the connection.

How bytes become a `Response` does not belong here (see `http`), nor what becomes of the
connection after a refusal (see `client`).
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha1

from lomond.constants import USER_AGENT, WS_KEY, WS_VERSION
from lomond.errors import HandshakeError
from lomond.protocol.deflate import (
    PERMESSAGE_DEFLATE,
    DeflateOffer,
    DeflateParameters,
    negotiate,
)
from lomond.protocol.extensions import parse_extensions
from lomond.protocol.headers import build_head, check_header, check_match, check_token
from lomond.protocol.http import excerpt
from lomond.response import Response

_KEY_HEADER = "Sec-WebSocket-Key"
_KEY_SIZE = 16
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
# RFC 3986 §3.2.2 and §3.2.3: a registered name or a literal in brackets, and a port.
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%_~-]+\]|[0-9A-Za-z._~!$&'()*+;=%-]+)(?::[0-9]{1,5})?")
# RFC 9112 §3.2.1: origin-form, visible ASCII only. RFC 6455 §3 has no fragment.
_RESOURCE = re.compile(r"/[\x21-\x22\x24-\x7e]*")

_OWN_HEADERS = {
    "upgrade": "it is made for each connection",
    "connection": "it is made for each connection",
    "sec-websocket-key": "it is made for each connection",
    "sec-websocket-version": "it is made for each connection",
    "sec-websocket-protocol": "use the option protocols",
    "sec-websocket-extensions": "use the option compress",
    # Either would have the server take our first frames for the body of the request.
    "content-length": "an upgrade request has no body",
    "transfer-encoding": "an upgrade request has no body",
}


@dataclass(frozen=True, slots=True, repr=False)
class RequestForm:
    """What we ask of the server, but for the key: connections that are made alike share it.

    See `UpgradeRequest`, also for what it raises.
    """

    host: str
    resource: str
    protocols: tuple[str, ...] = ()
    agent: str = USER_AGENT
    headers: tuple[tuple[str, str], ...] = ()
    deflate: DeflateOffer | None = None
    authorization: str | None = None
    around_key: tuple[bytes, bytes] = field(init=False, compare=False)
    """The bytes of the request before the key and behind it."""

    def __post_init__(self) -> None:
        check_match(_HOST, self.host, "host")
        check_match(_RESOURCE, self.resource, "resource")
        object.__setattr__(self, "protocols", _check_protocols(self.protocols))
        headers = tuple(check_custom_header(name, value) for name, value in self.headers)
        # RFC 9112 §3.2: a server answers 400 to "more than one Host header field line".
        if [name.lower() for name, _ in headers].count("host") > 1:
            raise ValueError("header Host is given more than once")
        object.__setattr__(self, "headers", headers)
        object.__setattr__(self, "agent", check_header("User-Agent", self.agent)[1])
        if self.authorization is not None:
            value = check_header("Authorization", self.authorization)[1]
            object.__setattr__(self, "authorization", value)
        object.__setattr__(self, "around_key", self._build_around_key())

    def _build_around_key(self) -> tuple[bytes, bytes]:
        replaced = {name.lower() for name, _ in self.headers}
        own = [
            ("Host", self.host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            (_KEY_HEADER, ""),
            ("Sec-WebSocket-Version", str(WS_VERSION)),
            ("User-Agent", self.agent),
        ]
        if self.authorization is not None:
            own.append(("Authorization", self.authorization))
        if self.protocols:
            own.append(("Sec-WebSocket-Protocol", ", ".join(self.protocols)))
        if self.deflate is not None:
            own.append(("Sec-WebSocket-Extensions", self.deflate.header()))
        kept = [(name, value) for name, value in own if name.lower() not in replaced]
        head = build_head(f"GET {self.resource} HTTP/1.1", [*self.headers, *kept])
        # Nobody else's line begins like this: see `check_custom_header`.
        before, name, behind = head.partition(f"\r\n{_KEY_HEADER}: ".encode())
        return before + name, behind


class UpgradeRequest:
    """What we ask of the server.

    `host` is the value of the Host header, `resource` path and query, `key` what
    `make_handshake_key` made, `authorization` the value of that header. `headers` are the
    application's own and take the place of our Host, User-Agent and Authorization.
    Raises TypeError or ValueError for anything that would not be a well-formed request.
    """

    __slots__ = ("form", "key")

    def __init__(
        self,
        host: str,
        resource: str,
        key: bytes,
        protocols: tuple[str, ...] = (),
        agent: str = USER_AGENT,
        headers: tuple[tuple[str, str], ...] = (),
        deflate: DeflateOffer | None = None,
        authorization: str | None = None,
    ) -> None:
        if not isinstance(key, bytes):
            raise TypeError(f"handshake key must be bytes, not {type(key).__name__}")
        if not _KEY.fullmatch(key):
            raise ValueError(f"handshake key must be 16 bytes in base64, not {key!r}")
        self.key = key
        self.form = RequestForm(host, resource, protocols, agent, headers, deflate, authorization)

    @classmethod
    def begin(cls, form: RequestForm) -> UpgradeRequest:
        """Make the request of one connection: this form, and a key of its own."""
        request = cls.__new__(cls)
        request.key = make_handshake_key()
        request.form = form
        return request

    def __repr__(self) -> str:
        form = self.form
        names = [name for name, _ in form.headers]
        return f"UpgradeRequest({form.host!r}, {form.resource!r}, headers={names!r})"

    def build(self) -> bytes:
        """Build the bytes of the request (RFC 6455 §4.1)."""
        before, behind = self.form.around_key
        return b"".join((before, self.key, behind))


@dataclass(frozen=True, slots=True)
class Agreement:
    """What client and server have settled on for this connection.

    `protocol` is the sub-protocol or None, `extensions` the names of those in use,
    `deflate` the parameters of compression or None without it.
    """

    protocol: str | None
    extensions: set[str]
    deflate: DeflateParameters | None


def make_handshake_key(random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Make the value of Sec-WebSocket-Key: 16 random bytes in base64."""
    return b64encode(random(_KEY_SIZE))


def accept_for(key: bytes) -> str:
    """Return the Sec-WebSocket-Accept that answers `key` (RFC 6455 §4.2.2)."""
    # SHA-1 is a checksum here, no secret hangs on it; FIPS builds want to be told so.
    return b64encode(sha1(key + WS_KEY, usedforsecurity=False).digest()).decode("ascii")


def check_custom_header(name: str | bytes, value: str | bytes) -> tuple[str, str]:
    """Return a header of the application's as `check_header` does.

    Raises ValueError also for the headers that the handshake itself consists of.
    """
    name, value = check_header(name, value)
    advice = _OWN_HEADERS.get(name.lower())
    if advice is None and name.lower().startswith("sec-websocket-"):
        advice = "the name belongs to the handshake"
    if advice is not None:
        raise ValueError(f"header {name} cannot be set: {advice}")
    return name, value


def check_response(response: Response, request: UpgradeRequest) -> Agreement:
    """Return what was agreed on if `response` accepts `request`.

    Raises HandshakeError, or CompressionParameterError for what it says about
    permessage-deflate. The numbers below are those of the list that ends RFC 6455 §4.1.
    """
    # (1) the status code
    if response.status_code != 101:
        raise HandshakeError(f"Websocket upgrade failed (code={response.status_code})")
    # (2) "Upgrade … an ASCII case-insensitive match for the value "websocket""
    upgrade = response.get("upgrade", "<header missing>").lower()
    if upgrade != "websocket":
        raise HandshakeError(f"Can't upgrade to {excerpt(upgrade)}")
    # (4) Accept, compared exactly: base64 distinguishes upper and lower case.
    accept = response.get("sec-websocket-accept")
    if accept is None:
        raise HandshakeError("No Sec-WebSocket-Accept header")
    if accept != accept_for(request.key):
        raise HandshakeError("Sec-WebSocket-Accept challenge failed")
    # RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an
    # HTTP/1.0 request", so what says 1.0 here has not understood the request.
    if response.http_ver != "HTTP/1.1":
        raise HandshakeError(f"answer is {excerpt(response.http_ver)}, not HTTP/1.1")
    # (3) "Connection … a token that is an ASCII case-insensitive match for "Upgrade""
    connection = response.get_list("connection")
    if "upgrade" not in [token.lower() for token in connection]:
        said = excerpt(", ".join(connection)) or "<header missing>"
        raise HandshakeError(f"Connection header does not say upgrade: {said}")
    # (6) and (5): what was not asked for may not be granted.
    protocol = _check_subprotocol(response.get("sec-websocket-protocol"), request.form.protocols)
    extensions = response.get("sec-websocket-extensions")
    if extensions is None:
        return Agreement(protocol, set(), None)
    return Agreement(protocol, *check_extensions(extensions, request.form.deflate))


def check_extensions(
    header: str, offer: DeflateOffer | None
) -> tuple[set[str], DeflateParameters | None]:
    """Return the names of the extensions in the server's header, and compression's parameters.

    Raises HandshakeError for an extension that was not offered or is there twice, and
    CompressionParameterError for parameters that the offer does not allow.
    """
    enabled: set[str] = set()
    deflate: DeflateParameters | None = None
    for name, parameters in parse_extensions(header):
        # RFC 6455 §4.1: "the use of an extension that was not present in the client's
        # handshake … the client MUST _Fail the WebSocket Connection_"
        if name != PERMESSAGE_DEFLATE or offer is None:
            raise HandshakeError(f"extension {excerpt(name)!r} was not offered")
        if name in enabled:
            raise HandshakeError(f"extension {name!r} is there twice")
        deflate = negotiate(offer, parameters)
        enabled.add(name)
    return enabled, deflate


def _check_subprotocol(protocol: str | None, offered: tuple[str, ...]) -> str | None:
    # RFC 6455 §4.1: "a subprotocol that was not present in the client's handshake" fails
    # the connection; §11.3.4: the header "MUST NOT appear more than once".
    if protocol is None or protocol in offered:
        return protocol
    if "," in protocol:
        raise HandshakeError(f"more than one sub-protocol: {excerpt(protocol)!r}")
    raise HandshakeError(f"sub-protocol {excerpt(protocol)!r} was not offered")


def _check_protocols(protocols: Iterable[str]) -> tuple[str, ...]:
    if isinstance(protocols, (str, bytes)):
        raise TypeError("protocols must be several names, not one: write [name]")
    names = tuple(check_token(protocol, "sub-protocol") for protocol in protocols)
    # RFC 6455 §4.1: "The elements that comprise this value … MUST all be unique strings."
    if len(set(names)) < len(names):
        raise ValueError("sub-protocols must differ from each other")
    return names
