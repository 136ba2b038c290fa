"""One measurement: the server and Locust, each a process on a core of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, make_environment, make_peer_environment
from benchmarks.locust.works import ALONE, BY_HAND, OURS, Work
from benchmarks.peers import Peer
from benchmarks.processes import MeasurementError, clean_environment, last_line

HERE = Path(__file__).parent
# Seconds that a run may take.
PATIENCE = 120

# Both have the same versions of all else: Locust itself brings websocket-client.
PEER = Peer("locust", "lomond_gevent.locust", "", is_tree=True)
HOMES = {OURS: "locust_with_package", BY_HAND: "locust_by_hand", ALONE: "locust_by_hand"}


def make_pythons() -> dict[str, Path]:
    """Return the Python for each locustfile, and that of the server."""
    by_hand = make_environment(PEER.name, HOMES[BY_HAND])
    return {
        OURS: make_peer_environment(PEER, HOMES[OURS]),
        BY_HAND: by_hand,
        ALONE: by_hand,
        "server": make_environment("server"),
    }


@contextmanager
def start_server(python: Path, core: int | None) -> Iterator[str]:
    """Run a server for as long as the block lasts, and yield its address."""
    command = [str(python), "-m", "benchmarks.locust.server"]
    command += [] if core is None else ["--cpu", str(core)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise MeasurementError("the server did not start")
            yield address
        finally:
            # It ends with its standard input, unless it hangs.
            process.kill()


def run_locust(
    python: Path, locustfile: str, work: Work, address: str, core: int | None
) -> dict[str, Any]:
    """Have the users of a locustfile do a work, and return what it measured.

    MeasurementError if it printed nothing, or had failures.
    """
    users = str(work.users)
    command = [str(python), "-m", "locust", "-f", str(HERE / f"{locustfile}.py"), work.user_class]
    command += ["--headless", "--only-summary", "-u", users, "-r", users, "--host", address]
    variables = clean_environment(PEER) | {"LOCUST_BENCHMARK": json.dumps(work.to_setting(core))}
    try:
        done = subprocess.run(
            command,
            cwd=HERE,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MeasurementError(f"{locustfile} was not done after {PATIENCE} seconds") from None
    if not done.stdout:
        raise MeasurementError(f"{locustfile} measured nothing: {last_line(done.stderr)}")
    result: dict[str, Any] = json.loads(last_line(done.stdout))
    if result["failures"]:
        raise MeasurementError(
            f"{locustfile} had {result['failures']} failures: {result['errors'][:3]}"
        )
    return result
