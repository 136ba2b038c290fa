"""Starts `server.py` beside a program that needs it, and ends it with that program."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

PROGRAM = Path(__file__).with_name("server.py")


class LocalServer:
    """A server on a free port of the loopback, for as long as the `with` block runs.

    It is a process of its own, and ends when its standard input does, whatever becomes of us.
    """

    def __init__(self, certfile: Path | None = None) -> None:
        self.url = ""
        """Its address, known inside of the block: "ws://127.0.0.1:40123"."""
        self._options = ["--until-eof"]
        if certfile is not None:
            self._options += ["--certfile", str(certfile)]

    def __enter__(self) -> LocalServer:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C in a terminal is for us: the server has to see the connections close.
            start_new_session=True,
        )
        try:
            assert self._process.stdout is not None
            self.url = self._process.stdout.readline().strip()
        finally:
            if not self.url:
                self._end()
        if not self.url:
            raise SystemExit(f"the server did not start (exit code {self._process.returncode})")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        try:
            self._process.communicate(timeout=10)  # closes its input, and waits
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


@contextmanager
def chosen_url(description: str | None, path: str) -> Iterator[str]:
    """Yield the URL on the command line; without one, that of a server started for the while."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", nargs="?", help="a ws:// URL; without it, a local server is started")
    url = parser.parse_args().url
    if url is not None:
        yield url
        return
    with LocalServer() as server:
        yield server.url + path
