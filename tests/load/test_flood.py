"""What of a flood is counted: what came while the load was on."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from lomond.events import Binary, Event, Text
from lomond_gevent.load.metrics import Metrics
from lomond_gevent.load.scenarios import FloodMember


def member_of() -> tuple[FloodMember, Metrics]:
    """Return a client that never connects, and what it counts into."""
    metrics = Metrics()
    swarm: Any = SimpleNamespace(metrics=metrics, make_websocket=lambda: None)
    return FloodMember(swarm, 1), metrics


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


def test_the_first_message_is_timed_even_before_the_load() -> None:
    member, metrics = member_of()

    member.converse(iter([Text("early")]))

    assert metrics.first_message.count == 1
