"""What is settled between the command and the clients: the server, its way, its authorities."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lomond_gevent.load import LoadError, Plan, PlanError, run, running, server
from tests.helpers.certificates import Certificates
from tests.helpers.frames import server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.loopback


def test_the_embedded_server_is_not_asked_for_at_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    result = run(Plan(clients=1, duration=0.1))

    assert result.errors == {}
    assert result.plan.proxy is None


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if text is not None:
        file.write_text(text)

    with pytest.raises(PlanError, match=r"cafile .*authorities\.pem cannot be read"):
        run(Plan(url="wss://127.0.0.1:9/", cafile=str(file)))


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "client.pem"
    if text is not None:
        file.write_text(text)

    with pytest.raises(PlanError, match=r"certfile .*client\.pem cannot be used"):
        run(Plan(url="wss://127.0.0.1:9/", certfile=str(file)))


@pytest.mark.parametrize("is_split", [False, True])
def test_a_server_is_shown_the_certificate_that_it_asks_for(
    certificates: Certificates, is_split: bool
) -> None:
    def echo(peer: Peer) -> None:
        peer.accept_upgrade()
        while (frame := peer.read_frame())[0] != 0x88:
            peer.send(server_frame(*frame))
        peer.send(server_frame(*frame))

    tls = certificates.server_context(wants_client_certificate=True)
    own: dict[str, Any] = {"certfile": certificates.client_file}
    if is_split:
        own = {"certfile": certificates.client_certfile, "keyfile": certificates.client_keyfile}
    with ScriptedServer(echo, tls=tls) as secure:
        options = {"clients": 1, "duration": 0.1, "think": 1.0, "cafile": certificates.ca_file}
        result = run(Plan(url=secure.url, **options, **own))

    assert result.errors == {}
    assert result.counts["connections.closed"] == 1


def test_a_server_that_does_not_start_is_no_wrong_plan(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "server.py"
    program.write_text("raise SystemExit(3)")
    monkeypatch.setattr(server, "PROGRAM", program)

    with pytest.raises(LoadError, match=r"did not start \(exit status 3\)"):
        run(Plan(clients=1, duration=0.1))


@pytest.mark.parametrize(("system", "size"), [("linux", 5120), ("darwin", 5)])
def test_peak_memory_is_in_bytes(monkeypatch: pytest.MonkeyPatch, system: str, size: int) -> None:
    monkeypatch.setattr(resource, "getrusage", lambda _who: SimpleNamespace(ru_maxrss=5))
    monkeypatch.setattr(sys, "platform", system)

    assert running.measure_peak_memory() == size
