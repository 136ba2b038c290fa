"""Tests of what imports Locust, which patches the process: they run in one that `test_inside`
starts."""

from __future__ import annotations

import os

if "LOCUST_INSIDE" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
else:
    from tests.locust_user.inside.stage import stage as stage
