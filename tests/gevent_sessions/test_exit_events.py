"""`exit_event` ends a connection and a wait: gevent's at once, one of `threading` within 0.25 s."""

from __future__ import annotations

import threading
from typing import Any

import gevent
import gevent.event
import pytest

from lomond import events
from lomond.persist import persist
from lomond.websocket import WebSocket
from lomond_gevent import GeventSession
from tests.gevent_sessions.clients import Client, ticking
from tests.helpers.conversation import LATE, Stopwatch, ThreadTask
from tests.helpers.echo_server import EchoServer

PROMPT = 0.1
KINDS = pytest.mark.parametrize(
    ("make", "within"),
    [(gevent.event.Event, PROMPT), (threading.Event, 0.25 + LATE)],
    ids=["gevent", "threading"],
)


@KINDS
def test_connection_ends_when_it_is_set(echo_server: EchoServer, make: Any, within: float) -> None:
    exit_event = make()
    client = Client(WebSocket(echo_server.url), exit_event=exit_event, poll=60)
    client.wait_for(events.Ready)
    watch = Stopwatch()
    exit_event.set()
    client.wait_for(events.Closed)
    assert watch.seconds < within
    assert client.end().code == 1001


@KINDS
def test_wait_of_persist_ends_when_it_is_set(make: Any, within: float) -> None:
    exit_event = make()
    waiter = gevent.spawn(GeventSession.sleep, 60, exit_event)
    with ticking() as late:
        gevent.sleep(0.1)
        watch = Stopwatch()
        exit_event.set()
        assert waiter.get(timeout=5)
    assert watch.seconds < within
    # The wait has stopped nobody else.
    assert len(late) >= 5


@KINDS
def test_wait_of_persist_ends_in_time_when_it_is_not_set(make: Any, within: float) -> None:
    watch = Stopwatch()
    assert not GeventSession.sleep(0.1, make())
    assert 0.1 <= watch.seconds < 0.1 + LATE


def test_wait_of_persist_needs_no_exit_event() -> None:
    with ticking() as late:
        assert not GeventSession.sleep(0.1, None)
    assert len(late) >= 5


@KINDS
def test_it_may_be_set_in_another_thread(echo_server: EchoServer, make: Any, within: float) -> None:
    exit_event = make()
    client = Client(WebSocket(echo_server.url), exit_event=exit_event, poll=60)
    client.wait_for(events.Ready)
    watch = Stopwatch()
    ThreadTask(exit_event.set, ())
    client.wait_for(events.Closed)
    assert watch.seconds < within + LATE
    client.end()


def test_one_of_gevents_serves_the_hubs_of_several_threads() -> None:
    exit_event = gevent.event.Event()
    here = gevent.spawn(exit_event.wait)
    gevent.sleep(0)

    def wait_in_a_thread() -> bool:
        try:
            return GeventSession.sleep(60, exit_event)
        finally:
            gevent.get_hub().destroy()

    thread = ThreadTask(wait_in_a_thread, ())
    gevent.sleep(0.1)
    exit_event.set()
    assert here.get(timeout=5)
    assert thread.result()


def test_persist_leaves_no_link_behind(echo_server: EchoServer) -> None:
    exit_event = gevent.event.Event()
    websocket = WebSocket(echo_server.url_for("/close"))
    waits = 0
    for event in persist(
        websocket,
        min_wait=0.01,
        max_wait=0.02,
        session_class=GeventSession,
        exit_event=exit_event,
    ):
        waits += isinstance(event, events.BackOff)
        if waits == 5:
            break
    assert exit_event.linkcount() == 0
