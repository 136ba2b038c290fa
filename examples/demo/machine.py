"""What the operating system allows, and how much memory it says we take."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
STATM = Path("/proc/self/statm")

# What a process has open besides its connections, generously: libraries, pipes, the event loop.
SPARE_FILES = 200


class NotEnough(Exception):
    """The machine does not allow that many connections; the text says what to do."""


def allow_connections(clients: int) -> None:
    """Raise the soft limit on open files as far as needed; a server started later inherits it."""
    needed = clients + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        except (ValueError, OSError):
            allowed = soft if hard == resource.RLIM_INFINITY else hard
            raise NotEnough(
                f"{clients:,} connections need {needed:,} open files, and this process may have "
                f"{allowed:,}.\n  Raise the hard limit (as root: `ulimit -Hn {needed}` before "
                "`make`, or for good in /etc/security/limits.conf),\n"
                f"  or take fewer: make demo CLIENTS={max(1, allowed - SPARE_FILES)}"
            ) from None
    ports = count_local_ports()
    if ports is not None and clients > ports:
        raise NotEnough(
            f"{clients:,} connections to one address need as many local ports, and there are "
            f"{ports:,}.\n  Widen the range (as root: "
            "`sysctl net.ipv4.ip_local_port_range='10240 65535'`),\n"
            f"  or take fewer: make demo CLIENTS={ports}"
        )


def count_local_ports() -> int | None:
    """Return how many connections to one address this machine has ports for, if it tells."""
    try:
        first, last = PORT_RANGE.read_text().split()
    except OSError:
        return None
    return int(last) - int(first) + 1


def read_resident_size() -> int:
    """Return how many bytes of this process are in memory."""
    try:
        pages = int(STATM.read_text().split()[1])
    except OSError:
        # Where there is no /proc, `ps` knows.
        command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
        return int(subprocess.check_output(command)) * 1024
    return pages * resource.getpagesize()
