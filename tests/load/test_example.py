"""The example of a scenario of one's own, as what the command is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from lomond_gevent.load import cli

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "load_scenario.py"


def test_the_command_takes_it_with_thresholds_on_its_checks_and_timers() -> None:
    thresholds = ["--threshold", "checks==100%", "--threshold", "timer.order.p95<5s"]
    load = ["-q", "-c", "3", "-d", "200ms", "--scenario", f"{EXAMPLE}:place_orders"]

    assert cli.main([*load, *thresholds]) == 0
