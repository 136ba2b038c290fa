"""A tunnel through an HTTP proxy: CONNECT and its answer (RFC 9110 §9.3.6, RFC 7617).

Which proxy is used, and the socket to it, do not belong here: see `lomond.proxies` and
`lomond.transport`.
"""

from __future__ import annotations

import re
from base64 import b64encode

from lomond.errors import ConnectFail, CriticalProtocolError, HandshakeError
from lomond.protocol.headers import build_head, check_header, check_match
from lomond.protocol.http import ResponseReader, excerpt
from lomond.response import Response

# RFC 3986 §3.2.2: an IPv6 address, here without its brackets, or a registered name.
_HOST = re.compile(r"[0-9A-Fa-f:.]+(?:%[0-9A-Za-z._~-]+)?|[0-9A-Za-z._~!$&'()*+;=%-]+")
_NOT_IN_CREDENTIALS = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

PROXY_AUTHENTICATION_REQUIRED = 407
# Answers that the same request will get again: what the proxy does not allow, does not
# do, or wants other credentials for.
_FINAL_REFUSALS = frozenset({403, 405, PROXY_AUTHENTICATION_REQUIRED, 501})


def build_connect_request(
    host: str, port: int, credentials: tuple[str, str] | None, agent: str
) -> bytes:
    """Build the request for a tunnel to `host`, a name or an address without brackets.

    `credentials` are user and password for the proxy. Raises TypeError or ValueError;
    neither shows the credentials.
    """
    check_match(_HOST, host, "host")
    if not 0 < port < 65536:
        raise ValueError(f"port must be 1 to 65535, not {port!r}")
    if ":" in host:
        # RFC 6874 §1: the zone behind an address has a meaning on this machine only.
        host = f"[{host.partition('%')[0]}]"
    authority = f"{host}:{port}"
    headers = [("Host", authority), check_header("User-Agent", agent)]
    if credentials is not None:
        headers.append(("Proxy-Authorization", _build_basic(*credentials)))
    return build_head(f"CONNECT {authority} HTTP/1.1", headers)


class TunnelReader:
    """Take the proxy's answer to CONNECT."""

    __slots__ = ("_reader", "rest")

    def __init__(self) -> None:
        self._reader = ResponseReader()
        self.rest = b""
        """What came through the tunnel behind the head; set when `feed` returns True."""

    def feed(self, data: bytes) -> bool:
        """Add bytes; return True when the tunnel is open, False if more are needed.

        Raises ConnectFail when the proxy refuses or does not speak HTTP. The end of the
        stream is for the caller to see.
        """
        try:
            response = self._reader.feed(data)
        except (HandshakeError, CriticalProtocolError) as error:
            text = f"proxy's answer is not acceptable: {error}"
            raise ConnectFail(text, phase="proxy", kind="proxy", error=error) from error
        if response is None:
            return False
        # RFC 9110 §9.3.6: "A client MUST ignore any Content-Length or Transfer-Encoding
        # header fields received in a successful response to CONNECT."
        self.rest = self._reader.rest
        _check_answer(response)
        return True


def _check_answer(response: Response) -> None:
    status_code = response.status_code
    if status_code is not None and 200 <= status_code < 300:
        return
    text = f"proxy refused the tunnel (code={status_code} {excerpt(response.status)!r})"
    if status_code == PROXY_AUTHENTICATION_REQUIRED:
        text += ": it needs credentials, or others than those in its url"
    is_final = status_code in _FINAL_REFUSALS
    raise ConnectFail(text, phase="proxy", kind="proxy", retryable=not is_final)


def _build_basic(user: str, password: str) -> str:
    # RFC 7617 §2: "a user-id containing a colon character is invalid", and the two "MUST NOT
    # contain any control characters".
    if ":" in user:
        raise ValueError("user name for the proxy contains a colon")
    if _NOT_IN_CREDENTIALS.search(user + password):
        raise ValueError("credentials for the proxy contain a control character or lone surrogate")
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
