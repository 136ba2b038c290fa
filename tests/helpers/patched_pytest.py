"""Tests that run in a process of their own, which Locust may patch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Locust first: what it patches must not have been imported before, by pytest or by other tests.
# It is a plugin of pytest's as well, which would then complain.
PROGRAM = "import sys, locust, pytest; sys.exit(pytest.main(sys.argv[1:]))"
DEADLINE = 60  # seconds


def run_patched(tests: Path) -> None:
    """Run a file or a folder of tests; all have to pass, and there have to be some."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", tests],
        cwd=ROOT,
        env=os.environ | {"LOCUST_INSIDE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d passed in", result.stdout), result.stdout
