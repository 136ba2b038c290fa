"""What the machine allows: open files, ports, memory, cores; asked before any connection.

Soft limits are raised. What may go wrong is a finding, which becomes a warning of the result;
only what cannot work at all is refused.
"""

from __future__ import annotations

import ipaddress
import os
import resource
from pathlib import Path
from urllib.parse import urlsplit

import gevent

from lomond_gevent.load.plan import Plan, PlanError

PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
MEMORY = Path("/proc/meminfo")

# What a process has open besides its connections, generously: libraries, pipes, the event loop.
SPARE_FILES = 200
# What a connected client takes, in bytes, with its share of the histograms.
CLIENT_MEMORY = 16 * 1024


class PreflightError(PlanError):
    """The machine does not allow what the plan asks for; the text says what to do."""


def check_machine(plan: Plan) -> list[str]:
    """Raise limits as far as the plan needs it, and return what else there is to say.

    Raises PreflightError for what cannot work.
    """
    allow_open_files(plan)
    findings = [check_ports(plan), check_memory(plan), check_cores(plan), check_loop()]
    return [finding for finding in findings if finding]


def allow_open_files(plan: Plan) -> None:
    """Raise the soft limit as far as needed; processes started later inherit it."""
    # The embedded server has the other end of each.
    clients = plan.most_clients
    needed = SPARE_FILES + (clients if plan.url is None else -(-clients // plan.processes))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError):
        allowed = soft if hard == resource.RLIM_INFINITY else hard
        raise PreflightError(
            f"{clients:,} clients need {needed:,} open files, and a process may have {allowed:,}: "
            f"raise the hard limit (as root: `ulimit -Hn {needed}`, or for good in "
            f"/etc/security/limits.conf), or take {max(1, allowed - SPARE_FILES):,} clients"
        ) from None


def check_ports(plan: Plan) -> str | None:
    """Compare the clients with the local ports that there are for one address of the server."""
    try:
        first, last = map(int, PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return None
    ports, clients = (last - first + 1) * max(1, len(plan.sources)), plan.most_clients
    if clients <= ports:
        return None
    text = (
        f"{clients:,} clients need as many local ports for one address of the server, and there "
        f"are {ports:,}: widen the range (as root: `sysctl net.ipv4.ip_local_port_range="
        f"'10240 65535'`), connect from several addresses (`--source`), or take fewer clients"
    )
    if plan.arrivals is None and plan.proxy is None and _is_one_address(plan.url):
        raise PreflightError(text)
    return text


def check_memory(plan: Plan) -> str | None:
    """Compare what so many clients take with what is free."""
    needed = plan.most_clients * CLIENT_MEMORY
    try:
        lines = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return None
    if needed < available * 0.8:
        return None
    return (
        f"{plan.most_clients:,} clients take about {needed >> 20:,} MiB of memory, and "
        f"{available >> 20:,} MiB are free: the machine may begin to swap, which spoils latencies"
    )


def check_cores(plan: Plan) -> str | None:
    """Compare the processes with the cores that they may run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if cores is None or plan.processes <= cores:
        return None
    return f"{plan.processes} processes share {cores} cores: more of them than cores gains nothing"


def check_loop() -> str | None:
    """Tell of an event loop that this is not made for."""
    if "libuv" in repr(gevent.config.loop):
        return "gevent runs on libuv, which is not reliable here: unset GEVENT_LOOP"
    return None


def _is_one_address(url: str | None) -> bool:
    if url is None:
        return True
    try:
        ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        # A name may stand for several.
        return False
    return True
