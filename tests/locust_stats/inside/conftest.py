"""Tests of what imports Locust, which patches its process: `test_outside.py` starts one."""

from __future__ import annotations

import os

if "LOCUST_INSIDE" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
