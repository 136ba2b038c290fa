"""Waiting in threads: what the system cannot do is a failure, and never an exception."""

from __future__ import annotations

import select
import threading
from math import inf
from typing import Any

import pytest

from lomond.blocking import BlockingTransport
from lomond.errors import WebSocketUnavailable
from lomond.forks import PROCESS
from lomond.route import Route
from lomond.websocket import WebSocket
from tests.helpers.scripted_server import Peer, ScriptedServer


@pytest.mark.loopback
@pytest.mark.parametrize("century", [3e6, 1e9])
def test_deadlines_may_be_longer_than_the_system_waits(century: float) -> None:
    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.send(b"\x81\x02hi\x88\x02\x03\xe8")
        peer.read_until_end()

    with ScriptedServer(script) as server:
        run = WebSocket(server.url).connect(
            poll=century, ping_rate=century, ping_timeout=century, open_timeout=century
        )
        names = [event.name for event in run]

    assert names[2:] == ["ready", "poll", "text", "closing", "disconnected"]


def test_a_thread_that_cannot_be_started_is_a_lack_of_resources(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)

    _, failed = WebSocket("ws://server.invalid/", proxies={}).connect()

    assert (failed.name, failed.phase, failed.kind) == ("connect_fail", "dns", "resources")
    assert "no thread to look up 'server.invalid' in: can't start new thread" in failed.reason


@pytest.mark.loopback
def test_a_wait_that_ends_in_a_forked_process_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Poller:
        """In a patched process, the copy of a greenlet comes back from `poll` in the child."""

        def register(self, *_interest: Any) -> None:
            pass

        def poll(self, _milliseconds: float) -> None:
            monkeypatch.setattr(PROCESS, "generation", PROCESS.generation + 1)

    with ScriptedServer([Peer.hold]) as server:
        transport = BlockingTransport()
        transport.connect(Route("127.0.0.1", server.port, None, None, "agent"), inf)
        transport.wake()
        monkeypatch.setattr(select, "poll", Poller)
        with pytest.raises(WebSocketUnavailable, match="belongs to the parent process"):
            transport.wait(inf)
        monkeypatch.undo()
        assert transport._wake_receiver is not None
        assert transport._wake_receiver.recv(9) == b"\0"
        transport.close()
