"""What is shown says what was measured, and nothing in it is taken for markup."""

from __future__ import annotations

import csv

import pytest

from lomond_gevent.locust.connections import Gauge
from lomond_gevent.locust.histograms import Rows
from lomond_gevent.locust.page.samples import MOST, Samples
from lomond_gevent.locust.page.tab import write_tab
from lomond_gevent.locust.page.tables import write_csv, write_text


@pytest.fixture
def rows() -> Rows:
    rows = Rows()
    for time in (0.4, 0.5, 12.3):
        rows.on_request(request_type="WSC", name="say", response_time=time)
    return rows


def test_the_terminal_shows_fractions_of_milliseconds(rows: Rows) -> None:
    line = [*write_text(rows, Gauge())][3]

    cells = [cell.strip() for cell in line.split("|")]
    assert cells[:5] == ["WSC", "say", "3", "400 µs", "500 µs"]
    assert cells[5:] == ["12.3 ms"] * 5 + ["4.4 ms"]


def test_the_terminal_shows_how_many_connections_there_were() -> None:
    gauge = Gauge()
    for _ in range(3):
        gauge.count_opened()
    gauge.count_closed()

    assert [*write_text(Rows(), gauge)] == ["WebSockets: 3 opened, 1 closed, 2 still open"]


def test_nothing_is_shown_of_nothing() -> None:
    assert [*write_text(Rows(), Gauge())] == []


def test_csv_has_milliseconds_with_their_fractions(rows: Rows) -> None:
    (row,) = csv.DictReader(write_csv(rows).splitlines())

    assert (row["Type"], row["Name"], row["Count"]) == ("WSC", "say", "3")
    assert (row["Min"], row["50%"], row["Max"]) == ("0.400", "0.500", "12.300")


def test_a_sample_has_the_times_since_the_one_before(rows: Rows) -> None:
    samples = Samples(1.0)
    samples.begin(0.0)
    samples.take(0.0, rows, Gauge())
    rows.on_request(request_type="WSC", name="say", response_time=7.0)
    samples.take(1.0, rows, Gauge())
    samples.take(2.0, rows, Gauge())

    assert [each.latencies and each.latencies[0] for each in samples.points] == [500, 7002, None]


def test_samples_are_bounded_and_span_the_whole_run() -> None:
    samples, gauge = Samples(1.0), Gauge()
    samples.begin(0.0)
    for second in range(10_000):
        gauge.count_opened()
        samples.take(float(second), Rows(), gauge)

    assert MOST / 2 <= len(samples.points) <= MOST
    assert samples.points[0].time == 0 and samples.points[-1].time > 9_900
    assert samples.most_open == 10_000


def test_another_run_begins_without_samples() -> None:
    samples = Samples(1.0)
    samples.take(5.0, Rows(), Gauge())

    samples.begin(6.0)

    assert samples.points == []


def test_the_tab_shows_rows_and_connections(rows: Rows) -> None:
    samples, gauge = Samples(1.0), Gauge()
    gauge.count_opened()
    samples.take(0.0, rows, gauge)
    samples.take(1.0, rows, gauge)

    content = write_tab(rows, gauge, samples)

    assert "WSC say" in content and "12.3 ms" in content
    assert content.count("<figure>") == 2


def test_the_tab_of_a_run_that_has_not_begun_says_so() -> None:
    assert "nothing yet" in write_tab(Rows(), Gauge(), Samples(1.0))


def test_names_are_no_markup() -> None:
    rows = Rows()
    rows.on_request(request_type="WSC", name="<img src=x onerror=alert(1)>", response_time=1.0)

    assert "<img" not in write_tab(rows, Gauge(), Samples(1.0))


def test_the_tab_needs_no_network(rows: Rows) -> None:
    content = write_tab(rows, Gauge(), Samples(1.0))

    assert "http" not in content and "url(" not in content and "@import" not in content
