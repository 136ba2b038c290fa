"""The computation: from costs, a load and a machine to workers, memory and machines.

It is plain arithmetic on averages, and knows no queue: what keeps it honest is the share of a core
that is planned with. What the operating system allows is in `limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite

from lomond_gevent.load.capacity.costs import Costs

# Seconds between two reports of a worker to Locust's master (WORKER_REPORT_INTERVAL).
REPORT_INTERVAL = 3.0
# Ethernet (with preamble and gap), IPv4, TCP with timestamps, and the longest short frame's head.
PACKET_OVERHEAD = 38 + 20 + 32 + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be generated. Rates are those of one user, per second; times are in seconds.

    Raises ValueError for a value that makes no sense.
    """

    users: int
    messages_per_second: float = 0.0
    """Requests, each with one reply."""
    pushes_per_second: float = 0.0
    """Messages received without being asked for."""
    ramp: float = 300.0
    """Over how long the users come."""
    lifetime: float | None = None
    """How long a connection lasts before it is made anew; None for as long as the test."""
    tls: bool = False
    size: int = 64
    """Bytes of a message."""
    rows: int = 5
    """Rows of the statistics: names of requests, and one each for connecting, closing, pings."""

    def __post_init__(self) -> None:
        check("users", self.users, least=1)
        check("messages_per_second", self.messages_per_second, least=0)
        check("pushes_per_second", self.pushes_per_second, least=0)
        check("ramp", self.ramp, above=0)
        check("size", self.size, least=0)
        check("rows", self.rows, least=1)
        if self.lifetime is not None:
            check("lifetime", self.lifetime, above=0)

    @property
    def reconnects(self) -> float:
        """Return how many connections end, and are made anew, in a second."""
        return self.users / self.lifetime if self.lifetime else 0.0

    @property
    def connects(self) -> float:
        """Return how many connections are made in the busiest second, that at the ramp's end."""
        return self.users / self.ramp + self.reconnects


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that generates load, and how far it is to be filled.

    Raises ValueError for a value that makes no sense.
    """

    cores: int = 8
    memory: int = 16 << 30
    """In bytes."""
    cpu_share: float = 0.6
    """How much of a core a worker may take: above it latencies are those of its own queue."""
    memory_share: float = 0.8

    def __post_init__(self) -> None:
        check("cores", self.cores, least=1)
        check("memory", self.memory, least=1)
        check("cpu_share", self.cpu_share, above=0, most=1)
        check("memory_share", self.memory_share, above=0, most=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a load takes. CPU is in cores, memory in bytes, rates are per second."""

    idle_cores: float
    message_cores: float
    push_cores: float
    connect_cores: float
    """While the last users come, and for those that come again."""
    workers: int
    workers_by: str
    """What their number comes from: "CPU", or "users in one process"."""
    users_per_worker: int
    worker_memory: int
    machines: int
    machines_by: str
    """What their number comes from: "cores" or "memory"."""
    workers_per_machine: int
    users_per_machine: int
    machine_memory: int
    """With what the kernel keeps of the sockets."""
    memory: int
    """Of all machines."""
    master_cores: float | None
    """What the master takes; None where there is none."""
    connects: float
    messages: float
    """Sent and received, over all users."""
    machine_packets: float
    machine_bits: float

    @property
    def cores(self) -> float:
        """Return how many cores are busy when it is busiest."""
        return self.idle_cores + self.message_cores + self.push_cores + self.connect_cores


def compute_sheet(load: Load, costs: Costs, machine: Machine) -> Sheet:
    """Return what a load takes with these costs on machines of this kind.

    Raises ValueError where not even one worker fits into the memory of such a machine.
    """
    busy = {
        "idle_cores": load.users * costs.idle_cpu,
        "message_cores": load.users * load.messages_per_second * costs.message_cpu,
        "push_cores": load.users * load.pushes_per_second * costs.push_cpu,
        "connect_cores": load.connects * (costs.connect_cpu + costs.tls_cpu * load.tls),
    }
    by_cpu = ceil(sum(busy.values()) / machine.cpu_share)
    by_users = ceil(load.users / costs.most_users)
    workers = min(load.users, max(1, by_cpu, by_users))
    users_per_worker = ceil(load.users / workers)
    has_master = costs.has_master and workers > 1
    worker_memory, footprint, room = divide_memory(load, costs, machine, users_per_worker)
    by_cores = ceil((workers + has_master) / machine.cores)
    by_memory = ceil(workers / room)
    machines = max(by_cores, by_memory)
    workers_per_machine = ceil(workers / machines)
    users_per_machine = min(load.users, workers_per_machine * users_per_worker)
    packets = count_packets(load)
    return Sheet(
        **busy,
        workers=workers,
        workers_by="CPU" if by_cpu > by_users else "users in one process",
        users_per_worker=users_per_worker,
        worker_memory=worker_memory,
        machines=machines,
        machines_by="cores" if by_cores >= by_memory else "memory",
        workers_per_machine=workers_per_machine,
        users_per_machine=users_per_machine,
        machine_memory=workers_per_machine * footprint,
        memory=workers * footprint,
        master_cores=count_master_cores(load, costs, workers) if has_master else None,
        connects=load.connects,
        messages=load.users * (2 * load.messages_per_second + load.pushes_per_second),
        machine_packets=users_per_machine * packets,
        machine_bits=8 * users_per_machine * count_bytes(load, packets),
    )


def divide_memory(load: Load, costs: Costs, machine: Machine, users: int) -> tuple[int, int, int]:
    """Return a worker's memory, that with its sockets, and how many such a machine holds.

    Raises ValueError where it does not hold one.
    """
    worker = costs.process_memory + users * (costs.user_memory + costs.tls_memory * load.tls)
    footprint = worker + users * costs.socket_memory
    room = int(machine.memory * machine.memory_share) // footprint
    if room:
        return worker, footprint, room
    raise ValueError(
        f"memory of {machine.memory / 2**30:.3g} GiB does not hold one worker with {users:,} "
        f"users, which takes {footprint / 2**30:.3g} GiB: give more, or have fewer users in one "
        f"process (--most-users)"
    )


def count_master_cores(load: Load, costs: Costs, workers: int) -> float:
    """Return how much of a core the master takes to merge what the workers report."""
    return workers * load.rows * costs.master_row_cpu / REPORT_INTERVAL


def count_packets(load: Load) -> float:
    """Return the packets of a user per second, both ways, where each is acknowledged late."""
    # A reply acknowledges its request, and is acknowledged by a packet of its own; so is a push.
    return 3 * load.messages_per_second + 2 * load.pushes_per_second


def count_bytes(load: Load, packets: float) -> float:
    """Return the bytes of a user per second on the wire, both ways."""
    messages = 2 * load.messages_per_second + load.pushes_per_second
    return packets * PACKET_OVERHEAD + messages * load.size


def check(
    name: str,
    value: float,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
) -> None:
    """Raise ValueError for a number out of its range."""
    if not isfinite(value):
        raise ValueError(f"{name} is {value}: it has to be finite")
    if least is not None and value < least:
        raise ValueError(f"{name} is {value:,}: it has to be at least {least:,}")
    if above is not None and value <= above:
        raise ValueError(f"{name} is {value:,}: it has to be more than {above:,}")
    if most is not None and value > most:
        raise ValueError(f"{name} is {value:,}: it has to be at most {most:,}")
