"""The tests in `inside`, each file in a process that Locust may patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.patched_pytest import run_patched

FILES = sorted((Path(__file__).parent / "inside").glob("test_*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_all_tests_of_a_file_inside_pass(file: Path) -> None:
    run_patched(file)
