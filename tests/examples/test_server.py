"""The server of the examples: it echoes, passes a chat on, and never stays behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import gevent
import pytest

from examples.local_server import PROGRAM, LocalServer
from lomond.events import Binary, Disconnected, Event, Ready, Text
from lomond.websocket import WebSocket
from lomond_gevent import connect

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """Run it for the tests of this file."""
    with LocalServer() as running:
        yield running


def ask(url: str, question: str | bytes) -> list[Event]:
    """Send a message once ready, close behind the answer, and return all events."""
    websocket = WebSocket(url)
    seen = []
    for event in connect(websocket):
        seen.append(event)
        if isinstance(event, Ready):
            send = websocket.send_text if isinstance(question, str) else websocket.send_binary
            send(question)  # type: ignore[arg-type]
        elif isinstance(event, (Text, Binary)):
            websocket.close()
    return seen


def test_text_comes_back_as_text(server: LocalServer) -> None:
    seen = ask(f"{server.url}/echo", "Grüße")

    assert [event.text for event in seen if isinstance(event, Text)] == ["Grüße"]


def test_binary_comes_back_as_binary(server: LocalServer) -> None:
    seen = ask(f"{server.url}/echo", b"\x00\xff")

    assert [event.data for event in seen if isinstance(event, Binary)] == [b"\x00\xff"]


def test_a_close_is_answered(server: LocalServer) -> None:
    last = ask(f"{server.url}/echo", "bye")[-1]

    assert isinstance(last, Disconnected)
    assert (last.graceful, last.code, last.closed_by) == (True, 1000, "client")


def test_a_ticker_counts_to_three_and_goes_away(server: LocalServer) -> None:
    seen = list(connect(f"{server.url}/ticker"))

    assert [event.text for event in seen if isinstance(event, Text)] == ["0", "1", "2"]
    assert isinstance(seen[-1], Disconnected)
    assert (seen[-1].graceful, seen[-1].code, seen[-1].closed_by) == (True, 1001, "server")


def test_a_chat_reaches_everybody(server: LocalServer) -> None:
    heard: list[str] = []
    listener = WebSocket(f"{server.url}/chat")

    def listen() -> None:
        for event in connect(listener):
            if isinstance(event, Ready):
                gevent.spawn(ask, f"{server.url}/chat", "hello")
            elif isinstance(event, Text):
                heard.append(event.text)
                listener.close()

    gevent.spawn(listen).join(timeout=10)
    assert heard == ["hello"]


def test_the_server_ends_with_its_input() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--until-eof"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.startswith("ws://127.0.0.1:")
    assert done.stderr == ""


def test_a_server_that_cannot_start_is_an_error() -> None:
    with pytest.raises(SystemExit, match="did not start"), LocalServer(certfile=PROGRAM):
        pass
