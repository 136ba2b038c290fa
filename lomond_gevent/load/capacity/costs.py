"""What a connection and a message cost the machine that generates the load: measured figures.

This is the one place for them. They are those of one virtual machine with other work on its two
cores (CPython 3.11, Linux 6.18, the accelerator built): `python -m benchmarks.capacity` measures
them on another one, and prints the options that hand them to the sheet.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one tool takes. CPU is in seconds of one core (user and system), memory in bytes."""

    process_memory: int
    """A worker before its first user."""
    user_memory: int
    """A user with its open connection, resident in the worker."""
    tls_memory: int
    """What TLS adds to that."""
    socket_memory: int
    """What the kernel keeps of an idle socket; it is in no process."""
    connect_cpu: float
    """A user from its start until its connection is open."""
    tls_cpu: float
    """What TLS adds to that."""
    idle_cpu: float
    """A second of an open connection with its polls and pings."""
    message_cpu: float
    """A request and its reply, a row of the statistics included."""
    push_cpu: float
    """A message that is received without being asked for, and counted."""
    master_row_cpu: float
    """What a row in the report of a worker takes the master; 0 where nobody needs a master."""
    most_users: int = 10_000
    """The most users in one process that were measured; more may work."""

    @property
    def has_master(self) -> bool:
        """Return whether several workers need one process more, which merges their reports."""
        return self.master_row_cpu > 0


# Where no other command is named it is benchmarks.capacity: "idle" with 5,000 users, "request" and
# "push" with 1,000 (with 100 a message costs a quarter less: the caches are warm).
LOMOND_LOAD = Costs(
    # idle: resident before the first client 30 MiB, 12.0 KiB for each.
    process_memory=32 * MIB,
    user_memory=12 * KIB,
    # make bench, "Connect 10,000": 12.6 KiB, with TLS 35.0 KiB.
    tls_memory=23 * KIB,
    # slabtop with 8,000 idle sockets (TCP, sock_inode_cache, dentry, filp, eventpoll_epi): 3.9 KiB.
    socket_memory=4 * KIB,
    # idle: 475 and 492 µs.
    connect_cpu=480e-6,
    # make bench, "Connect 10,000": 0.5 to 0.6 ms, with TLS 1.6 ms. Twice as much was seen.
    tls_cpu=1100e-6,
    # idle: 8.1 and 8.3 µs, with a poll every 5 s, a ping every 30 s, and the deadlines of answers.
    idle_cpu=8.3e-6,
    # request: 44 and 48 µs.
    message_cpu=46e-6,
    # push: 29 and 36 µs. What is in a message, and to whom it came, is checked.
    push_cpu=33e-6,
    master_row_cpu=0.0,
)

LOCUST = Costs(
    # idle: resident before the first user 54 and 55 MiB, 25.8 and 26.1 KiB for each; 28.7 where
    # the package is installed with its modules compiled.
    process_memory=56 * MIB,
    user_memory=29 * KIB,
    tls_memory=LOMOND_LOAD.tls_memory,
    socket_memory=LOMOND_LOAD.socket_memory,
    # idle: 850 µs, starting the user included.
    connect_cpu=850e-6,
    tls_cpu=LOMOND_LOAD.tls_cpu,
    # idle: 4.6 and 4.8 µs with `--ws-ping 30`, each ping a row; 1.6 µs without pings.
    idle_cpu=4.8e-6,
    # request: 103 and 113 µs, with Locust's task, its row, and the exact histogram.
    message_cpu=110e-6,
    # push: 24 and 29 µs, `ws_each_push` off.
    push_cpu=27e-6,
    # Unpacking and adding a row with 3,000 different times: 0.06 ms for the row and as much for
    # the total in Locust's own statistics, 0.6 ms in the exact histogram (1,300 buckets).
    master_row_cpu=700e-6,
)

TOOLS = {"locust": LOCUST, "lomond-load": LOMOND_LOAD}
