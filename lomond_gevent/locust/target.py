"""Where a socket connects to and how: from what `connect` is told, the class, and the options.

What is nearer decides: `connect` before the class of the user, that before the command line. Of
headers the lot is sent, and of one name the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locust.exception import StopTest

from lomond.websocket import WebSocket
from lomond_gevent import GeventSession
from lomond_gevent.locust.options import ConnectOptions, settings_of
from lomond_gevent.locust.tls import shared_context

if TYPE_CHECKING:
    from lomond_gevent.locust.user import WebSocketUser

Headers = Mapping[str, str]

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
# A connection that is not pinged needs no polls.
_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Target:
    """What the attempts of one `connect` have in common."""

    websocket: WebSocket
    url: str
    """Without user, password and query, any of which may be a secret, and different each time."""
    name: str | None
    times: dict[str, Any]
    """What `WebSocket.connect` is called with."""


def join_url(host: str | None, path: str) -> str:
    """Return the ws:// or wss:// URL of a path at a user's host, or of a whole URL.

    The host's http:// and https:// become ws:// and wss://. Raises StopTest where there is no
    host, or one with another scheme, and ValueError for a URL with another scheme.
    """
    url = path if "://" in path else f"{(host or '').rstrip('/')}/{path.lstrip('/')}"
    scheme, separator, rest = url.partition("://")
    if not separator and host is None:
        raise StopTest("there is no host to connect to: set `host` in the class, or give --host")
    if not separator or scheme.lower() not in _SCHEMES:
        what, error = ("URL", ValueError) if "://" in path else ("host", StopTest)
        raise error(
            f"the {what} {path if what == 'URL' else host!r} does not begin with ws://, wss://, "
            "http:// or https://"
        )
    return f"{_SCHEMES[scheme.lower()]}://{rest}"


def merge_headers(*layers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of all layers; of one name those of the last layer that has it."""
    merged: dict[str, list[tuple[str, str]]] = {}
    for layer in layers:
        names: dict[str, list[tuple[str, str]]] = {}
        for name, value in layer:
            names.setdefault(name.lower(), []).append((name, value))
        merged |= names
    return [pair for pairs in merged.values() for pair in pairs]


def make_target(
    user: WebSocketUser,
    path: str,
    *,
    subprotocols: Iterable[str] | None,
    headers: Headers | None,
    name: str | None,
    timeout: float | None,
) -> Target:
    """Return what to connect to; see `WebSocketClient.connect` for what is raised."""
    options = settings_of(user.environment)
    websocket = WebSocket(
        join_url(user.host, path),
        _choose(subprotocols, user.ws_subprotocols, options.subprotocols),
        headers=merge_headers(
            options.headers, (user.ws_headers or {}).items(), (headers or {}).items()
        ),
        compress=_choose(user.ws_compress, options.compress),
        **_tls_options(user, options),
    )
    ping = _choose(user.ws_ping, options.ping, 0.0)
    times = {
        "session_class": GeventSession,
        "poll": ping or _NEVER,
        # Pings are sent, and their pongs timed, by the reader.
        "ping_rate": 0,
        "ping_timeout": 2 * ping,
        "close_timeout": user.ws_close_timeout,
        "open_timeout": _choose(timeout, user.ws_connect_timeout),
    }
    url = websocket.safe_url.partition("?")[0]
    return Target(websocket, url, name, times)


def _choose(*values: Any) -> Any:
    """Return the first that is given."""
    return next((value for value in values if value is not None), None)


def _tls_options(user: WebSocketUser, options: ConnectOptions) -> dict[str, Any]:
    # From the class, as a function found through the user would be a method of it.
    factory = type(user).ws_ssl_context_factory
    if factory is not None:
        return {"ssl_context": shared_context(factory)}
    insecure, ca = user.ws_insecure, user.ws_ca
    if insecure is None and ca is None:
        insecure, ca = options.insecure, options.ca
    return {"ssl_verify": not insecure, "ssl_cafile": ca}
