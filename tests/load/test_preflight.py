"""What the machine allows."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from lomond_gevent.load import Plan, PreflightError, preflight

URL = "ws://127.0.0.1:9/"


def pretend(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[tuple[int, int]]:
    """Have the limit on open files be so; return the limits that are set."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))

    def set_limit(_which: int, pair: tuple[int, int]) -> None:
        if pair[0] > hard:
            raise ValueError("not allowed to raise maximum limit")
        limits.append(pair)

    monkeypatch.setattr(resource, "setrlimit", set_limit)
    return limits


def test_the_soft_limit_on_open_files_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = pretend(monkeypatch, 1024, 1 << 20)

    preflight.allow_open_files(Plan(url=URL, clients=5000))

    assert limits == [(5200, 1 << 20)]


def test_a_soft_limit_that_suffices_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = pretend(monkeypatch, 1024, 1 << 20)

    preflight.allow_open_files(Plan(url=URL, clients=500))

    assert limits == []


def test_a_hard_limit_that_is_too_low_is_refused_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, 1024, 4096)

    with pytest.raises(PreflightError, match=r"5,200 open files.*ulimit -Hn 5200.*3,896 clients"):
        preflight.allow_open_files(Plan(url=URL, clients=5000))


def test_processes_share_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = pretend(monkeypatch, 1024, 4096)

    preflight.allow_open_files(Plan(url=URL, clients=5000, processes=2))

    assert limits == [(2700, 4096)]


@pytest.fixture
def few_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a thousand local ports."""
    file = tmp_path / "range"
    file.write_text("40000\t40999\n")
    monkeypatch.setattr(preflight, "PORT_RANGE", file)


@pytest.mark.usefixtures("few_ports")
def test_more_clients_than_ports_for_one_address_are_refused() -> None:
    with pytest.raises(PreflightError, match=r"1,001 clients.*1,000: widen the range"):
        preflight.check_ports(Plan(url=URL, clients=1001))


@pytest.mark.usefixtures("few_ports")
def test_a_name_may_have_several_addresses_and_gets_a_warning() -> None:
    finding = preflight.check_ports(Plan(url="ws://example.org/", clients=1001))

    assert finding is not None and "1,000" in finding


def test_memory_that_does_not_suffice_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 900000 kB\nMemAvailable:   16384 kB\n")
    monkeypatch.setattr(preflight, "MEMORY", file)

    finding = preflight.check_memory(Plan(clients=2000))

    assert finding is not None and "31 MiB" in finding and "16 MiB are free" in finding


def test_more_processes_than_cores_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os, "sched_getaffinity", lambda _pid: {0})

    finding = preflight.check_cores(Plan(processes=2))

    assert finding is not None and "2 processes share 1 cores" in finding
