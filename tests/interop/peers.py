"""The servers that conversations are held with, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SERVERS = Path(__file__).with_name("servers")
# What npm installs; a folder that git ignores.
CACHE = ROOT / ".cache" / "interop"
WS_VERSION = "8.23.0"
# Seconds for npm, and for a server to end.
INSTALLING_DEADLINE = 120
ENDING_DEADLINE = 10


class Peer(NamedTuple):
    """A server that this project did not write."""

    name: str
    compresses: bool
    close: tuple[int | None, str] = (3001, "as you asked")
    """The code and reason that come when it closes."""


PEERS = (
    Peer("websockets", compresses=True),
    Peer("aiohttp", compresses=True),
    Peer("tornado", compresses=True),
    Peer("picows", compresses=False),
    # On Python 3 its Close frames have no code, so a reason would stand where the code belongs.
    Peer("gevent_websocket", compresses=False, close=(None, "")),
    Peer("ws", compresses=True),
)


class PeerServer:
    """Runs while the `with` block does; `url` is known inside of it.

    TLS where there is a `certfile`, which holds the key and the chain.
    """

    def __init__(self, peer: Peer, certfile: str | None, compress: bool) -> None:
        self.peer = peer
        self.is_secure = certfile is not None
        self.is_asked_to_compress = compress
        self._port = 0
        self._command = command_for(peer)
        self._command += [] if certfile is None else ["--certfile", certfile]
        self._command += ["--compress"] if compress else []

    @property
    def compresses(self) -> bool:
        """Tell whether it agrees to permessage-deflate."""
        return self.is_asked_to_compress and self.peer.compresses

    @property
    def url(self) -> str:
        """The URL to connect to."""
        return f"{'wss' if self.is_secure else 'ws'}://127.0.0.1:{self._port}/"

    def __enter__(self) -> PeerServer:
        # The coverage of a program that runs none of the code under test is of no interest.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=environment | {"NODE_PATH": str(CACHE / "node_modules")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.peer.name} did not start: exit {self._process.wait()}")
        self._port = int(line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._process.communicate(timeout=ENDING_DEADLINE)  # Ends its input.
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise


def command_for(peer: Peer) -> list[str]:
    """Return how a peer's program is started; skips the test where it cannot be."""
    if peer.name == "ws":
        return [find_program("node"), str(install_ws())]
    module = "geventwebsocket" if peer.name == "gevent_websocket" else peer.name
    # As a whole they are the extra `interop`, which every environment of the Makefile has.
    pytest.importorskip(module, reason=f"{module} is not installed: pip install '.[interop]'")
    return [sys.executable, "-m", f"tests.interop.servers.{peer.name}_server"]


def install_ws() -> Path:
    """Install node's `ws` into the cache, unless it is there, and return the program that uses it.

    Skips the test where there is no npm, or no network for it; CI has both.
    """
    stamp = CACHE / f"ws-{WS_VERSION}"
    if not stamp.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        options = ["--prefix", str(CACHE), "--no-package-lock", "--no-audit", "--no-fund"]
        done = subprocess.run(
            [find_program("npm"), "install", *options, "--loglevel=error", f"ws@{WS_VERSION}"],
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=INSTALLING_DEADLINE,
        )
        if done.returncode and "CI" not in os.environ:
            pytest.skip(f"npm could not install ws {WS_VERSION}")
        done.check_returncode()
        stamp.touch()
    return SERVERS / "ws_server.cjs"


def find_program(name: str) -> str:
    """Return the path of a program; skips the test where there is none."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on the PATH, and the package ws needs it")
    return path
