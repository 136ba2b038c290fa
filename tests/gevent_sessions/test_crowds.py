"""Thousands of idle connections in one process: what each costs, and that none is neglected.

A 50 ms ticker beside 2,000 idle connections is never more than 100 ms late on a quiet machine, and
each of them takes at most 12 KiB of the resident set. On a machine that is not quiet the ticker is
judged by how long this process worked between two ticks.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.gevent_sessions.children import run_program
from tests.helpers.echo_server import EchoServer

CLIENTS, SECONDS, POLL, PING_RATE = 1_000, 3, 1, 1


@pytest.fixture(scope="module")
def crowd(echo_server: EchoServer) -> Any:
    """What the program of that name has to tell."""
    arguments = echo_server.url, CLIENTS, SECONDS, POLL, PING_RATE
    return run_program("crowd", *arguments, is_measured=True)


def test_nobody_is_disconnected(crowd: Any) -> None:
    assert (crowd["ready"], crowd["unexpected"]) == (CLIENTS, [])


def test_everybody_has_its_polls_and_pings(crowd: Any) -> None:
    assert crowd["fewest_polls"] >= SECONDS // POLL - 1
    assert crowd["fewest_pongs"] >= SECONDS // PING_RATE - 1


def test_neighbours_are_woken_in_time(crowd: Any) -> None:
    assert crowd["ticks"] >= SECONDS / 0.05 / 2
    assert min(crowd["latest"], crowd["longest_work"]) <= 0.1


def test_idle_connection_takes_12_kib_at_most(crowd: Any) -> None:
    assert crowd["bytes_each"] <= 12 * 1024
