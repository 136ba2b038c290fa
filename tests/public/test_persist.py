"""`persist()`: connect, wait, connect again, until `exit_event` is set.

"BackOff comes between Disconnected and the next Connecting." It calls `websocket.connect` with
`poll`, `ping_rate` and `ping_timeout` and what the caller gave besides: "fakes accept nothing
else". Setting `exit_event` ends a wait, and a live connection with Close 1001; set from the start,
no attempt is made.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from lomond import events
from lomond import persist as module
from lomond.persist import persist
from lomond.response import Response
from lomond.session import WebsocketSession
from lomond.websocket import WebSocket
from tests.helpers.fake_transport import Clock, accept, frames_behind_request, scripted

URL = "ws://example.org/"
READY = events.Ready(Response(b""), None, set())
LOST = events.Disconnected("lost")
FAILED = events.ConnectFail("refused")
HOPELESS = events.ConnectFail("untrusted", retryable=False)


def rejected(*headers: bytes, retryable: bool = True) -> events.Rejected:
    head = b"\r\n".join([b"HTTP/1.1 503 Busy", *headers, b"", b""])
    return events.Rejected(Response(head), "busy", retryable=retryable)


class FakeWebSocket:
    """As the tests of programs have it: it accepts what Lomond's `persist` passes, and no more."""

    def __init__(self, *runs: Iterable[events.Event]) -> None:
        self.runs = list(runs)
        self.calls: list[dict[str, Any]] = []
        self.closed: list[tuple[int, bytes]] = []

    def connect(
        self, *, poll: float, ping_rate: float, ping_timeout: float
    ) -> Iterable[events.Event]:
        self.calls.append({"poll": poll, "ping_rate": ping_rate, "ping_timeout": ping_timeout})
        return self.runs[len(self.calls) - 1] if len(self.calls) <= len(self.runs) else [FAILED]

    def close(self, code: int, reason: bytes) -> None:
        self.closed.append((code, reason))


class AnyWebSocket(FakeWebSocket):
    """One that accepts everything."""

    def connect(self, **options: Any) -> Iterable[events.Event]:
        self.calls.append(options)
        return [FAILED]


class Naps:
    """An exit event that is never waited for: it notes the delays, and is set after so many."""

    def __init__(self, limit: int = 1) -> None:
        self.delays: list[float] = []
        self.is_on = False
        self._limit = limit

    def is_set(self) -> bool:
        return self.is_on

    def set(self) -> None:
        self.is_on = True

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.delays.append(timeout)
        self.is_on = self.is_on or len(self.delays) >= self._limit
        return self.is_on


@pytest.fixture(autouse=True)
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let chance always be a half."""
    monkeypatch.setattr(module, "random", lambda: 0.5)


def run_fake(*runs: Iterable[events.Event], naps: Naps | None = None, **options: Any) -> list[str]:
    return [e.name for e in persist(FakeWebSocket(*runs), exit_event=naps or Naps(), **options)]


def delays_after(*runs: Iterable[events.Event], **options: Any) -> list[float]:
    naps = Naps(len(runs))
    run_fake(*runs, naps=naps, **options)
    return naps.delays


# ---- the order of events ------------------------------------------------------------------------


def test_back_off_comes_between_the_end_and_the_next_attempt() -> None:
    attempt = [events.Connecting(URL), FAILED]

    assert run_fake(attempt, attempt, naps=Naps(2)) == [
        "connecting",
        "connect_fail",
        "back_off",
        "connecting",
        "connect_fail",
        "back_off",
    ]


def test_back_off_says_how_long_the_wait_is() -> None:
    naps = Naps()

    told = list(persist(FakeWebSocket([FAILED]), exit_event=naps))

    assert isinstance(told[-1], events.BackOff)
    assert [told[-1].delay] == naps.delays == [6.0]


def test_nothing_is_done_before_the_first_event_is_asked_for() -> None:
    websocket = FakeWebSocket([FAILED])

    run = persist(websocket)
    assert websocket.calls == []
    next(run)

    assert isinstance(run, Iterator)
    assert len(websocket.calls) == 1


def test_events_come_as_they_happen_and_not_in_advance() -> None:
    made = []

    def run() -> Iterator[events.Event]:
        for event in (events.Connecting(URL), READY, LOST):
            made.append(event.name)
            yield event

    told = persist(FakeWebSocket(run()))

    next(told)
    assert made == ["connecting"]
    next(told)
    assert made == ["connecting", "ready"]


def test_leaving_the_loop_closes_the_connection_at_once() -> None:
    closed = []

    def run() -> Iterator[events.Event]:
        try:
            yield READY
            yield LOST
        finally:
            closed.append(True)

    connection = run()
    told = persist(FakeWebSocket(connection))
    next(told)
    told.close()

    assert closed == [True]


# ---- what connect is called with ----------------------------------------------------------------


def test_connect_gets_lomonds_three_options_and_no_more() -> None:
    websocket = FakeWebSocket()

    list(persist(websocket, exit_event=Naps()))

    assert websocket.calls == [{"poll": 5, "ping_rate": 30, "ping_timeout": 60}]


@pytest.mark.parametrize(
    ("options", "ping_timeout"),
    [
        ({}, 60),
        ({"ping_rate": 10}, 20),
        ({"ping_rate": 0}, 0),
        ({"ping_rate": None}, 0),
        ({"ping_timeout": 5}, 5),
        ({"ping_timeout": 0}, 0),
    ],
)
def test_ping_timeout_is_twice_the_rate_unless_it_is_given(
    options: dict[str, Any], ping_timeout: float
) -> None:
    websocket = FakeWebSocket()

    list(persist(websocket, exit_event=Naps(), **options))

    assert [call["ping_timeout"] for call in websocket.calls] == [ping_timeout]


def test_the_documented_order_of_positions() -> None:
    websocket, naps = FakeWebSocket(), Naps()

    list(persist(websocket, 1, 2, 3, 4, naps))

    assert websocket.calls == [{"poll": 1, "ping_rate": 4, "ping_timeout": 8}]
    assert naps.delays == [2.5]


def test_every_option_of_connect_is_passed_on() -> None:
    websocket = AnyWebSocket()
    options = {"close_timeout": 1, "auto_pong": False, "open_timeout": 2, "send_timeout": 3}

    list(persist(websocket, exit_event=Naps(), session_class=WebsocketSession, **options))

    [call] = websocket.calls
    assert {name: call[name] for name in options} == options
    assert call["session_class"] is WebsocketSession


def test_a_websocket_of_ours_gets_the_exit_event_too() -> None:
    seen = []

    class Spy(WebSocket):
        def connect(self, *args: Any, **options: Any) -> Any:
            seen.append(options)
            return [FAILED]

    naps = Naps()
    list(persist(Spy(URL), exit_event=naps))
    list(persist(Spy(URL), exit_event=Naps(), session_class=lambda websocket: None))

    assert seen[0]["exit_event"] is naps
    assert "exit_event" not in seen[1]


def test_headers_are_fresh_at_each_attempt() -> None:
    tokens = iter(["one", "two"])
    session_class, channel = scripted(b"", b"")
    websocket = WebSocket(URL, headers=lambda: {"X-Token": next(tokens)})

    list(persist(websocket, exit_event=Naps(2), session_class=session_class, min_wait=0))

    sent = bytes(channel.sent)
    assert (sent.count(b"X-Token: one"), sent.count(b"X-Token: two")) == (1, 1)


# ---- how long it waits --------------------------------------------------------------------------


def test_the_wait_grows_with_each_failure() -> None:
    assert delays_after([FAILED], [FAILED], [FAILED], [FAILED], [FAILED]) == [6, 7, 9, 13, 17.5]


def test_a_connection_that_is_lost_at_once_is_a_failure_too() -> None:
    assert delays_after([READY, LOST], [READY, LOST]) == [6, 7]


def test_a_connection_that_stayed_ready_begins_the_count_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)

    def stay(seconds: float) -> Iterator[events.Event]:
        yield READY
        clock.now += seconds
        yield LOST

    assert delays_after([FAILED], [FAILED], stay(5.0), [FAILED], stay(4.0)) == [6, 7, 5.5, 6, 7]


@pytest.mark.parametrize("ending", [HOPELESS, events.Disconnected(retryable=False)])
def test_what_is_not_worth_repeating_waits_for_max_wait(ending: events.Event) -> None:
    assert delays_after([ending], max_wait=40) == [40]


def test_a_refusal_that_is_not_worth_repeating_waits_for_max_wait() -> None:
    assert delays_after([rejected(retryable=False), LOST], max_wait=40) == [40]


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        (b"60", 62.5),
        (b"1", 7.5),
        (b"0", 7.5),
        (b"-5", 7.5),
        (b"999999999", 300),
        (b"1e20", 6),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", 300),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 7.5),
        (b"nan", 6),
        (b"inf", 6),
        (b"1e400", 6),
        (b"soon", 6),
        (b"", 6),
        (b"5\r\nRetry-After: 5", 6),
    ],
)
def test_retry_after_cannot_be_abused(value: bytes, delay: float) -> None:
    assert delays_after([rejected(b"Retry-After: " + value), LOST]) == [delay]


def test_retry_after_counts_only_for_its_own_attempt() -> None:
    assert delays_after([rejected(b"Retry-After: 60"), LOST], [FAILED]) == [62.5, 7]


def test_retry_after_can_be_ignored() -> None:
    run = [rejected(b"Retry-After: 60"), LOST]

    assert delays_after(run, respect_retry_after=False) == [6]


# ---- the exit event -----------------------------------------------------------------------------


def test_an_event_that_is_set_from_the_start_makes_no_attempt() -> None:
    websocket, naps = FakeWebSocket(), Naps()
    naps.set()

    assert list(persist(websocket, exit_event=naps)) == []
    assert websocket.calls == []


def test_an_event_that_is_set_during_a_wait_ends_it() -> None:
    class SetMeanwhile(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            threading.Thread(target=self.set).start()
            return super().wait(60)

    names = [e.name for e in persist(FakeWebSocket(), exit_event=SetMeanwhile())]

    assert names == ["connect_fail", "back_off"]


def test_an_event_that_is_set_at_back_off_is_not_waited_for() -> None:
    naps = Naps()

    for event in persist(FakeWebSocket(), exit_event=naps):
        if event.name == "back_off":
            naps.set()

    assert naps.delays == []


def test_an_event_that_is_set_during_a_connection_ends_it_without_back_off() -> None:
    websocket, naps = FakeWebSocket([READY, LOST]), Naps()
    names = []

    for event in persist(websocket, exit_event=naps):
        names.append(event.name)
        naps.set()

    assert names == ["ready", "disconnected"]
    # Not by the session itself, which is none of ours.
    assert websocket.closed[0] == (1001, b"")


def test_a_session_of_ours_closes_with_1001() -> None:
    session_class, channel = scripted(accept, b"\x88\x02\x03\xe9", b"")
    naps, names = Naps(), []

    for event in persist(WebSocket(URL), exit_event=naps, session_class=session_class):
        names.append(event.name)
        if event.name == "poll":
            naps.set()

    assert names[2:] == ["ready", "poll", "closed", "disconnected"]
    assert frames_behind_request(channel)[1:] == [(0x88, b"\x03\xe9")]


@pytest.mark.parametrize("wrap", [lambda cls: lambda ws: cls(ws), functools.partial])
def test_so_does_one_that_is_made_by_a_function(wrap: Callable[[Any], Any]) -> None:
    session_class, channel = scripted(accept, b"\x88\x02\x03\xe9", b"")
    naps = Naps()

    for event in persist(WebSocket(URL), exit_event=naps, session_class=wrap(session_class)):
        if event.name == "poll":
            naps.set()

    assert frames_behind_request(channel)[1:] == [(0x88, b"\x03\xe9")]


# ---- how it waits -------------------------------------------------------------------------------


def make_sleeper(naps: list[float]) -> type[WebsocketSession]:
    session_class, _ = scripted(b"", b"")

    class Sleeper(session_class):
        @staticmethod
        def sleep(seconds: float, exit_event: Any) -> bool:
            naps.append(seconds)
            return True

    return Sleeper


@pytest.mark.parametrize(
    "wrap",
    [lambda cls: cls, lambda cls: lambda ws: cls(ws), functools.partial],
    ids=["class", "lambda", "partial"],
)
def test_it_waits_in_the_way_of_the_sessions_world(wrap: Callable[[Any], Any]) -> None:
    naps: list[float] = []

    names = [e.name for e in persist(WebSocket(URL), session_class=wrap(make_sleeper(naps)))]

    assert names[-1] == "back_off"
    assert naps == [6.0]


def test_a_fake_websocket_waits_in_the_way_of_the_session_class_that_was_given() -> None:
    naps: list[float] = []

    list(persist(AnyWebSocket(), session_class=make_sleeper(naps)))

    assert naps == [6.0]


def test_without_an_event_it_only_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    run = persist(FakeWebSocket())

    names = [next(run).name for _ in range(5)]

    assert names == ["connect_fail", "back_off", "connect_fail", "back_off", "connect_fail"]
    assert slept == [6, 7]


# ---- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"poll": 0}, ValueError, "poll must be more than 0 seconds, not 0"),
        ({"poll": None}, TypeError, "poll must be a number of seconds, not None"),
        ({"ping_rate": -1}, ValueError, "ping_rate must be a number of seconds, 0 or more, not -1"),
        ({"ping_rate": "1"}, TypeError, "ping_rate must be a number of seconds, not '1'"),
        ({"ping_timeout": -1}, ValueError, "ping_timeout must be a number of seconds, 0 or more"),
        ({"close_timeout": -1}, ValueError, "close_timeout must be a number of seconds"),
        ({"open_timeout": "1"}, TypeError, "open_timeout must be a number of seconds, not '1'"),
        ({"min_wait": -1}, ValueError, "0 <= min_wait <= max_wait, not -1 and 30"),
        ({"min_wait": 31}, ValueError, "0 <= min_wait <= max_wait, not 31 and 30"),
        ({"max_wait": float("inf")}, ValueError, "0 <= min_wait <= max_wait, not 5 and inf"),
        ({"max_wait": None}, TypeError, "max_wait must be a number of seconds, not None"),
        ({"exit_event": 5}, TypeError, "exit_event must be an Event of threading's or gevent's"),
        ({"session_class": 5}, TypeError, "session_class must be a class or another callable"),
        ({"timeout": 5}, TypeError, "unexpected keyword argument 'timeout'"),
    ],
)
def test_a_bad_argument_raises_in_the_callers_line(
    options: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        persist(WebSocket(URL), **options)
