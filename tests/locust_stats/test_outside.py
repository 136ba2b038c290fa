"""The tests in `inside`, in a process that Locust may patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.patched_pytest import run_patched

pytestmark = pytest.mark.loopback


def test_all_tests_inside_pass() -> None:
    run_patched(Path(__file__).parent / "inside")
