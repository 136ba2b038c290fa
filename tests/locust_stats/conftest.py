"""Locust is an extra, and for newer Pythons only: without it there is nothing to test."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True, scope="session")
def _locust_is_installed() -> None:
    if find_spec("locust") is None:
        pytest.skip("Locust is not installed: pip install '.[locust]'")
