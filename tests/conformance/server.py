"""A fuzzing server of the Autobahn|Testsuite on this machine, from a folder that can set one up.

The folder holds `setup.sh`, which makes the server's environment, and `run_server.sh`, which is the
server. The environment is made once, in the project's cache, and again when `setup.sh` changes.
The suite is Python 2 code, so it needs a Python that still has lib2to3 to translate it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "autobahn"
DEFAULT_FOLDER = "../shared/autobahn"
# The first is what the suite was translated for.
PYTHONS = ("python3.11", "python3.10", "python3.12", sys.executable)
STARTING_DEADLINE = 60.0
ENDING_DEADLINE = 10.0


class ServerUnavailable(Exception):
    """There is no server, and why."""


def find_folder() -> Path:
    """Return the server's folder, `AUTOBAHN_SERVER`; ServerUnavailable where there is none."""
    folder = ROOT / os.environ.get("AUTOBAHN_SERVER", DEFAULT_FOLDER)
    if not (folder / "run_server.sh").is_file():
        raise ServerUnavailable(
            f"no fuzzing server in {folder}: set AUTOBAHN_SERVER to a folder with one, "
            "or give the address of one that runs"
        )
    return folder


def find_python() -> str:
    """Return a Python that can translate the suite; ServerUnavailable where there is none."""
    names = (os.environ.get("AUTOBAHN_PYTHON"), *PYTHONS)
    for name in filter(None, names):
        path = shutil.which(name)
        if path is not None and can_translate(path):
            return path
    raise ServerUnavailable(
        "the fuzzing server needs a Python with lib2to3 and venv, which 3.11 has and 3.13 has not; "
        f"none of {', '.join(PYTHONS)} is one: set AUTOBAHN_PYTHON to one"
    )


def can_translate(python: str) -> bool:
    """Tell whether a Python has what `setup.sh` needs."""
    command = [python, "-W", "ignore", "-c", "import lib2to3.main, venv, ensurepip"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def make_environment(folder: Path) -> Path:
    """Return the server's environment, made now unless it was before."""
    environment = CACHE / "venv"
    stamp = environment / "made-by"
    digest = hashlib.sha256((folder / "setup.sh").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return environment
    python = find_python()
    print(f"making the fuzzing server's environment with {python}, about half a minute", flush=True)
    log = CACHE / "setup.log"
    with log.open("wb") as output:
        done = subprocess.run(
            ["bash", str(folder / "setup.sh"), str(environment)],
            env=os.environ | {"PYTHON": python},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise ServerUnavailable(f"setup.sh failed, see {log}:\n{end}")
    stamp.write_text(digest)
    return environment


class FuzzingServer:
    """Runs while the `with` block does; `url` is its address, `report` the folder it writes to.

    `count` is the number of messages in each of the cases 12.* and 13.*.
    """

    def __init__(self, count: int) -> None:
        self.report = CACHE / "report"
        self._folder = find_folder()
        self._count = count
        self._port = 0

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return f"ws://127.0.0.1:{self._port}"

    def __enter__(self) -> FuzzingServer:
        with contextlib.ExitStack() as stack:
            stack.enter_context(lock_cache())
            environment = make_environment(self._folder)
            # What an earlier run was told must never pass for the verdict on this one.
            shutil.rmtree(self.report, ignore_errors=True)
            self._port = find_free_port()
            process = self._start(environment)
            stack.callback(end, process)
            self._await_port(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self, environment: Path) -> subprocess.Popen[bytes]:
        variables = {
            "VENV": str(environment),
            "OUTDIR": str(self.report),
            "PORT": str(self._port),
            "COUNT": str(self._count),
        }
        with (CACHE / "server.log").open("wb") as log:
            # The script becomes the server, so the process is ended by its own id.
            return subprocess.Popen(
                ["bash", str(self._folder / "run_server.sh")],
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _await_port(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + STARTING_DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError as error:
                if process.poll() is not None or time.monotonic() > give_up:
                    log = (CACHE / "server.log").read_text(errors="replace")
                    text = f"the fuzzing server did not start:\n{log}"
                    raise ServerUnavailable(text) from error
            time.sleep(0.05)


@contextlib.contextmanager
def lock_cache() -> Iterator[None]:
    """Keep the environment and the report to one run; ServerUnavailable while another has them."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServerUnavailable("another run of this checkout is under way") from error
        yield


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server, by force if it does not listen."""
    process.terminate()
    try:
        process.wait(ENDING_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def find_free_port() -> int:
    """Return a port that is free now; the server cannot choose one by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
