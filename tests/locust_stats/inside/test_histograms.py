"""Rows have exact histograms, which the reports of workers add up to."""

from __future__ import annotations

import pytest
from locust import stats
from locust.env import Environment
from msgpack import packb, unpackb

from lomond_gevent.load.histogram import Histogram
from lomond_gevent.locust.histograms import Rows, rows_of, use_fine_buckets


def record(rows: Rows, kind: str, name: str, *milliseconds: float | None) -> None:
    for time in milliseconds:
        rows.on_request(request_type=kind, name=name, response_time=time, response_length=0)


def read(rows: Rows) -> dict[tuple[str, str], list[tuple[int, int]]]:
    return {(kind, name): histogram.buckets() for kind, name, histogram in rows}


def test_microseconds_are_kept() -> None:
    rows = Rows()

    record(rows, "WSC", "say", 0.4, 0.4, 1.2346)

    assert read(rows) == {("WSC", "say"): [(400, 2), (1235, 1)]}


def test_rows_without_a_time_and_rows_of_other_protocols_are_left_out() -> None:
    rows = Rows()

    record(rows, "WSR", "push", None)
    record(rows, "GET", "/", 5.0)

    assert read(rows) == {}


def test_rows_come_in_alphabetical_order() -> None:
    rows = Rows()
    for kind, name in [("WSC", "b"), ("WSC", "a"), ("WS", "connect")]:
        record(rows, kind, name, 1.0)

    assert [row[:2] for row in rows] == [("WS", "connect"), ("WSC", "a"), ("WSC", "b")]


def test_reports_of_two_workers_add_up_to_what_one_process_would_have() -> None:
    master, alone, workers = Rows(), Rows(), [Rows(), Rows()]
    for number in range(1000):
        time = 0.01 * 1.02**number
        record(workers[number % 2], "WSC", "say", time)
        record(alone, "WSC", "say", time)
        if number % 100 == 0:
            master.add(unpackb(packb(workers[0].take()), strict_map_key=False))

    for worker in workers:
        master.add(unpackb(packb(worker.take()), strict_map_key=False))

    assert read(master) == read(alone)


def test_a_report_has_what_came_since_the_last() -> None:
    rows = Rows()
    record(rows, "WSC", "say", 1.0)
    rows.take()
    record(rows, "WSC", "say", 2.0)

    assert rows.take() == [("WSC", "say", {2000: 1})]
    assert rows.take() == []


def test_cleared_rows_record_again() -> None:
    rows = Rows()
    record(rows, "WSC", "say", 1.0)
    rows.clear()
    record(rows, "WSC", "say", 2.0)

    assert read(rows) == {("WSC", "say"): [(2000, 1)]}


def test_the_total_of_a_type_has_all_of_its_rows() -> None:
    rows = Rows()
    record(rows, "WSC", "a", 1.0)
    record(rows, "WSC", "b", 2.0)
    record(rows, "WS", "connect", 3.0)

    expected = Histogram()
    expected.record(1000)
    expected.record(2000)
    assert rows.total("WSC") == expected


def test_an_environment_keeps_its_rows_to_itself() -> None:
    one, other = Environment(), Environment()

    assert rows_of(one) is rows_of(one)
    assert rows_of(one) is not rows_of(other)


def test_fine_buckets_keep_three_digits_in_locusts_own_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats, "bucket_response_time", stats.bucket_response_time)
    use_fine_buckets()
    environment = Environment()

    for time in (0.4124, 0.0, 147.36, 58763.0):
        environment.stats.log_request("WSC", "say", time, 0)  # type: ignore[arg-type]

    assert set(environment.stats.total.response_times) == {0.412, 0.0, 147.0, 58800.0}
