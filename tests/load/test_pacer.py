"""Sends at the right moment, and one that takes long holds up nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from time import monotonic

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load.pacer import Agenda, Pacer, Schedule


class Sender:
    """A client that notes when it was to send; `gate` is what its sends wait for."""

    def __init__(self) -> None:
        self.is_sending = False
        self.sent: list[float] = []
        self.gate: Event | None = None

    def send_due(self, due: float) -> None:
        """Take as long as the gate is closed."""
        if self.gate is not None:
            self.gate.wait(10)
        self.sent.append(due)


def every(seconds: float, times: int) -> Iterator[float]:
    """Yield so many times from now on."""
    now = monotonic()
    return (now + number * seconds for number in range(times))


def schedule_of(senders: list[Sender], times: Iterator[float], step: int = 1) -> Schedule:
    """Make a schedule that these take part in."""
    schedule = Schedule(times, lambda: None, step)
    for sender in senders:
        schedule.join(sender)
    return schedule


@pytest.fixture
def pacers() -> Iterator[list[Pacer]]:
    """Those in this list are closed when the test is over."""
    made: list[Pacer] = []
    yield made
    for pacer in made:
        pacer.close()


def run_until(pacers: list[Pacer], pacer: Pacer, senders: list[Sender], total: int) -> None:
    """Follow it until so many were sent."""
    pacers.append(pacer)
    pacer.start()
    with gevent.Timeout(10):
        while sum(len(sender.sent) for sender in senders) < total:
            gevent.sleep(0.005)


def test_the_clients_of_a_schedule_take_turns(pacers: list[Pacer]) -> None:
    senders = [Sender() for _ in range(3)]
    times = list(every(0.002, 9))

    run_until(pacers, Pacer(schedule_of(senders, iter(times))), senders, 9)

    assert [sender.sent for sender in senders] == [times[0::3], times[1::3], times[2::3]]


def test_in_lockstep_all_have_the_same_time(pacers: list[Pacer]) -> None:
    senders = [Sender() for _ in range(3)]
    times = list(every(0.002, 6))

    run_until(pacers, Pacer(schedule_of(senders, iter(times), step=3)), senders, 6)

    assert [sender.sent for sender in senders] == [[times[0], times[3]]] * 3


def test_a_send_that_waits_holds_up_only_its_own_client(pacers: list[Pacer]) -> None:
    stuck, free = Sender(), Sender()
    stuck.gate = Event()
    times = list(every(0.002, 20))
    pacer = Pacer(schedule_of([stuck, free], iter(times)))

    run_until(pacers, pacer, [free], 10)
    assert (free.sent, stuck.sent) == (times[1::2], [])
    stuck.gate.set()
    run_until([], Pacer(Agenda()), [stuck], 10)

    assert stuck.sent == times[0::2]


def test_what_waits_behind_a_stuck_send_is_counted_when_it_stops(pacers: list[Pacer]) -> None:
    stuck, free = Sender(), Sender()
    stuck.gate = Event()
    pacer = Pacer(schedule_of([stuck, free], every(0.002, 20)))

    run_until(pacers, pacer, [free], 10)

    assert pacer.stop() == 9


def test_an_agenda_is_followed_in_the_order_of_its_times(pacers: list[Pacer]) -> None:
    senders = [Sender() for _ in range(3)]
    pacer, now = Pacer(Agenda()), monotonic()
    for sender, delay in zip(senders, (0.03, 0.01, 0.02), strict=True):
        pacer.add(now + delay, sender)

    run_until(pacers, pacer, senders, 3)

    assert [sender.sent for sender in senders] == [[now + 0.03], [now + 0.01], [now + 0.02]]


def test_an_agenda_wakes_for_what_comes_before_the_rest(pacers: list[Pacer]) -> None:
    late, soon = Sender(), Sender()
    pacer = Pacer(Agenda())
    pacers.append(pacer)
    pacer.add(monotonic() + 60, late)
    pacer.start()
    gevent.sleep(0.01)

    pacer.add(monotonic() + 0.01, soon)

    with gevent.Timeout(5):
        while not soon.sent:
            gevent.sleep(0.005)
    assert late.sent == []


def test_nothing_is_sent_when_nobody_is_connected() -> None:
    skipped = count()
    schedule = Schedule(iter([1.0, 2.0]), lambda: next(skipped))

    assert (schedule.take(), schedule.take()) == (None, None)
    assert next(skipped) == 2


def test_who_has_left_a_schedule_has_no_turn_and_one_when_it_is_back() -> None:
    first, second = Sender(), Sender()
    schedule = schedule_of([first, second], iter(range(10)))
    schedule.part(first)
    assert [schedule.take() for _ in range(3)] == [second] * 3

    schedule.join(first)

    assert [schedule.take() for _ in range(4)].count(first) == 2


def test_who_comes_back_before_its_turn_has_still_but_one() -> None:
    first, second = Sender(), Sender()
    schedule = schedule_of([first, second], iter(range(10)))

    schedule.part(first)
    schedule.join(first)

    assert [schedule.take() for _ in range(4)] == [first, second] * 2


def test_a_schedule_that_all_have_left_skips() -> None:
    skipped = count()
    schedule = Schedule(iter([1.0, 2.0]), lambda: next(skipped))
    sender = Sender()
    schedule.join(sender)
    schedule.part(sender)

    assert schedule.take() is None
    assert next(skipped) == 1


def test_a_schedule_knows_how_many_have_had_their_turn() -> None:
    schedule = Schedule(iter([1.0, 2.0, 3.0]), lambda: None)

    schedule.take(), schedule.take()

    assert schedule.taken == 2
