"""One measurement: a server, a client, each a process on a core of its own.

The server is a new one each time, so that nothing is left of the client before: no connections
to be closed, and no ports in TIME_WAIT.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer
from benchmarks.works import Work

SERVER = Path(__file__).parent / "server.py"


class MeasurementError(Exception):
    """A client, or the server, did not do what it was asked for; the text is its last line."""


class BusyError(Exception):
    """Something else is being measured."""


@dataclass(frozen=True)
class Cores:
    """Where the two processes run; None is anywhere, for there is one core only."""

    client: int | None
    server: int | None

    @classmethod
    def choose(cls) -> Cores:
        """Take the last core for the client: the first has more of the machine's own work."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[-1], allowed[0]) if len(allowed) > 1 else cls(None, None)


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    pid: int
    address: str
    cafile: str | None


@contextmanager
def have_machine_alone(lock: Path) -> Iterator[None]:
    """Keep other benchmarks of this tree away while the block lasts; BusyError if one is there."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                "another benchmark is running: two at once measure each other"
            ) from None
        yield


def raise_file_limit() -> None:
    """Allow this process and its children as many open files as it may allow itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def measure(peer: Peer, work: Work, client: Path, server: Path, cores: Cores) -> dict[str, Any]:
    """Have the peer do the work, and return what it printed.

    `client` and `server` are the Pythons of the environments. MeasurementError if it failed.
    """
    with start_server(server, cores.server, tls=work.tls) as running:
        request = {
            **work.to_request(),
            "address": running.address,
            "cafile": running.cafile,
            "cpu": cores.client,
            "server_pid": running.pid,
        }
        return run_client(client, peer, request, work.patience)


def run_client(
    python: Path, peer: Peer, request: dict[str, Any], patience: float
) -> dict[str, Any]:
    """Run a peer's client, and return its result; MeasurementError if it has none."""
    command = (str(python), str(peer.client_file), json.dumps(request))
    try:
        done = subprocess.run(
            command,
            env=clean_environment(peer),
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MeasurementError(f"not done after {patience:g} seconds") from None
    if done.returncode:
        raise MeasurementError(last_line(done.stderr) or f"ended with code {done.returncode}")
    try:
        result: dict[str, Any] = json.loads(last_line(done.stdout))
    except ValueError:
        raise MeasurementError(f"printed no result but {last_line(done.stdout)!r}") from None
    return result


def clean_environment(peer: Peer) -> dict[str, str]:
    """Return a client's variables: no proxies, no options for Python, and hashes that stay."""
    return {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0", **peer.environ}


@contextmanager
def start_server(python: Path, core: int | None, *, tls: bool) -> Iterator[Server]:
    """Run a server for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as directory, Path(directory, "log").open("w+") as log:
        command = [str(python), str(SERVER)]
        command += [] if core is None else ["--cpu", str(core)]
        command += ["--tls", directory] if tls else []
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        ) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                if not line:
                    log.seek(0)
                    raise MeasurementError(f"the server did not start: {last_line(log.read())}")
                started = json.loads(line)
                scheme = "wss" if tls else "ws"
                address = f"{scheme}://127.0.0.1:{started['port']}"
                yield Server(process.pid, address, started["cafile"])
            finally:
                # It ends with its standard input, unless it hangs.
                process.kill()


def last_line(text: str) -> str:
    """Return the last line that is not empty, or an empty one."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
