"""The capacity sheet: its arithmetic, the limits beside it, the command, and the document."""

from __future__ import annotations

import json
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.capacity.__main__ import measure
from benchmarks.capacity.document import DOCUMENT, fill
from lomond_gevent.load.capacity import (
    LOCUST,
    LOMOND_LOAD,
    Costs,
    Limit,
    Limits,
    Load,
    Machine,
    compare_limits,
    compute_sheet,
    limits,
    read_limits,
)
from lomond_gevent.load.capacity.command import main

KIB, GIB = 1 << 10, 1 << 30
# Round figures, which can be multiplied in one's head.
ROUND = Costs(
    process_memory=100 * KIB,
    user_memory=10 * KIB,
    tls_memory=5 * KIB,
    socket_memory=1 * KIB,
    connect_cpu=1e-3,
    tls_cpu=3e-3,
    idle_cpu=1e-5,
    message_cpu=1e-4,
    push_cpu=2e-5,
    master_row_cpu=1e-3,
    most_users=1000,
)
HALF = Machine(cores=4, memory=GIB, cpu_share=0.5, memory_share=0.5)


def find_limits(
    load: Load, costs: Costs = ROUND, machine: Machine = HALF, system: Limits | None = None
) -> dict[str, Limit]:
    """Return the limits by name, in their order."""
    sheet = compute_sheet(load, costs, machine)
    system = system or Limits.of_memory(machine.memory)
    found = compare_limits(load, sheet, costs, machine, system)
    return {limit.name: limit for limit in found}


def test_cores_are_those_of_idling_messages_pushes_and_connecting() -> None:
    load = Load(users=1000, messages_per_second=2, pushes_per_second=10, ramp=100)

    sheet = compute_sheet(load, ROUND, HALF)

    assert sheet.idle_cores == pytest.approx(0.01)
    assert sheet.message_cores == pytest.approx(0.2)
    assert sheet.push_cores == pytest.approx(0.2)
    assert sheet.connect_cores == pytest.approx(0.01)
    assert sheet.cores == pytest.approx(0.42)


def test_a_worker_takes_no_more_than_its_share_of_a_core() -> None:
    sheet = compute_sheet(Load(users=1000, messages_per_second=14, ramp=1000), ROUND, HALF)

    # 1.4 for messages, 0.01 idle and 0.001 connecting are three times half a core.
    assert (sheet.workers, sheet.workers_by) == (3, "CPU")
    assert sheet.users_per_worker == 334


def test_a_worker_has_no_more_users_than_were_measured_in_one() -> None:
    sheet = compute_sheet(Load(users=2500), ROUND, HALF)

    assert (sheet.workers, sheet.workers_by) == (3, "users in one process")


def test_there_are_no_more_workers_than_users() -> None:
    sheet = compute_sheet(Load(users=2, messages_per_second=100_000), ROUND, HALF)

    assert (sheet.workers, sheet.users_per_worker) == (2, 1)


def test_a_master_takes_a_core_of_its_own() -> None:
    three, four = (compute_sheet(Load(users=users), ROUND, HALF) for users in (3000, 4000))

    assert (three.machines, four.machines) == (1, 2)
    # Four workers, five rows of a millisecond, each 3 seconds.
    assert four.master_cores == pytest.approx(4 * 5 * 1e-3 / 3)


def test_one_worker_needs_no_master() -> None:
    assert compute_sheet(Load(users=10), LOCUST, HALF).master_cores is None


def test_lomond_load_has_no_master() -> None:
    sheet = compute_sheet(Load(users=80_000), LOMOND_LOAD, Machine(cores=8))

    assert (sheet.workers, sheet.machines, sheet.master_cores) == (8, 1, None)


def test_memory_may_ask_for_more_machines_than_cores_do() -> None:
    small = replace(HALF, cores=100, memory=50_000 * KIB)

    sheet = compute_sheet(Load(users=4000), ROUND, small)

    # A worker takes 100 + 1000 * (10 + 1) KiB, and half of 50,000 KiB holds two of them.
    assert (sheet.machines, sheet.machines_by) == (2, "memory")
    assert sheet.machine_memory == 2 * 11_100 * KIB
    assert sheet.memory == 4 * 11_100 * KIB


def test_tls_takes_memory_and_cpu() -> None:
    plain, tls = (compute_sheet(Load(users=100, tls=tls), ROUND, HALF) for tls in (False, True))

    assert tls.connect_cores == pytest.approx(4 * plain.connect_cores)
    assert tls.worker_memory - plain.worker_memory == 100 * 5 * KIB


def test_connections_that_do_not_last_are_made_again() -> None:
    load = Load(users=1000, ramp=100, lifetime=10)

    assert compute_sheet(load, ROUND, HALF).connects == pytest.approx(10 + 100)


def test_traffic_is_that_of_a_machine() -> None:
    sheet = compute_sheet(Load(users=1000, messages_per_second=1, size=100), ROUND, HALF)

    assert sheet.machine_packets == 3000
    assert sheet.machine_bits == 8 * (3000 * (38 + 20 + 32 + 8) + 2000 * 100)


def test_a_worker_that_fits_on_no_machine_is_an_error() -> None:
    with pytest.raises(ValueError, match="memory of 0\\.00954 GiB does not hold one worker"):
        compute_sheet(Load(users=1000), ROUND, replace(HALF, memory=10_000 * KIB))


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": 0},
        {"users": 1, "messages_per_second": -1.0},
        {"users": 1, "pushes_per_second": float("inf")},
        {"users": 1, "ramp": 0.0},
        {"users": 1, "lifetime": 0.0},
    ],
)
def test_a_load_that_makes_no_sense_is_an_error(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{list(wrong)[-1]} is "):
        Load(**wrong)  # type: ignore[arg-type]


def test_locust_raises_open_files_to_ten_thousand_only() -> None:
    usual = Limits.of_memory(GIB)

    allowed = [
        find_limits(Load(users=10), costs, system=system)["open files"].allowed
        for costs, system in (
            (ROUND, usual),
            (ROUND, replace(usual, hard_files=4096)),
            (ROUND, replace(usual, soft_files=65_536)),
            (LOMOND_LOAD, usual),
        )
    ]

    assert allowed == [10_000, 1024, 65_536, 524_288]


@pytest.mark.parametrize(
    ("hard", "nr_open", "remedy"),
    [
        (524_288, 1 << 20, "ulimit -n 25000, in the shell"),
        (4096, 1 << 20, "a hard limit of 25000 "),
        (4096, 8192, "sysctl fs.nr_open=25000, then a hard limit of 25000 "),
    ],
)
def test_open_files_are_raised_where_they_are_bounded(hard: int, nr_open: int, remedy: str) -> None:
    system = replace(Limits.of_memory(GIB), hard_files=hard, nr_open=nr_open)
    costs = replace(ROUND, most_users=20_000)

    limit = find_limits(Load(users=20_000), costs, system=system)["open files"]

    assert (limit.needed, limit.is_reached) == (20_200, True)
    assert limit.remedy.startswith(remedy)


def test_each_pair_of_addresses_has_all_ports() -> None:
    one, six = (
        find_limits(Load(users=10), system=Limits.of_memory(GIB, *addresses))["local ports"]
        for addresses in ((1, 1), (2, 3))
    )

    assert (one.allowed, six.allowed) == (28_232, 6 * 28_232)


def test_ports_that_the_widest_range_does_not_have_take_more_addresses() -> None:
    big = Machine(cores=1000, memory=1000 * GIB)

    limit = find_limits(Load(users=200_000), machine=big)["local ports"]

    assert limit.remedy.endswith("and 4 addresses, here or of the server, or more machines")


def test_closed_connections_keep_their_ports_for_a_minute() -> None:
    found = find_limits(Load(users=1000, lifetime=10))

    assert found["local ports"].needed == 1000 + 100 * 60
    assert found["nf_conntrack_max"].needed == 1000 + 100 * 120


def test_the_limit_that_is_reached_first_is_the_first() -> None:
    system = replace(Limits.of_memory(GIB), ports=100, conntrack=10)

    found = list(find_limits(Load(users=200), system=system).values())

    assert [limit.name for limit in found if limit.is_reached] == [
        "nf_conntrack_max",
        "local ports",
    ]


def test_the_server_has_to_accept_what_comes_in_a_second() -> None:
    limit = find_limits(Load(users=10_000, ramp=2))["accept queue"]

    assert (limit.scope, limit.needed, limit.is_reached) == ("server", 5000, True)


def test_a_master_merges_no_more_rows_than_its_core_can() -> None:
    limit = find_limits(Load(users=400_000, rows=10), machine=replace(HALF, memory=1000 * GIB))

    assert (limit["workers of one master"].needed, limit["workers of one master"].allowed) == (
        400,
        150,
    )


def test_linux_begins_with_limits_that_follow_from_memory() -> None:
    small, large = (Limits.of_memory(size * GIB) for size in (1, 16))

    assert (small.conntrack, large.conntrack) == (65_536, 262_144)
    assert large.tcp_pages == 16 * GIB // 16 // 4096
    assert large.file_max == 16 * (1 << 20) // 10


def write_sysctl(folder: Path, monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Have /proc/sys be a folder with these files, and the limit on open files be infinite."""
    for name, value in values.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value)
    monkeypatch.setattr(limits, "SYSCTL", folder)
    infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: infinite)


def test_the_limits_of_this_machine_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sysctl(
        tmp_path,
        monkeypatch,
        fs__nr_open="2000",
        net__ipv4__ip_local_port_range="1000\t1999\n",
        net__ipv4__tcp_mem="1 2 3",
        net__core__somaxconn="77",
    )

    found = read_limits(GIB, sources=2)

    assert (found.soft_files, found.hard_files) == (2000, 2000)
    assert (found.ports, found.tcp_pages, found.somaxconn, found.sources) == (1000, 2, 77, 2)


def test_what_this_machine_does_not_limit_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sysctl(tmp_path, monkeypatch)

    found = find_limits(Load(users=10), system=read_limits(GIB))

    assert {"nf_conntrack_max", "fs.file-max"}.isdisjoint(found)
    assert found["local ports"].allowed == 28_232


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return the exit status of the command, and what it printed."""
    status = main(arguments)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_the_command_says_which_limit_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = run(capsys, "--users", "100k", "--most-users", "30000")

    assert status == 0
    assert "first limit: local ports (machine)" in printed
    assert "    raise  ulimit -n 31000, in the shell that starts it" in printed


def test_the_command_says_so_where_no_limit_is_reached(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, printed, _ = run(capsys, "--users", "10", "--lifetime", "1m", "--tls")

    assert "no limit of the system is reached" in printed
    assert "wss://" in printed
    assert "a new connection every 1m" in printed


def test_costs_are_taken_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    given = "--user-memory 1MiB --message-cpu 1ms --cpu-share 50% --memory-share 0.5 --size 10"

    _, printed, _ = run(
        capsys, "--users", "100", "--messages-per-second", "60/m", "--json", *given.split()
    )

    document = json.loads(printed)
    assert document["costs"]["user_memory"] == 1 << 20
    assert document["sheet"]["message_cores"] == pytest.approx(0.1)
    assert document["machine"] | {"cpu_share": 0.5, "memory_share": 0.5} == document["machine"]


def test_a_document_has_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _, printed, _ = run(capsys, "--users", "20000", "--tool", "lomond-load", "--json")

    document = json.loads(printed)
    assert document["schema"] == "lomond-capacity/1"
    assert list(document) == ["schema", "tool", "load", "costs", "machine", "sheet", "limits"]
    assert document["sheet"]["workers"] == 2
    assert (
        document["limits"][0] | {"name": "local ports", "is_reached": False}
        == (document["limits"][0])
    )


def test_this_machine_is_asked_for_what_is_not_given(capsys: pytest.CaptureFixture[str]) -> None:
    _, printed, _ = run(capsys, "--users", "10", "--here", "--cores", "77", "--json")

    machine = json.loads(printed)["machine"]
    assert machine["cores"] == 77
    assert machine["memory"] % resource.getpagesize() == 0
    assert machine["memory"] != Machine().memory


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("", "--users is missing"),
        ("--users 0", "--users is 0: it has to be at least 1"),
        ("--users many", "--users: 'many' is no whole number"),
        ("--users 1 --memory much", "--memory: 'much' is no size"),
        ("--users 1 --cpu-share half", "--cpu-share: 'half' is no share"),
        ("--users 1 --cpu-share 120%", "--cpu-share is 1.2: it has to be at most 1"),
        ("--users 1 --ramp 0s", "--ramp is 0.0: it has to be more than 0"),
        ("--users 1 --most-users 0", "--most-users is 0: it has to be at least 1"),
        ("--users 1 --sources 0", "--sources is 0: it has to be at least 1"),
        ("--users 1 --memory 1MiB", "--memory of 0.000977 GiB does not hold one worker"),
        ("--users 1 --tool k6", "--tool: invalid choice: 'k6'"),
        ("--user 1", "did you mean --users?"),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed, told = run(capsys, *arguments.split())

    assert (status, printed) == (2, "")
    assert complaint in told
    assert told.count("\n") == 1


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = run(capsys, "--help")

    assert status == 0
    assert "--messages-per-second" in printed


def commands_in(text: str) -> Sequence[str]:
    """Return the command lines of the sheet that a document shows."""
    return re.findall(r"^python -m lomond_gevent\.load\.capacity (.+)$", text, re.MULTILINE)


def test_the_document_shows_what_is_computed() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    # Otherwise: python -m benchmarks.capacity.document
    assert fill(text) == text


def test_the_document_has_all_tables(capsys: pytest.CaptureFixture[str]) -> None:
    _, printed, _ = run(capsys, "--tables")

    names = re.findall(r"^([a-z-]+)\n\n\|", printed, re.MULTILINE)
    assert re.findall(r"<!-- table: (.+) -->", DOCUMENT.read_text(encoding="utf-8")) == names


def test_a_table_that_has_changed_is_filled_in() -> None:
    old = "<!-- table: costs -->\nold\n<!-- end -->\n<!-- output: --users 1 -->\n```\nold\n```\n"

    assert "old" not in fill(old)
    assert fill(fill(old)) == fill(old)


def test_the_commands_of_the_document_run(capsys: pytest.CaptureFixture[str]) -> None:
    commands = commands_in(DOCUMENT.read_text(encoding="utf-8"))

    assert [run(capsys, *shlex.split(command))[0] for command in commands] == [0] * len(commands)
    assert commands


@pytest.mark.loopback
def test_it_needs_neither_locust_nor_rich() -> None:
    program = (
        "import sys; sys.modules.update(locust=None, rich=None, hdrh=None, picows=None)\n"
        "from lomond_gevent.load.capacity.command import main; main(['--users', '10'])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.startswith("load      10 users within 5m")
    assert done.stderr == ""


@pytest.mark.loopback
def test_what_lomond_load_costs_can_be_measured() -> None:
    figures = measure("lomond-load", "request", users=10, seconds=3)

    assert figures["messages"] > 0
    assert 0 < figures["work_cpu"] <= figures["work_seconds"] * 1.1
    assert figures["connect_cpu"] > 0
