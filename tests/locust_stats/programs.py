"""Programs that the tests start: the counting server, and Locust with its web interface."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPErrorProcessor, build_opener

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LOCUST = [sys.executable, "-m", "locust"]
# Seconds until a program is given up; a fleet of a thousand users takes ten.
DEADLINE = 60


class CountingServer:
    """`counting_server.py` as a process; what it has counted is there when it has ended."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._process = subprocess.Popen(
            [sys.executable, HERE / "counting_server.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"ws://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> CountingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.counts = json.loads(self._process.communicate("", timeout=DEADLINE)[0])


def free_port() -> int:
    """Return a port that nobody listens on: Locust cannot choose one and tell which."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment_for(**variables: str) -> dict[str, str]:
    """Return an environment in which locustfiles find the package."""
    return os.environ | {"PYTHONPATH": str(ROOT)} | variables


class Answer(NamedTuple):
    """What came back: redirects and refusals are answers like all others."""

    status: int
    location: str
    text: str


class _AnyAnswer(HTTPErrorProcessor):
    def http_response(self, request: object, response: Any) -> Any:
        return response


class WebInterface:
    """Locust's web interface, as a browser without scripts sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = build_opener(_AnyAnswer())

    def ask(self, path: str, **form: str) -> Answer:
        """Ask for a page, or send a form."""
        data = urlencode(form).encode() if form else None
        with self._opener.open(self.url + path, data, timeout=DEADLINE) as response:
            location = response.headers.get("Location", "")
            return Answer(response.status, location, response.read().decode())

    def wait_for(self, path: str, text: str) -> str:
        """Return a page once it is there and has a text."""
        give_up = time.monotonic() + DEADLINE
        page = ""
        while text not in page:
            assert time.monotonic() < give_up, f"no {text!r} in {page[:2000]!r}"
            time.sleep(0.02)
            with suppress(URLError):  # it does not listen yet
                page = self.ask(path).text
        return page


@contextmanager
def web_interface(
    locustfile: Path, *arguments: str, base: str = "", **variables: str
) -> Iterator[WebInterface]:
    """Run Locust with its web interface; it ends with the block."""
    port = str(free_port())
    command = [*LOCUST, "-f", str(locustfile), "--web-host", "127.0.0.1", "--web-port", port]
    options: dict[str, Any] = {"env": environment_for(**variables), "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, **options) as locust:
        try:
            yield WebInterface(f"http://127.0.0.1:{port}{base}")
        finally:
            locust.terminate()
            locust.wait(DEADLINE)
