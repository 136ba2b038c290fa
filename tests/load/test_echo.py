"""What an echo counts and records where a send fails, or is late."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from lomond.errors import WebSocketUnavailable
from lomond.events import Event, Text
from lomond_gevent.load import Plan
from lomond_gevent.load.echo import ClosedEcho, OpenEcho
from lomond_gevent.load.metrics import Metrics
from lomond_gevent.load.scenarios import find_scenario
from lomond_gevent.load.swarm import Swarm


class Wire:
    """What a client sends with, so many times; then it fails."""

    is_closing = False

    def __init__(self, sends: int) -> None:
        self.sent: list[str] = []
        self._sends = sends

    def send_text(self, message: str) -> None:
        """Keep it."""
        if len(self.sent) == self._sends:
            raise WebSocketUnavailable("the connection is closing")
        self.sent.append(message)

    def echoes(self) -> Iterator[Event]:
        """Yield what was sent."""
        for message in self.sent:
            yield Text(message)


def member_of(sends: int, **options: Any) -> tuple[Any, Wire, Metrics]:
    """Return a client that is connected to a wire, and what it counts into."""
    plan = Plan(url="ws://127.0.0.1/", **options)
    swarm = Swarm(plan, "ws://127.0.0.1/", find_scenario(plan), lambda _delta: None)
    member = (ClosedEcho if plan.rate is None else OpenEcho)(swarm, 1)
    wire = Wire(sends)
    member.websocket = wire  # type: ignore[assignment]  # it is all that these need
    member.is_open = True
    return member, wire, swarm.metrics


@pytest.mark.parametrize(("options", "skipped"), [({}, 0), ({"rate": 1.0}, 1)])
def test_what_could_not_be_sent_is_not_counted_as_sent_and_not_awaited(
    options: dict[str, Any], skipped: int
) -> None:
    member, _, metrics = member_of(0, **options)

    member.send_due(0.0)

    assert (metrics.messages_sent, metrics.bytes_sent) == (0, 0)
    assert metrics.sends_skipped == skipped
    assert not member.is_waiting


def test_an_answer_to_which_nothing_could_be_sent_is_received_and_no_more() -> None:
    member, wire, metrics = member_of(1)
    member.send_due(0.0)

    member.converse(wire.echoes())

    counts = metrics.take()["counts"]
    assert counts == {
        "messages.sent": 1,
        "messages.received": 1,
        "bytes.sent": 64,
        "bytes.received": 64,
    }
    assert not member.is_waiting


def test_in_the_open_model_a_round_trip_counts_from_when_it_was_due() -> None:
    member, wire, metrics = member_of(1, rate=1.0)
    member.send_due(monotonic() - 0.5)

    member.converse(wire.echoes())

    assert 499_000 <= metrics.rtt.min < 600_000
    assert metrics.rtt_service.max < 100_000
