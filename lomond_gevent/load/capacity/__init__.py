"""How many processes and machines a load takes, computed from what a user and a message cost.

    python -m lomond_gevent.load.capacity --users 100000 --messages-per-second 0.1

`costs` has what was measured, `sheet` computes, `limits` compares with what the operating system
allows, `text` and `tables` write it down, `command` is the command line. Nothing is measured here
(see `benchmarks/capacity`), and nothing but `command` and `limits.read_limits` looks at a machine.
"""

from __future__ import annotations

from lomond_gevent.load.capacity.costs import LOCUST, LOMOND_LOAD, TOOLS, Costs
from lomond_gevent.load.capacity.limits import Limit, Limits, compare_limits, read_limits
from lomond_gevent.load.capacity.sheet import Load, Machine, Sheet, compute_sheet

__all__ = [
    "LOCUST",
    "LOMOND_LOAD",
    "TOOLS",
    "Costs",
    "Limit",
    "Limits",
    "Load",
    "Machine",
    "Sheet",
    "compare_limits",
    "compute_sheet",
    "read_limits",
]
