"""Open sockets are counted in each process, and summed at the master."""

from __future__ import annotations

from locust.env import Environment

from lomond_gevent.locust.connections import Gauge, closed, gauge_of, opened


def test_what_was_opened_and_not_closed_is_open() -> None:
    environment = Environment()
    for count in (opened, opened, closed):
        count(environment)

    gauge = gauge_of(environment)
    assert (gauge.open, gauge.opened, gauge.closed) == (1, 2, 1)


def test_a_reset_leaves_open_what_is_open() -> None:
    gauge = Gauge()
    gauge.count_opened()

    gauge.reset()

    assert (gauge.open, gauge.opened) == (1, 0)


def test_the_master_sums_what_its_workers_told_last() -> None:
    master, worker = Gauge(), Gauge()
    worker.count_opened()
    worker.count_opened()
    master.add("one", worker.take())
    worker.count_closed()
    master.add("one", worker.take())
    master.add("two", {"open": 5, "opened": 5, "closed": 0})

    assert (master.open, master.opened, master.closed) == (6, 7, 1)


def test_a_worker_that_is_gone_has_nothing_open() -> None:
    master = Gauge()
    master.add("one", {"open": 3, "opened": 3, "closed": 0})
    master.add("two", {"open": 4, "opened": 4, "closed": 0})

    master.keep(["two"])

    assert master.open == 4
