"""The server of `server_main`, which this project did not write, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("server_main.py")


class Server:
    """Runs while the `with` block does; `host` is what a user of Locust is given."""

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.host = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.communicate(b"")
