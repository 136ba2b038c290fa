"""RFC 6455 §5.5.2: "A Ping frame may serve either as a keepalive or as a means to verify that
the remote endpoint is still responsive." When that is, and what else is due, as plain numbers.
"""

from __future__ import annotations

from math import inf

import pytest

from lomond.protocol.client import ClientProtocol
from lomond.protocol.heartbeat import Heartbeat
from tests.helpers.protocol import (
    ANSWER,
    connecting_client,
    deliver,
    ending_of,
    frames_sent,
    ready_client,
    tell_all,
)

PING = (0x89, b"")


def started(
    poll: float = 5.0, ping_rate: float | None = None, ping_timeout: float | None = None
) -> Heartbeat:
    """Make a heartbeat that began at 100.0."""
    heartbeat = Heartbeat(poll, ping_rate, ping_timeout)
    heartbeat.start(100.0)
    return heartbeat


def pings_at(client: ClientProtocol, times: list[float]) -> list[float]:
    """Return at which of these times a ping is sent."""
    found = []
    for now in times:
        client.tick(now)
        if PING in frames_sent(client):
            found.append(now)
    return found


# ---- polls -----------------------------------------------------------------------------------


def test_first_poll_of_the_heartbeat_is_due_one_period_after_its_start() -> None:
    heartbeat = started(poll=5.0)
    assert heartbeat.next_due == 105.0
    assert not heartbeat.take_poll(104.9)
    assert heartbeat.take_poll(105.0)


def test_connections_that_began_at_different_times_poll_at_one() -> None:
    due = set()
    for now in (100.0, 100.01, 100.04, 100.07):
        heartbeat = Heartbeat(5.0, None, None)
        heartbeat.start(now)
        due.add(heartbeat.next_due)
    assert due == {105.0, 105.078125}


@pytest.mark.parametrize("poll", [5e-324, 1e-9, 0.3, 1, 7.5, 1e9])
@pytest.mark.parametrize("now", [0.0, 0.9, 12345.678])
def test_first_poll_is_never_early_and_little_late(poll: float, now: float) -> None:
    heartbeat = Heartbeat(poll, None, None)
    heartbeat.start(now)
    assert now + poll <= heartbeat.next_due <= now + max(poll, 1e-6) * 1.016 + 1e-9


def test_polls_do_not_drift() -> None:
    heartbeat = started(poll=5.0)
    taken = []
    for late in (105.4, 110.9, 115.0, 120.2):
        assert heartbeat.take_poll(late)
        taken.append(heartbeat.next_due)
    assert taken == [110.0, 115.0, 120.0, 125.0]


def test_polls_that_were_missed_are_not_made_up_for() -> None:
    heartbeat = started(poll=5.0)
    assert heartbeat.take_poll(131.0)
    assert heartbeat.next_due == 136.0


def test_poll_exactly_one_period_late_starts_afresh() -> None:
    heartbeat = started(poll=5.0)
    assert heartbeat.take_poll(110.0)
    assert heartbeat.next_due == 115.0


def test_polls_come_between_events_as_well() -> None:
    client = ready_client(poll=5.0)
    assert client.beat(4.9) == []
    assert tell_all(client.beat(5.0)) == [("poll",)]
    assert client.beat(5.0) == []


def test_receiving_does_not_move_polls() -> None:
    client = ready_client(poll=1.0)
    polls = []
    for tenth in range(1, 46):
        now = tenth / 10
        deliver(client, b"\x81\x00", now)
        polls += [now for _ in client.tick(now)]
    assert polls == [1.0, 2.0, 3.0, 4.0]


# ---- pings -----------------------------------------------------------------------------------


def test_first_ping_is_sent_as_soon_as_ready() -> None:
    client = connecting_client(ping_rate=30.0)
    client.receive(ANSWER, 0.0, 0.0)
    assert frames_sent(client) == [PING]


@pytest.mark.parametrize(("random", "expected"), [(0.0, 15.0), (0.5, 22.5), (1.0, 30.0)])
def test_second_ping_comes_after_half_to_all_of_the_rate(random: float, expected: float) -> None:
    template = connecting_client(poll=100.0)
    client = ClientProtocol(template.request, template._settings, random=lambda: random)
    client.open(30.0)
    client.receive(ANSWER, 0.0, 0.0)
    client.outgoing.take()
    assert pings_at(client, [expected - 0.1, expected]) == [expected]


def test_ping_goes_with_the_last_poll_before_it() -> None:
    client = ready_client(poll=5.0, ping_rate=30.0)
    # Without a poll it would come at 22.5, with the random number of these tests.
    assert pings_at(client, [19.9, 20.0, 49.9, 50.0, 80.0]) == [20.0, 50.0, 80.0]


def test_later_pings_come_at_the_rate() -> None:
    client = ready_client(poll=100.0, ping_rate=10.0)
    times = [float(second) for second in range(1, 40)]
    # The second comes at 7.5, with the random number of these tests.
    assert pings_at(client, times) == [8.0, 18.0, 28.0, 38.0]


def test_pings_that_were_missed_are_not_made_up_for() -> None:
    client = ready_client(poll=100.0, ping_rate=10.0)
    assert pings_at(client, [40.0, 49.9, 50.0]) == [40.0, 50.0]


def test_pings_are_sent_while_other_traffic_flows() -> None:
    client = ready_client(ping_rate=1.0)
    deliver(client, b"\x81\x00", 0.7)
    client.beat(0.8)
    assert frames_sent(client) == [PING]


@pytest.mark.parametrize("off", [0, None])
def test_pings_may_be_off(off: float | None) -> None:
    client = connecting_client(ping_rate=off)
    client.receive(ANSWER, 0.0, 0.0)
    assert pings_at(client, [0.0, 1e6]) == []


def test_no_ping_is_added_while_the_kernel_takes_nothing() -> None:
    client = ready_client(ping_rate=1.0)
    client.outgoing.is_congested = True
    client.tick(10.0)
    assert frames_sent(client) == []


# ---- silence ---------------------------------------------------------------------------------


def test_silence_is_measured_from_the_last_byte() -> None:
    heartbeat = started(poll=1000.0, ping_timeout=60.0)
    assert heartbeat.measure_silence(159.9, last_received=100.0) is None
    assert heartbeat.next_due == 160.0
    assert heartbeat.measure_silence(160.0, last_received=130.0) is None
    assert heartbeat.next_due == 190.0
    assert heartbeat.measure_silence(190.0, last_received=130.0) == 60.0


def test_silence_is_judged_by_the_number_that_was_waited_for() -> None:
    # 1.2 - 0.9 is less than 0.3, and 0.9 + 0.3 is 1.2: nobody may wait for ever for a rounding.
    heartbeat = Heartbeat(100.0, None, 0.3)
    heartbeat.start(0.9)
    assert heartbeat.next_due == 1.2
    assert heartbeat.measure_silence(1.2, last_received=0.9) == pytest.approx(0.3)


def test_peer_that_is_silent_for_too_long_is_unresponsive() -> None:
    client = ready_client(poll=100.0, ping_timeout=60.0)
    assert client.tick(59.9) == []
    (event,) = client.tick(60.5)
    assert (event.name, event.silence) == ("unresponsive", 60.5)  # type: ignore[attr-defined]
    end = ending_of(client)
    assert (end.graceful, end.kind, end.phase) == (False, "ping_timeout", "open")
    assert end.reason == "disconnected; exceeded 60s ping timeout"


@pytest.mark.parametrize("data", [b"\x8a\x00", b"\x81\x02hi", b"\x82", b"\x01\x00"])
def test_any_byte_proves_life(data: bytes) -> None:
    client = ready_client(poll=100.0, ping_timeout=60.0)
    deliver(client, data, now=30.0)
    assert client.tick(60.0) == []
    assert client.tick(89.9) == []
    assert tell_all(client.tick(90.0)) == [("unresponsive",)]


def test_silence_is_not_judged_between_events() -> None:
    # The handler may have been slow, with all the bytes waiting in the kernel.
    client = ready_client(poll=100.0, ping_timeout=60.0)
    assert client.beat(1000.0) == [] or not client.is_finished
    assert not client.is_finished


def test_peer_that_was_asked_late_has_a_moment_to_answer() -> None:
    # The handler of the event at 1.0 took until 100.0: nobody has asked, so nobody has answered.
    client = ready_client(poll=1000.0, ping_rate=30.0, ping_timeout=60.0)
    deliver(client, b"\x8a\x00", now=1.0)
    assert client.tick(100.0) == []
    assert frames_sent(client) == [PING]
    assert client.next_due == 102.0
    deliver(client, b"\x8a\x00", now=100.1)
    assert client.tick(102.0) == []
    assert client.tick(160.0) == []


def test_peer_that_does_not_answer_late_either_is_unresponsive() -> None:
    client = ready_client(poll=1000.0, ping_rate=30.0, ping_timeout=60.0)
    deliver(client, b"\x8a\x00", now=1.0)
    assert client.tick(100.0) == client.tick(101.9) == []
    (event,) = client.tick(102.0)
    assert (event.name, event.silence) == ("unresponsive", 101.0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("ping_rate", [30.0, 59.0, 60.0, 0])
def test_peer_that_was_asked_in_time_has_no_more_than_the_timeout(ping_rate: float) -> None:
    client = ready_client(poll=1000.0, ping_rate=ping_rate, ping_timeout=60.0)
    deliver(client, b"\x8a\x00", now=1.0)
    while client.next_due < 61.0:
        assert client.tick(client.next_due) == []
    assert tell_all(client.tick(61.0)) == [("unresponsive",)]


def test_last_poll_comes_before_unresponsive() -> None:
    client = ready_client(poll=10.0, ping_timeout=60.0)
    assert tell_all(client.tick(60.0)) == [("poll",), ("unresponsive",)]


def test_silence_is_not_measured_without_a_timeout() -> None:
    client = ready_client(poll=100.0, ping_timeout=None)
    assert tell_all(client.tick(1e6)) == [("poll",)]


# ---- limits ----------------------------------------------------------------------------------


def test_limit_is_reached_when_it_is_due() -> None:
    heartbeat = Heartbeat(5.0, None, None)
    assert not heartbeat.is_over_limit(1e9)
    heartbeat.set_limit(10.0)
    assert heartbeat.next_due == 10.0
    assert not heartbeat.is_over_limit(9.9)
    assert heartbeat.is_over_limit(10.0)


def test_new_limit_takes_the_place_of_the_old_one() -> None:
    heartbeat = Heartbeat(5.0, None, None)
    heartbeat.set_limit(10.0)
    heartbeat.set_limit(20.0)
    assert heartbeat.next_due == 20.0


def test_limit_is_shortened_only_to_an_earlier_one() -> None:
    heartbeat = Heartbeat(5.0, None, None)
    heartbeat.set_limit(10.0)
    heartbeat.shorten_limit(20.0)
    assert heartbeat.next_due == 10.0
    heartbeat.shorten_limit(5.0)
    assert heartbeat.next_due == 5.0


def test_start_ends_the_limit_of_the_phase_before() -> None:
    heartbeat = Heartbeat(5.0, None, None)
    heartbeat.set_limit(10.0)
    heartbeat.start(9.0)
    assert not heartbeat.is_over_limit(11.0)


# ---- what is next ----------------------------------------------------------------------------


def test_nothing_is_due_before_the_start() -> None:
    heartbeat = Heartbeat(5.0, 30.0, 60.0)
    assert heartbeat.next_due == inf
    assert not heartbeat.take_poll(1e9)
    assert not heartbeat.take_ping(1e9, 1.0)
    assert heartbeat.measure_silence(1e9, 0.0) is None


def test_next_due_is_the_nearest_of_all() -> None:
    heartbeat = started(poll=5.0, ping_rate=3.0, ping_timeout=4.0)
    assert heartbeat.next_due == 100.0
    assert heartbeat.take_ping(100.0, 1.0)
    assert heartbeat.next_due == 103.0
    assert heartbeat.take_ping(103.0, 1.0)
    assert heartbeat.next_due == 104.0
    heartbeat.stop_pings()
    assert heartbeat.next_due == 105.0
    heartbeat.set_limit(102.0)
    assert heartbeat.next_due == 102.0
    heartbeat.stop()
    assert heartbeat.next_due == inf


def test_nothing_is_done_before_it_is_due() -> None:
    client = ready_client()
    due = client.next_due
    assert due == 5.0
    assert client.tick(due - 0.001) == []
    assert frames_sent(client) == []
