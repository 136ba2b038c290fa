"""Starts the embedded server (`server_program`) beside a load, and ends it with that."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from lomond_gevent.load.plan import LoadError, PlanError

PROGRAM = Path(__file__).with_name("server_program.py")
# How long it may take to end, in seconds.
PATIENCE = 10.0


class EmbeddedServer:
    """A server on a free port of the loopback, for as long as the `with` block runs.

    It is a process of its own, and ends when its standard input does, whatever becomes of us.
    Raises PlanError where picows is not installed, LoadError where it does not start.
    """

    def __init__(self) -> None:
        self.url = ""
        """Its address, known inside of the block: "ws://127.0.0.1:40123"."""

    def __enter__(self) -> EmbeddedServer:
        if importlib.util.find_spec("picows") is None:
            raise PlanError(
                "without a URL the embedded server is loaded, and that needs picows: "
                "pip install 'lomond-gevent[load]', or give a URL"
            )
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
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
            code = self._process.returncode
            raise LoadError(f"the embedded server did not start (exit status {code})")
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
            self._process.communicate(timeout=PATIENCE)  # closes its input, and waits
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
