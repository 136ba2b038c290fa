"""What of a flood, or of pushes to those who are idle, is counted: what came during the load."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from lomond.events import Binary, Event, Text
from lomond_gevent.load.metrics import Metrics
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.scenarios import Listener, find_scenario


def member_of() -> tuple[Listener, Metrics]:
    """Return a client that never connects, and what it counts into."""
    metrics = Metrics()
    swarm: Any = SimpleNamespace(metrics=metrics, make_websocket=lambda: None)
    return Listener(swarm, 1), metrics


def test_only_what_comes_while_the_load_is_on_is_counted() -> None:
    member, metrics = member_of()

    def events() -> Iterator[Event]:
        yield Text("while others connect")
        member.begin(0.0)
        yield Text("12\xe94")
        yield Binary(b"123")
        member.is_leaving = True
        yield Text("while it closes")

    member.converse(events())

    assert metrics.messages_received == 2
    assert metrics.bytes_received == 8


@pytest.mark.parametrize("name", ["flood", "idle"])
def test_who_sends_nothing_counts_so(name: str) -> None:
    assert find_scenario(Plan(scenario=name)).make_member is Listener


def test_the_first_message_is_timed_even_before_the_load() -> None:
    member, metrics = member_of()

    member.converse(iter([Text("early")]))

    assert metrics.first_message.count == 1
