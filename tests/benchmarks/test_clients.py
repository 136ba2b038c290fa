"""The clients of this project and of the floor do each work, in few numbers, and tell what it took.

What they need is installed for the tests anyway; the others are tried by the benchmarks only.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from benchmarks.peers import FLOOR, OURS, Peer
from benchmarks.processes import MeasurementError, run_client, start_server

pytestmark = pytest.mark.loopback


def answer(connection: ServerConnection) -> None:
    """Echo, or send as many texts as the path says, once asked."""
    assert connection.request is not None
    _, kind, *count = connection.request.path.split("/")
    for message in connection:
        for _ in range(int(count[0]) or 2_000 if kind == "flood" else 0):
            connection.send("b" * 32)
        if kind == "echo":
            connection.send(message)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve for the tests of this file."""
    with serve(answer, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def ask(peer: Peer, address: str, verb: str, **request: Any) -> dict[str, Any]:
    """Have a peer do a small work."""
    whole = {"verb": verb, "address": address, "connections": 3, **request}
    return run_client(Path(sys.executable), peer, whole, patience=60)


@pytest.mark.parametrize("peer", [OURS, FLOOR], ids=lambda peer: peer.name)
@pytest.mark.parametrize(
    ("verb", "request_", "units"),
    [
        ("echo", {"messages": 4}, 12),
        ("echo", {"messages": 2, "payload": "binary", "connections": 1}, 2),
        ("echo", {"messages": 4, "payload": "json"}, 12),
        ("flood", {"messages": 50}, 150),
        ("connect", {}, 3),
        ("idle", {"seconds": 0.01}, 3),
    ],
)
def test_a_client_does_a_work(
    peer: Peer, address: str, verb: str, request_: dict[str, Any], units: int
) -> None:
    result = ask(peer, address, verb, **request_)

    assert result["units"] == units
    assert result["wall"] > 0


def test_a_ticker_ticks_beside_the_echoes(address: str) -> None:
    result = ask(OURS, address, "hub", seconds=0.05)

    assert result["units"] > 0
    assert 0 <= result["p50"] <= result["worst"]


def test_a_client_that_fails_tells_why() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(MeasurementError, match="refused"):
            ask(OURS, url, "echo")


def test_a_client_that_takes_too_long_is_ended(address: str) -> None:
    request = {"verb": "idle", "address": address, "connections": 1, "seconds": 60}

    with pytest.raises(MeasurementError, match="not done after 2 seconds"):
        run_client(Path(sys.executable), OURS, request, patience=2)


def test_a_client_that_prints_no_result_has_failed() -> None:
    # `true` ends well, and says nothing.
    with pytest.raises(MeasurementError, match="printed no result"):
        run_client(Path("/bin/true"), OURS, {}, patience=60)


def test_a_server_that_does_not_start_is_a_failed_measurement() -> None:
    with (
        pytest.raises(MeasurementError, match="the server did not start"),
        start_server(Path("/bin/false"), None, tls=False),
    ):
        pass
