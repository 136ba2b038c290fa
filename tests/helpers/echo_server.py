"""A server that this project did not write, in a process of its own: `websockets`.

| path | what it does |
|---|---|
| /echo, and any other | sends each message back |
| /close?code=1000&reason= | closes at once |
| /push?n=3, /feed | sends the texts "0", "1", "2", and closes |
| /ping?data= | sends a Ping; after its Pong the text "pong received", and closes |
| /headers | sends the request's headers as JSON, a list of pairs, and closes |
| /reject?status=401&retry_after= | answers the upgrade request with that status |
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

__all__ = ["EchoServer"]

PROGRAM = Path(__file__).with_name("echo_server_main.py")


class EchoServer:
    """Runs while the `with` block does; `port` is known inside of it.

    TLS where there is a `certfile`, which holds the key and the chain; where there is a
    `client_cafile` as well, a client needs a certificate. Of the sub-protocols that a client offers
    it takes the first that it knows.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        certfile: str | Path | None = None,
        client_cafile: str | Path | None = None,
        compression: bool = True,
        subprotocols: Sequence[str] = (),
    ) -> None:
        self.host = host
        self.port = 0
        self._scheme = "ws" if certfile is None else "wss"
        self._options = ["--host", host]
        files = {"certfile": certfile, "client-cafile": client_cafile}
        for name, path in files.items():
            if path is not None:
                self._options += [f"--{name}", str(path)]
        self._options += ["--compression"] if compression else []
        self._options += [f"--subprotocol={name}" for name in subprotocols]

    @property
    def url(self) -> str:
        """The URL that echoes."""
        return self.url_for("/echo")

    def url_for(self, path: str) -> str:
        """Return the URL of a path of the table above, with its query."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self._scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> EchoServer:
        # The coverage of a program that runs none of the code under test is of no interest.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the echo server did not start: exit {self._process.wait()}")
        self.port = int(line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._process.communicate(timeout=10)  # Ends its input.
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
