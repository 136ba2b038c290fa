"""Both locustfiles do each work at its smallest, and the table tells what is reached."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from benchmarks.locust.processes import run_locust
from benchmarks.locust.report import write_report
from benchmarks.locust.works import (
    ALONE,
    BY_HAND,
    CROWDS,
    FEW,
    FLOOD,
    FLOORS,
    MANY,
    OURS,
    PAIRS,
    REQUEST,
    Work,
    make_crowd,
)
from benchmarks.processes import MeasurementError

needs_locust = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Locust is for Python 3.11 and newer"
)
MACHINE = dict.fromkeys(("date", "cpu", "cores", "kernel", "python", "load", "version"), "some")
USERS, MESSAGES = 2, 3


def answer(connection: ServerConnection) -> None:
    """Echo, or send as many texts as the path says, once asked."""
    assert connection.request is not None
    _, kind, *numbers = connection.request.path.split("/")
    for message in connection:
        for _ in range(int(numbers[-1]) if numbers else 0):
            connection.send("b" * 32)
        if kind == "echo":
            connection.send(message)
        if kind == "garble":
            connection.send(json.dumps(json.loads(message) | {"text": ""}))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve for the tests of this file."""
    with serve(answer, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def do(locustfile: str, work: Work, address: str) -> dict[str, float]:
    """Have a few users do a work."""
    small = replace(work, users=USERS, messages=MESSAGES)
    return run_locust(Path(sys.executable), locustfile, small, address, None)


@needs_locust
@pytest.mark.loopback
@pytest.mark.parametrize(
    ("locustfile", "work"),
    [(OURS, REQUEST), (OURS, FLOOD), (BY_HAND, REQUEST), (BY_HAND, FLOOD), (ALONE, FLOORS[1])],
    ids=lambda value: getattr(value, "user_class", value),
)
def test_a_locustfile_does_a_work(locustfile: str, work: Work, address: str) -> None:
    result = do(locustfile, work, address)

    assert result["cpu"] > 0
    assert result["resident"] > 1 << 20


@needs_locust
@pytest.mark.loopback
@pytest.mark.parametrize("locustfile", [OURS, BY_HAND])
def test_a_work_with_failures_measures_nothing(locustfile: str, address: str) -> None:
    work = replace(REQUEST, path="/garble")

    with pytest.raises(MeasurementError, match=f"{locustfile} had [0-9]+ failures: .*not what"):
        do(locustfile, work, address)


def results_with(
    ours: float, by_hand: float
) -> dict[tuple[str, Work], dict[int, dict[str, float]]]:
    """Return two rounds in which a request costs so many microseconds."""
    units = REQUEST.users * REQUEST.messages
    costs = [(OURS, work, ours) for work in PAIRS] + [(BY_HAND, work, by_hand) for work in PAIRS]
    costs += [(ALONE, work, 1.0) for work in FLOORS]
    results: dict[tuple[str, Work], Any] = {
        (name, work): {n: {"cpu": mood * cost * units / 1e6} for n, mood in enumerate((1, 2))}
        for name, work, cost in costs
    }
    for _, name, user_class in CROWDS:
        for users in (FEW, MANY):
            crowd = {"connecting": users * 1e-3, "resident": users * 2048}
            results[name, make_crowd(user_class, users)] = {0: crowd}
    return results


@pytest.mark.parametrize(("ours", "verdict"), [(50.0, "reached"), (90.0, "**missed**")])
def test_the_report_tells_whether_the_target_is_reached(ours: float, verdict: str) -> None:
    report = write_report(results_with(ours, by_hand=100.0), MACHINE)

    row = next(line for line in report.splitlines() if line.startswith(f"| {REQUEST.title}"))
    assert f"| {ours * 1.5:.1f} ({ours:.1f} – {ours * 2:.1f}) |" in row
    assert row.endswith(f" | {verdict} |")


def test_the_report_tells_what_one_more_user_takes() -> None:
    report = write_report(results_with(50.0, 100.0), MACHINE)

    assert "| memory of a user, in KiB | 2.0 | 2.0 | 2.0 |" in report
    assert "| CPU to start and connect a user, in µs | 1000.0 | 1000.0 | 1000.0 |" in report
