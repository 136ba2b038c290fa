"""Secrets are for the server: no event, trace, log, warning or exception shows one, ever.

A connection ends in each way of `ways`, with user and password in its URL, an Authorization, a
Cookie and a Proxy-Authorization among its headers, and with everything that can be watched watched.
"""

from __future__ import annotations

import base64
import logging
import socket
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import error_of, patch_resolver
from tests.helpers.scripted_server import ScriptedServer
from tests.hostile.ways import WAYS, Places, serve

CANARY = "c4n4ry-s3cret"
ENCODED = base64.b64encode(f"me:{CANARY}".encode()).decode()
HEADERS = {"Cookie": f"session={CANARY}", "Proxy-Authorization": f"Bearer {CANARY}"}


class Watched(Places):
    """Places whose clients carry secrets, and whatever they show is kept in `texts`."""

    texts: list[str] = []  # noqa: RUF012

    def websocket(self, url: str, **options: Any) -> WebSocket:
        """Make a client with secrets."""
        scheme, _, rest = url.partition("://")
        proxies = {k: v.replace("://", f"://me:{CANARY}@") for k, v in proxies_of(options)}
        options |= {"headers": HEADERS, "trace": self.note, "proxies": proxies}
        return super().websocket(f"{scheme}://me:{CANARY}@{rest}", **options)

    def connect(self, websocket: WebSocket, **options: Any) -> Iterator[events.Event]:
        """Connect it, and keep what it says."""
        stream = super().connect(websocket, **options)
        self.note(websocket, websocket.session, websocket.state, websocket.state.request)
        self.note(websocket.state.tls, stream)
        return self.watch(websocket, stream)

    def watch(self, websocket: WebSocket, stream: Any) -> Iterator[events.Event]:
        """Yield events, each of them kept."""
        try:
            for event in stream:
                self.note(event, event.__reduce_ex__(2), *all_errors_of(event))
                yield event
            self.note(*all_errors_of(error_of(websocket.send_text, "too late")))
        finally:
            stream.close()

    def note(self, *shown: object) -> None:
        """Keep how these show themselves."""
        self.texts.extend(text for thing in shown for text in (repr(thing), str(thing)))
        self.texts.extend(
            line
            for thing in shown
            if isinstance(thing, BaseException)
            for line in [*traceback.format_exception(thing), repr(thing.args)]
        )


def proxies_of(options: dict[str, Any]) -> Any:
    """Return the proxies among the options of a WebSocket."""
    return options.get("proxies", {}).items()


def all_errors_of(thing: Any) -> Iterator[BaseException]:
    """Yield an error, or that of an event, and those behind it."""
    error = getattr(thing, "error", thing)
    while isinstance(error, BaseException):
        yield error
        error = error.__cause__ or error.__context__


def no_name(*_: object) -> list[Any]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_secrets_show_nowhere_however_a_connection_ends(
    session_class: type[WebsocketSession],
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    patch_resolver(monkeypatch, no_name)
    monkeypatch.setattr(Watched, "texts", [])
    context = certificates.server_context()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refused = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    with (
        ScriptedServer(serve) as plain,
        ScriptedServer(serve, tls=context) as secure,
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        places = Watched(session_class, plain.url, secure.url, refused, certificates.ca_file)
        for way in WAYS.values():
            way(places)
        sent = (plain.received + secure.received).decode("latin-1")
    texts = [*Watched.texts, caplog.text, *capfd.readouterr(), *(str(w.message) for w in warned)]
    assert [text for text in texts if CANARY in text or ENCODED in text] == []
    # They were there: in every request, three of them.
    assert sent.count(ENCODED) > len(WAYS) // 2
    assert sent.count(f"session={CANARY}") == sent.count(f"Bearer {CANARY}") > len(WAYS) // 2
    assert len(texts) > 20 * len(WAYS)
