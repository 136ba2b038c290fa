"""After each test here gevent must be as it was: nothing watched, no greenlet left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from tests.gevent_sessions.watchers import busy_with
from tests.helpers.conversation import Wire, make_wire

# What a test has ended may take this long, in seconds, to be gone.
PATIENCE = 5.0


@pytest.fixture(autouse=True)
def leaves_the_hub_alone(leaves_nothing_behind: None) -> Iterator[None]:
    """Fail a test that leaves a watcher, a timer or a greenlet behind."""
    before = set(busy_with())
    yield
    give_up = time.monotonic() + PATIENCE
    while left := [thing for key, thing in busy_with().items() if key not in before]:
        assert time.monotonic() < give_up, f"left behind: {left}"
        del left
        gevent.sleep(0.01)


@pytest.fixture(params=["tcp", "tls"])
def wire(request: pytest.FixtureRequest, certificates: Any) -> Wire:
    """Plain TCP and TLS, one after the other."""
    return make_wire(request.param, certificates)


@pytest.fixture
def tcp(certificates: Any) -> Wire:
    """Plain TCP, where TLS would show nothing more."""
    return make_wire("tcp", certificates)
