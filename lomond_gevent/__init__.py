"""Lomond on greenlets: thousands of WebSockets in one process, each a plain stream of events.

    import gevent
    from lomond_gevent import connect

    def watch(url):
        for event in connect(url):
            ...

    gevent.joinall([gevent.spawn(watch, "wss://example.org/feed") for _ in range(1000)])

Nothing has to be monkey-patched, and nothing is made at import.
"""

# ruff: noqa: E402 - where modules are found is decided before the first of them is imported.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lomond.protocol.compiled import prefer_compiled

prefer_compiled(__path__)

from lomond.events import Event
from lomond.persist import persist as _persist
from lomond.websocket import WebSocket
from lomond_gevent.session import GeventSession as GeventSession


def connect(ws_or_url: WebSocket | str, **options: Any) -> Iterator[Event]:
    """Connect on greenlets: `WebSocket.connect` with `session_class=GeventSession`.

    Takes a WebSocket or a URL, and the options of `WebSocket.connect`.
    """
    return _as_websocket(ws_or_url).connect(**{"session_class": GeventSession, **options})


def persist(ws_or_url: WebSocket | str, *args: Any, **options: Any) -> Iterator[Event]:
    """Connect on greenlets again and again: `lomond.persist.persist` with `GeventSession`.

    Takes a WebSocket or a URL, and the options of `lomond.persist.persist`.
    """
    websocket = _as_websocket(ws_or_url)
    return _persist(websocket, *args, **{"session_class": GeventSession, **options})


def _as_websocket(ws_or_url: WebSocket | str) -> WebSocket:
    return WebSocket(ws_or_url) if isinstance(ws_or_url, str) else ws_or_url
