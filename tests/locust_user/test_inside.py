"""The tests in `inside`, each file in a process that Locust may patch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INSIDE = Path(__file__).parent / "inside"
ROOT = INSIDE.parent.parent.parent
# Locust first: what it patches must not have been imported before, by pytest or by other tests.
# It is a plugin of pytest's as well, which would then complain.
PROGRAM = "import sys, locust, pytest; sys.exit(pytest.main(sys.argv[1:]))"
DEADLINE = 60


@pytest.mark.parametrize("file", sorted(INSIDE.glob("test_*.py")), ids=lambda file: file.stem)
def test_all_tests_of_a_file_inside_pass(file: Path) -> None:
    arguments = ["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", str(file)]
    environment = os.environ | {"LOCUST_INSIDE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )

    assert result.returncode == 0, result.stdout + result.stderr
