"""Parts of the demo that need no connection: numbers, the table, the line of progress, limits."""

from __future__ import annotations

import resource
from io import StringIO, TextIOWrapper
from pathlib import Path

import pytest

from examples.demo import machine, progress
from examples.demo.machine import NotEnough, allow_connections, count_local_ports
from examples.demo.progress import Progress
from examples.demo.report import show_report
from examples.demo.screen import CLEAR_LINE, Screen
from examples.demo.tally import Tally, Trips
from lomond.events import Poll


class Terminal(StringIO):
    """A stream that says it is a terminal with UTF-8."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Say so."""
        return True


def trips_of(*latencies: float) -> Trips:
    """Make round trips, one after the other without a pause."""
    trips, now = Trips(), 100.0
    for latency in latencies:
        trips.record(now, now + latency)
        now += latency
    return trips


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.05), (0.9, 0.09), (0.99, 0.1), (1.0, 0.1)])
def test_a_percentile_is_the_time_that_so_many_stay_within(share: float, expected: float) -> None:
    trips = trips_of(*(number / 100 for number in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)))

    assert trips.percentile(share) == pytest.approx(expected)


def test_the_rate_counts_from_the_first_question_to_the_last_answer() -> None:
    assert trips_of(0.25, 0.25, 0.5).per_second == pytest.approx(3)


def test_nothing_measured_is_nothing() -> None:
    trips = Trips()

    assert (trips.per_second, trips.percentile(0.5)) == (0.0, 0.0)


def test_what_is_missing_is_a_problem() -> None:
    tally = Tally()
    tally.connected()

    tally.check(clients=2, trips=10)

    assert list(tally.problems) == [
        "connections: 1 instead of 2",
        "round trips: 0 instead of 20",
        "graceful closes: 0 instead of 2",
        "polls: 0, not one for each client",
    ]


def test_the_report_tells_problems_the_most_frequent_first() -> None:
    tally, stream = Tally(), StringIO()
    for problem in ["rare", "frequent", "frequent", *(f"other {n}" for n in range(10))]:
        tally.note_problem(problem)

    show_report(Screen(stream), tally, clients=1, seconds=1.0)

    lines = stream.getvalue().splitlines()
    assert lines[-11].endswith("2 times: frequent")
    assert lines[-1].endswith("and 2 other problems")


def test_the_report_says_when_all_is_well() -> None:
    tally, stream = Tally(), StringIO()
    tally.count(Poll())

    show_report(Screen(stream), tally, clients=0, seconds=1.25)

    assert "Poll" in stream.getvalue()
    assert stream.getvalue().splitlines()[-1].endswith("everything as expected, in 1.2 s")


def test_all_lines_of_the_table_are_of_one_length() -> None:
    stream = StringIO()

    show_report(Screen(stream), Tally(), clients=123456, seconds=1.0)

    table = stream.getvalue().splitlines()[1:-2]
    assert len({len(line) for line in table}) == 1


def test_a_terminal_has_its_line_redrawn() -> None:
    stream = Terminal()
    shown = Progress(Screen(stream, {"NO_COLOR": "1"}))

    shown.begin("connect", 4)
    shown.show(2)
    shown.end(4)

    begun, half, done = stream.getvalue().split(CLEAR_LINE)[1:]
    assert begun.split() == ["connect", "░" * 24, "0", "of", "4"]
    assert half.split() == ["connect", "█" * 12 + "░" * 12, "2", "of", "4"]
    assert done.split()[:-2] == ["✓", "connect", "4", "of", "4"]


def test_a_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.0)
    stream = StringIO()
    shown = Progress(Screen(stream))

    shown.begin("connect", 4)
    shown.show(2)
    shown.end(3)

    half, done = stream.getvalue().splitlines()
    assert half.split() == ["connect", "2", "of", "4"]
    assert done.split()[1:4] == ["connect", "3", "of"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "\x1b[32mok\x1b[0m"), ({"NO_COLOR": "1"}, "ok"), ({"TERM": "dumb"}, "ok")],
)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], expected: str
) -> None:
    assert Screen(Terminal(), environment).good("ok") == expected


def test_a_stream_without_symbols_gets_ascii(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as raw, TextIOWrapper(raw, encoding="ascii") as stream:
        show_report(Screen(stream), Tally(), clients=0, seconds=1.0)

    assert b"  + everything as expected, in 1.0 s" in path.read_bytes()


def test_the_soft_limit_is_raised_no_further_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    raised = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))

    allow_connections(1000)

    assert raised == [(1200, 4096)]


def test_a_limit_that_is_high_enough_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("was changed"))

    allow_connections(1000)


def test_too_few_local_ports_are_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ports = tmp_path / "ip_local_port_range"
    ports.write_text("40000\t40099\n")
    monkeypatch.setattr(machine, "PORT_RANGE", ports)

    with pytest.raises(NotEnough, match="make demo CLIENTS=100"):
        allow_connections(101)


def test_a_system_that_tells_of_no_ports_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PORT_RANGE", Path("/nowhere"))

    assert count_local_ports() is None


def test_memory_is_known_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    by_proc = machine.read_resident_size()
    monkeypatch.setattr(machine, "STATM", Path("/nowhere"))

    assert machine.read_resident_size() == pytest.approx(by_proc, rel=0.2)
