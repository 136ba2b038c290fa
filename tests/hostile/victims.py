"""Clients in processes of their own: what a peer does to them is seen in their memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lomond.session import WebsocketSession
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

__all__ = ["attack", "close_of", "run_program", "say_goodbye"]

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = Path(__file__).with_name("programs")
DEADLINE = 60


def run_program(
    name: str,
    session_class: type[WebsocketSession],
    *args: object,
    is_measured: bool = True,
    is_quiet: bool = True,
) -> Any:
    """Run a program of the folder `programs`; return the JSON that it prints at its end.

    What `is_measured` runs without the coverage tracer, which takes time and memory for itself.
    What `is_quiet` has to be so on standard error.
    """
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    if is_measured:
        environment = {k: v for k, v in environment.items() if not k.startswith("COVERAGE")}
    session = f"{session_class.__module__}:{session_class.__name__}"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / f"{name}.py"), session, *map(str, args)],
        env=environment,
        text=True,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, f"{name}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not (is_quiet and done.stderr), f"{name} complains:\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def attack(
    session_class: type[WebsocketSession], *scripts: Callable[[Peer], object], **options: Any
) -> list[Any]:
    """Let a client connect once for each script, `options` being those of its WebSocket.

    `connect` among them holds those of `connect()`. Returns for each connection a dict: the
    `names` of its events, without polls and without repetitions, `kind` and `code` of the terminal
    one, the `lengths` of its messages, `grown`: the highest resident set in bytes less the one
    before, and `worked`: seconds of processor time. A connection to a polite server comes before
    them: what is made on first use is not counted.
    """

    def script(peer: Peer) -> None:
        scripts[peer.number - 1](peer) if peer.number else be_polite(peer)

    with ScriptedServer(script, deadline=DEADLINE / 2) as server:
        arguments = server.url, len(scripts), json.dumps(options)
        results: list[Any] = run_program("victim", session_class, *arguments)
    return results


def be_polite(peer: Peer) -> None:
    """Send a message and close."""
    if b"permessage-deflate" in peer.read_request():
        peer.accept_upgrade("Sec-WebSocket-Extensions: permessage-deflate")
        peer.send(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")
    else:
        peer.accept_upgrade()
        peer.send(server_frame(0x81, b"Hello"))
    say_goodbye(peer)


def say_goodbye(peer: Peer) -> None:
    """Close as RFC 6455 §7.1.1 has it: the server ends TCP."""
    peer.send(server_frame(0x88, close_payload(1000)))
    assert close_of(peer)


def close_of(peer: Peer) -> bytes:
    """Return the payload of the client's Close frame, whatever comes before it."""
    while (frame := peer.read_frame())[0] != 0x88:
        continue
    return frame[1]
