"""What the operating system allows, beside what a sheet needs: open files, ports, tables, memory.

The defaults are those of Linux with systemd, on a machine with so much memory; `read_limits` asks
this machine. `docs/capacity.md` says where each is written down.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from lomond_gevent.load.capacity.costs import Costs
from lomond_gevent.load.capacity.sheet import REPORT_INTERVAL, Load, Machine, Sheet
from lomond_gevent.load.preflight import SPARE_FILES

SYSCTL = Path("/proc/sys")
PAGE = 4096
# What Locust raises the soft limit to by itself, where that is lower.
LOCUST_FILES = 10_000
# How long, in seconds, the side that closed first keeps a port, and conntrack its entry.
TIME_WAIT = 60
CONNTRACK_TIME_WAIT = 120
# The range that there is after `sysctl net.ipv4.ip_local_port_range='10240 65535'`.
WIDE_RANGE = "10240 65535"
WIDE_PORTS = 65535 - 10240 + 1
# For how long, in seconds, a server may be too busy to accept.
STALL = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a machine allows; None for what it does not limit."""

    soft_files: int = 1024
    hard_files: int = 524_288
    nr_open: int = 1_048_576
    file_max: int | None
    epoll_watches: int | None
    ports: int = 60_999 - 32_768 + 1
    conntrack: int | None
    tcp_pages: int | None
    somaxconn: int = 4096
    """The server's; this machine's is taken where nothing else is known."""
    sources: int = 1
    """Addresses to connect from."""
    destinations: int = 1
    """Addresses of the server, or its ports."""

    @classmethod
    def of_memory(cls, memory: int, sources: int = 1, destinations: int = 1) -> Limits:
        """Return the defaults of Linux on a machine with so many bytes of memory."""
        return cls(
            # fs/file_table.c: a tenth, at 1 KiB each.
            file_max=max(8192, memory // 1024 // 10),
            # fs/eventpoll.c: 4 %, at 128 + 72 bytes each.
            epoll_watches=memory // 25 // 200,
            # nf_conntrack: memory / 16,384, not less than 1,024, not more than 262,144.
            conntrack=min(262_144, max(1024, memory // 16_384)),
            # net/ipv4/tcp.c: a sixteenth; there "pressure" begins.
            tcp_pages=memory // 16 // PAGE,
            sources=sources,
            destinations=destinations,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: what is needed, what is allowed, and how to see and to raise it."""

    name: str
    scope: str
    """What it counts for: "process", "machine", "server" or "master"."""
    needed: int
    allowed: int
    see: str
    remedy: str

    @property
    def is_reached(self) -> bool:
        """Return whether more is needed than allowed."""
        return self.needed > self.allowed

    @property
    def filling(self) -> float:
        """Return how much of it is needed; 1.0 is all."""
        return self.needed / max(1, self.allowed)


def compare_limits(
    load: Load, sheet: Sheet, costs: Costs, machine: Machine, limits: Limits
) -> list[Limit]:
    """Return all limits, the one that is reached first, while the users come, first."""
    found = [
        *compare_files(sheet, costs, limits),
        compare_ports(load, sheet, limits),
        *compare_tables(load, sheet, limits),
        *compare_others(load, sheet, costs, machine, limits),
    ]
    return sorted(found, key=lambda limit: -limit.filling)


def compare_files(sheet: Sheet, costs: Costs, limits: Limits) -> list[Limit]:
    """Compare the open files of a process, then those of the machine."""
    needed = sheet.users_per_worker + SPARE_FILES
    soft, hard = limits.soft_files, min(limits.hard_files, limits.nr_open)
    # lomond-load raises the soft limit as far as it needs.
    raised = max(soft, LOCUST_FILES if hard >= LOCUST_FILES else soft) if costs.has_master else hard
    found = [
        Limit(
            name="open files",
            scope="process",
            needed=needed,
            allowed=raised,
            see="ulimit -Sn; ulimit -Hn; sysctl fs.nr_open",
            remedy=raise_files(needed, hard, limits.nr_open),
        )
    ]
    if limits.file_max is not None:
        files = sheet.users_per_machine + sheet.workers_per_machine * SPARE_FILES
        found.append(
            Limit(
                name="fs.file-max",
                scope="machine",
                needed=files,
                allowed=limits.file_max,
                see="cat /proc/sys/fs/file-nr",
                remedy=f"sysctl fs.file-max={round_up(files)}",
            )
        )
    return found


def raise_files(needed: int, hard: int, nr_open: int) -> str:
    """Return how to let a process open so many files."""
    wanted = round_up(needed)
    if needed <= hard:
        return f"ulimit -n {min(wanted, hard)}, in the shell that starts it (no root needed)"
    limit = f"a hard limit of {wanted} (LimitNOFILE=, or nofile in /etc/security/limits.conf)"
    return limit if wanted <= nr_open else f"sysctl fs.nr_open={wanted}, then {limit}"


def compare_ports(load: Load, sheet: Sheet, limits: Limits) -> Limit:
    """Compare the connections of a machine with its pairs of an address and a port."""
    # A port is free again when nobody can mistake old packets for new ones.
    waiting = ceil(load.reconnects / sheet.machines * TIME_WAIT)
    needed = sheet.users_per_machine + waiting
    pairs = limits.sources * limits.destinations
    remedy = f"sysctl net.ipv4.ip_local_port_range='{WIDE_RANGE}'"
    missing = ceil(needed / (WIDE_PORTS * limits.destinations))
    if missing > limits.sources:
        remedy += f", and {missing} addresses, here or of the server, or more machines"
    return Limit(
        name="local ports",
        scope="machine",
        needed=needed,
        allowed=limits.ports * pairs,
        see="sysctl net.ipv4.ip_local_port_range; ss -s",
        remedy=remedy,
    )


def compare_tables(load: Load, sheet: Sheet, limits: Limits) -> list[Limit]:
    """Compare what the kernel keeps a table of: tracked connections, watches, memory of TCP."""
    tracked = ceil(load.reconnects / sheet.machines * CONNTRACK_TIME_WAIT) + sheet.users_per_machine
    pages = sheet.users_per_machine
    wanted = round_up(pages)
    rows = (
        (
            "nf_conntrack_max",
            tracked,
            limits.conntrack,
            "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
            f"sysctl net.netfilter.nf_conntrack_max={round_up(tracked)}, or a notrack rule",
        ),
        (
            "fs.epoll.max_user_watches",
            sheet.users_per_machine,
            limits.epoll_watches,
            "sysctl fs.epoll.max_user_watches",
            f"sysctl fs.epoll.max_user_watches={wanted}",
        ),
        (
            "tcp_mem, a page for each socket",
            pages,
            limits.tcp_pages,
            "cat /proc/net/sockstat; sysctl net.ipv4.tcp_mem",
            f"sysctl net.ipv4.tcp_mem='{wanted * 3 // 4} {wanted} {wanted * 3 // 2}'",
        ),
    )
    return [
        Limit(name=name, scope="machine", needed=needed, allowed=allowed, see=see, remedy=remedy)
        for name, needed, allowed, see, remedy in rows
        if allowed is not None
    ]


def compare_others(
    load: Load, sheet: Sheet, costs: Costs, machine: Machine, limits: Limits
) -> list[Limit]:
    """Compare what is not of the machines with users: the server's queue, the master's core."""
    arriving = ceil(load.connects * STALL)
    found = [
        Limit(
            name="accept queue",
            scope="server",
            needed=arriving,
            allowed=limits.somaxconn,
            see="ss -ltn; nstat -az TcpExtListenOverflows",
            remedy=f"sysctl net.core.somaxconn={round_up(arriving)} there, the same backlog in "
            f"listen(), or a longer --ramp",
        )
    ]
    if sheet.master_cores is not None:
        row_cpu = load.rows * costs.master_row_cpu
        found.append(
            Limit(
                name="workers of one master",
                scope="master",
                needed=sheet.workers,
                allowed=int(machine.cpu_share * REPORT_INTERVAL / row_cpu),
                see="the CPU of the master's process",
                remedy="fewer rows (names), or several tests side by side",
            )
        )
    return found


def round_up(number: int) -> int:
    """Return a round number with a fifth to spare."""
    step: int = 10 ** max(3, len(str(number)) - 2)
    return ceil(number * 1.2 / step) * step


def read_limits(memory: int, sources: int = 1, destinations: int = 1) -> Limits:
    """Return what this machine allows; what it does not tell is None, or Linux' default."""
    usual = Limits.of_memory(memory, sources, destinations)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    nr_open = read_number("fs/nr_open") or usual.nr_open
    first, last = read_numbers("net/ipv4/ip_local_port_range") or (1, usual.ports)
    tcp_pages = read_numbers("net/ipv4/tcp_mem")
    return Limits(
        soft_files=nr_open if soft == resource.RLIM_INFINITY else soft,
        hard_files=nr_open if hard == resource.RLIM_INFINITY else hard,
        nr_open=nr_open,
        file_max=read_number("fs/file-max"),
        epoll_watches=read_number("fs/epoll/max_user_watches"),
        ports=last - first + 1,
        conntrack=read_number("net/netfilter/nf_conntrack_max"),
        tcp_pages=tcp_pages[1] if tcp_pages else None,
        somaxconn=read_number("net/core/somaxconn") or usual.somaxconn,
        sources=sources,
        destinations=destinations,
    )


def read_numbers(name: str) -> tuple[int, ...] | None:
    """Return the numbers of a file under /proc/sys, or None where there is no such file."""
    try:
        return tuple(int(word) for word in (SYSCTL / name).read_text().split())
    except (OSError, ValueError):
        return None


def read_number(name: str) -> int | None:
    """Return the one number of a file under /proc/sys, or None."""
    numbers = read_numbers(name)
    return numbers[0] if numbers else None
