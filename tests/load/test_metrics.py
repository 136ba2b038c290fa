"""What is counted while the load is on is told from what comes before and behind it."""

from __future__ import annotations

from lomond_gevent.load.metrics import Metrics, Tally
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.redaction import hide_in_reasons

ERROR = ("tls", "tls")


def test_of_the_counts_only_those_of_the_load_are_in_time() -> None:
    metrics, tally = Metrics(trip_size=10), Tally()

    metrics.messages_received += 1
    metrics.begin_load()
    metrics.trips += 2
    tally.add(metrics.take())
    metrics.trips += 4
    metrics.end_load()
    metrics.messages_received += 8
    tally.add(metrics.take())
    metrics.messages_received += 16
    tally.add(metrics.take())

    assert tally.counts["messages.received"] == 31
    assert tally.counts_in_time["messages.received"] == 6
    assert tally.counts_in_time["bytes.sent"] == 60


def test_a_load_within_one_second_is_in_time() -> None:
    metrics = Metrics()

    metrics.messages_sent += 1
    metrics.begin_load()
    metrics.messages_sent += 2
    metrics.end_load()
    metrics.messages_sent += 4

    assert metrics.take()["counts_in_time"] == {"messages.sent": 2}


def test_of_each_kind_of_error_the_first_reason_is_kept() -> None:
    metrics, tally = Metrics(), Tally()

    for reason in ("", "first", "second"):
        metrics.note_error(*ERROR, reason=reason)
        tally.add(metrics.take())

    assert tally.errors == {ERROR: 3}
    assert tally.reasons == {ERROR: "first"}


def test_a_reason_is_short_and_without_secrets() -> None:
    plan = Plan(
        url="ws://me:hunter22@127.0.0.1/?token=abcdef",
        headers=(("Authorization", "Bearer t0psecret"), ("X-Api-Pass", "letmein")),
    )
    text = "at wss://x:y@other/?key=5:\n hunter22 abcdef t0psecret letmein " + "x" * 300

    reason = hide_in_reasons({ERROR: text}, plan)[ERROR]

    assert reason.startswith("at wss://***@other/?key=*** *** *** *** *** xxx")
    assert len(reason) == 200
