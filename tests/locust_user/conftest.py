"""Locust is an extra, and for newer Pythons only: without it there is nothing to test."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.locust_user.server import Server


@pytest.fixture(autouse=True, scope="session")
def _locust_is_installed() -> None:
    if find_spec("locust") is None:
        pytest.skip("Locust is not installed: pip install '.[locust]'")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of `server_main`."""
    with Server() as server:
        yield server
