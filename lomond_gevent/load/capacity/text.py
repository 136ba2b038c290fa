"""A sheet as people and programs read it: plain lines, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from lomond_gevent.load.capacity.costs import Costs
from lomond_gevent.load.capacity.limits import Limit
from lomond_gevent.load.capacity.sheet import Load, Machine, Sheet
from lomond_gevent.load.durations import format_duration
from lomond_gevent.load.report.numbers import (
    format_bytes,
    format_count,
    format_share,
    format_short,
    significant,
)


def format_sheet(
    tool: str, load: Load, costs: Costs, machine: Machine, sheet: Sheet, limits: Sequence[Limit]
) -> str:
    """Return the lines of a sheet: the load, what it takes, and the limits in their order."""
    rows = [
        ("load", describe_load(load)),
        ("with", f"{tool}: {describe_costs(costs, load)}"),
        ("on", describe_machine(machine)),
        ("CPU", describe_cpu(sheet)),
        ("workers", describe_workers(sheet)),
        ("memory", describe_memory(sheet)),
        ("machines", describe_machines(sheet)),
        ("traffic", describe_traffic(load, sheet)),
    ]
    if sheet.master_cores is not None:
        rows.append(("master", f"one process more, {format_share(sheet.master_cores)} of a core"))
    lines = [f"{name:<10}{text}" for name, text in rows]
    return "\n".join([*lines, "", *format_limits(limits)]) + "\n"


def format_limits(limits: Sequence[Limit]) -> list[str]:
    """Return a line for each limit, and below it how to raise it where it is reached."""
    reached = [limit for limit in limits if limit.is_reached]
    if reached:
        first = reached[0]
        head = f"first limit: {first.name} ({first.scope}); how to raise it is said below"
    else:
        head = "no limit of the system is reached"
    widths = f"{'limit':<34}{'of a':<10}{'needed':>12}{'allowed':>12}"
    lines = [head, "", widths]
    for limit in limits:
        mark = "  too little" if limit.is_reached else ""
        figures = f"{format_count(limit.needed):>12}{format_count(limit.allowed):>12}"
        lines.append(f"{limit.name:<34}{limit.scope:<10}{figures}{mark}")
    for limit in reached:
        lines += ["", f"{limit.name}", f"    see    {limit.see}", f"    raise  {limit.remedy}"]
    return lines


def describe_load(load: Load) -> str:
    """Return the load in a line."""
    parts = [
        f"{format_count(load.users)} users within {format_duration(load.ramp)}",
        "wss://" if load.tls else "ws://",
        f"{significant(load.messages_per_second)} requests and "
        f"{significant(load.pushes_per_second)} pushes a second each",
    ]
    if load.lifetime is not None:
        parts.append(f"a new connection every {format_duration(load.lifetime)}")
    return ", ".join(parts)


def describe_costs(costs: Costs, load: Load) -> str:
    """Return the costs that count for a load, as they are given on the command line."""
    connect = costs.connect_cpu + costs.tls_cpu * load.tls
    memory = costs.user_memory + costs.tls_memory * load.tls
    return (
        f"{format_duration(connect)} to connect, {format_duration(costs.idle_cpu)} a second idle, "
        f"{format_duration(costs.message_cpu)} a request, {format_duration(costs.push_cpu)} "
        f"a push, {format_bytes(memory)} a user"
    )


def describe_machine(machine: Machine) -> str:
    """Return the machine in a line."""
    return (
        f"{machine.cores} cores, filled to {format_share(machine.cpu_share)}; "
        f"{format_bytes(machine.memory)}, filled to {format_share(machine.memory_share)}"
    )


def describe_cpu(sheet: Sheet) -> str:
    """Return what the cores are busy with."""
    parts = {
        "idle": sheet.idle_cores,
        "requests": sheet.message_cores,
        "pushes": sheet.push_cores,
        "connecting": sheet.connect_cores,
    }
    told = ", ".join(f"{significant(cores)} {name}" for name, cores in parts.items() if cores)
    return f"{significant(sheet.cores)} cores busy: {told}"


def describe_workers(sheet: Sheet) -> str:
    """Return how many processes there are, and why."""
    return (
        f"{format_count(sheet.workers)}, by {sheet.workers_by}; "
        f"{format_count(sheet.users_per_worker)} users and {format_bytes(sheet.worker_memory)} each"
    )


def describe_memory(sheet: Sheet) -> str:
    """Return the memory of all, and of a machine."""
    return (
        f"{format_bytes(sheet.memory)}, the kernel's for sockets included; "
        f"{format_bytes(sheet.machine_memory)} on a machine"
    )


def describe_machines(sheet: Sheet) -> str:
    """Return how many machines there are, and why."""
    return (
        f"{format_count(sheet.machines)}, by {sheet.machines_by}; {sheet.workers_per_machine} "
        f"workers and {format_count(sheet.users_per_machine)} users on each"
    )


def describe_traffic(load: Load, sheet: Sheet) -> str:
    """Return what goes over the network."""
    return (
        f"{format_short(sheet.messages)} messages/s of {format_count(load.size)} bytes, "
        f"{format_short(sheet.connects)} connects/s; on a machine "
        f"{format_short(sheet.machine_packets)} packets/s, "
        f"{format_short(sheet.machine_bits / 1e6)} Mbit/s"
    )


def format_json(
    tool: str, load: Load, costs: Costs, machine: Machine, sheet: Sheet, limits: Sequence[Limit]
) -> str:
    """Return the same as a document; CPU in seconds or cores, memory in bytes, per second."""
    told = [asdict(limit) | {"is_reached": limit.is_reached} for limit in limits]
    document = {
        "schema": "lomond-capacity/1",
        "tool": tool,
        "load": asdict(load),
        "costs": asdict(costs),
        "machine": asdict(machine),
        "sheet": asdict(sheet) | {"cores": sheet.cores},
        "limits": told,
    }
    return json.dumps(document, indent=2) + "\n"
