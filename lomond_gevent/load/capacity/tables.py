"""The tables of `docs/capacity.md`, computed from the default costs; a test compares them.

`python -m lomond_gevent.load.capacity --tables` prints them. In the document each stands between
two comments that name it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from lomond_gevent.load.capacity.costs import LOCUST, LOMOND_LOAD, Costs
from lomond_gevent.load.capacity.limits import Limit, Limits, compare_limits
from lomond_gevent.load.capacity.sheet import Load, Machine, Sheet, compute_sheet
from lomond_gevent.load.durations import format_duration
from lomond_gevent.load.report.numbers import format_bytes, format_count, significant

USERS = (10_000, 100_000, 1_000_000)
# By name, requests and pushes per second of a user.
LOADS = {
    "idle": (0.0, 0.0),
    "a request every 10 s": (0.1, 0.0),
    "a request a second": (1.0, 0.0),
    "10 pushes a second": (0.0, 10.0),
}
MACHINE = Machine()
SIZES_IN_BYTES = ("process_memory", "user_memory", "tls_memory", "socket_memory")
LABELS = {
    "process_memory": "a worker without users",
    "user_memory": "a user, connected",
    "tls_memory": "… what TLS adds",
    "socket_memory": "… what the kernel keeps",
    "connect_cpu": "CPU of connecting a user",
    "tls_cpu": "… what TLS adds",
    "idle_cpu": "CPU of an open connection, in a second",
    "message_cpu": "CPU of a request and its reply",
    "push_cpu": "CPU of a push received",
    "master_row_cpu": "CPU of the master for a row of a report",
    "most_users": "users in one process, at most",
}


def make_tables() -> dict[str, str]:
    """Return all tables by the names that they have in the document."""
    return {
        "costs": make_costs(),
        "locust": make_loads(LOCUST, tls=False),
        "locust-tls": make_loads(LOCUST, tls=True),
        "lomond-load": make_loads(LOMOND_LOAD, tls=False),
        "limits": make_limits(),
    }


def make_costs() -> str:
    """Return the default costs."""
    rows = []
    for field in fields(Costs):
        ours, theirs = (getattr(costs, field.name) for costs in (LOMOND_LOAD, LOCUST))
        option = f"`--{field.name.replace('_', '-')}`"
        cells = (format_cost(field.name, value) for value in (ours, theirs))
        rows.append((LABELS[field.name], *cells, option))
    return make_table(("cost", "lomond-load", "Locust", "option"), rows)


def format_cost(name: str, value: float) -> str:
    """Return a cost with its unit."""
    if name in SIZES_IN_BYTES:
        return format_bytes(value)
    if name == "most_users":
        return format_count(value)
    return format_duration(value) if value else "–"


def make_loads(costs: Costs, *, tls: bool) -> str:
    """Return what the named loads take."""
    head = ("users", "each does", "cores busy", "workers", "memory", "machines", "users on each")
    rows = []
    for users in USERS:
        for name, (messages, pushes) in LOADS.items():
            sheet, limits = compute(users, messages, pushes, costs, tls=tls)
            reached = next((limit.name for limit in limits if limit.is_reached), "none")
            rows.append(
                (
                    format_count(users),
                    name,
                    significant(sheet.cores),
                    format_count(sheet.workers),
                    format_bytes(sheet.memory),
                    format_count(sheet.machines),
                    format_count(sheet.users_per_machine),
                    reached,
                )
            )
    return make_table((*head, "first limit"), rows)


def make_limits() -> str:
    """Return how full each limit is, for Locust's users with a request every 10 s."""
    steps = [compute(users, 0.1, 0.0, LOCUST, tls=False)[1] for users in USERS]
    rows = []
    for first in steps[-1]:
        found = [next((each for each in step if each.name == first.name), None) for step in steps]
        cells = (format_filling(limit) for limit in found)
        rows.append((first.name, first.scope, format_count(first.allowed), *cells))
    return make_table(("limit", "of a", "allowed", *map(format_count, USERS)), rows)


def format_filling(limit: Limit | None) -> str:
    """Return what is needed of a limit, bold where that is too much."""
    if limit is None:
        return "–"
    text = format_count(limit.needed)
    return f"**{text}**" if limit.is_reached else text


def compute(
    users: int, messages: float, pushes: float, costs: Costs, *, tls: bool
) -> tuple[Sheet, list[Limit]]:
    """Return the sheet and the limits of a load, on the machine of the document."""
    load = Load(users=users, messages_per_second=messages, pushes_per_second=pushes, tls=tls)
    sheet = compute_sheet(load, costs, MACHINE)
    limits = Limits.of_memory(MACHINE.memory)
    return sheet, compare_limits(load, sheet, costs, MACHINE, limits)


def make_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    names = tuple(head)
    lines = [names, tuple("---" for _ in names), *map(tuple, rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
