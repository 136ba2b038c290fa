"""The tests in `inside`, in a process that Locust may patch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.loopback

INSIDE = Path(__file__).parent / "inside"
ROOT = INSIDE.parent.parent.parent
# Locust first: what it patches must not have been imported before, by pytest or by other tests.
# It is a plugin of pytest's as well, which would then complain.
PROGRAM = "import sys, locust, pytest; sys.exit(pytest.main(sys.argv[1:]))"
DEADLINE = 60


def test_all_tests_inside_pass() -> None:
    arguments = ["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", str(INSIDE)]
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
    # Not one of them was left out.
    assert re.search(r"\d\d passed in", result.stdout), result.stdout
