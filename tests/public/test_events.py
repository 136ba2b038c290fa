"""Events: names, attributes, reprs and construction as documented; cheap, slotted, matchable."""

from __future__ import annotations

import copy
import json
import pickle
import time
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond import errors, events
from lomond.response import Response

RESPONSE = Response(b"HTTP/1.1 418 OK\r\n\r\n")
URL = "ws://example.org/"

# Each event that a run can produce: a sample, its name, its documented attributes in the order
# of the constructor.
SAMPLES: list[tuple[events.Event, str, dict[str, Any]]] = [
    (events.Connecting(URL), "connecting", {"url": URL}),
    (events.Connected(URL, "http://p"), "connected", {"url": URL, "proxy": "http://p"}),
    (events.ConnectFail("why"), "connect_fail", {"reason": "why"}),
    (
        events.Ready(RESPONSE, None, set()),
        "ready",
        {"response": RESPONSE, "protocol": None, "extensions": set()},
    ),
    (events.Rejected(RESPONSE, "why"), "rejected", {"response": RESPONSE, "reason": "why"}),
    (events.Poll(), "poll", {}),
    (events.Text("[1]"), "text", {"text": "[1]"}),
    (events.Binary(b"data"), "binary", {"data": b"data"}),
    (events.Ping(b"data"), "ping", {"data": b"data"}),
    (events.Pong(b"data"), "pong", {"data": b"data"}),
    (events.Closing(1001, "bye"), "closing", {"code": 1001, "reason": "bye"}),
    (events.Closed(None, ""), "closed", {"code": None, "reason": ""}),
    (events.Disconnected("why", True), "disconnected", {"reason": "why", "graceful": True}),
    (events.ProtocolError("bad", True), "protocol_error", {"error": "bad", "critical": True}),
    (events.Unresponsive(), "unresponsive", {}),
    (events.UnknownMessage("what"), "unknown", {"message": "what"}),
    (events.BackOff(5.25), "back_off", {"delay": 5.25}),
]
each_event = pytest.mark.parametrize(
    ("event", "name", "attributes"), SAMPLES, ids=[name for _, name, _ in SAMPLES]
)


def fields(event: events.Event) -> dict[str, Any]:
    """All that an event holds, for comparison; responses by their bytes, errors by their text."""
    slots = [slot for cls in type(event).__mro__ for slot in getattr(cls, "__slots__", ())]
    values = {slot: getattr(event, slot) for slot in slots if hasattr(event, slot)}
    if isinstance(values.get("response"), Response):
        values["response"] = values["response"].raw
    return values


@each_event
def test_an_event_has_its_name(event: events.Event, name: str, attributes: dict[str, Any]) -> None:
    assert event.name == name
    assert type(event).name == name


@each_event
def test_positional_arguments_become_attributes(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    made = type(event)(*attributes.values())
    assert {attribute: getattr(made, attribute) for attribute in attributes} == attributes


@each_event
def test_keyword_arguments_have_the_names_of_the_attributes(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    made = type(event)(**attributes)
    assert {attribute: getattr(made, attribute) for attribute in attributes} == attributes


@each_event
def test_the_time_is_the_last_positional_argument(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    arguments: list[Any] = [*attributes.values(), 12.5]
    assert type(event)(*arguments).received_time == 12.5
    assert type(event)(**attributes, received_time=0.0).received_time == 0.0


@each_event
def test_without_a_time_an_event_happened_now(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    before = time.time()
    made = type(event)(*attributes.values())
    assert before <= made.received_time <= time.time()


@each_event
def test_a_pattern_binds_in_the_order_of_the_constructor(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    assert type(event).__match_args__ == tuple(attributes)


@each_event
def test_an_event_has_no_dict(event: events.Event, name: str, attributes: dict[str, Any]) -> None:
    assert not hasattr(event, "__dict__")


@each_event
def test_an_event_survives_pickle(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    other = pickle.loads(pickle.dumps(event))
    assert type(other) is type(event)
    assert fields(other) == fields(event)


@each_event
def test_an_event_can_be_copied(event: events.Event, name: str, attributes: dict[str, Any]) -> None:
    assert fields(copy.copy(event)) == fields(event)


@each_event
def test_events_are_equal_only_to_themselves(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    assert event == event
    assert event != copy.copy(event)


@each_event
def test_every_event_is_documented_as_generated_or_kept(
    event: events.Event, name: str, attributes: dict[str, Any]
) -> None:
    docstring = type(event).__doc__ or ""
    assert docstring.startswith(("Generated when ", "Kept for "))
    assert all(attribute in docstring for attribute in attributes)


def test_every_public_event_is_in_the_samples() -> None:
    public = {
        value
        for name, value in vars(events).items()
        if isinstance(value, type) and issubclass(value, events.Event) and name[0] != "_"
    }
    assert public == {type(event) for event, _, _ in SAMPLES} | {events.Event}


def test_the_base_has_no_name() -> None:
    assert not hasattr(events.Event(), "name")
    assert events.Event(3.5).received_time == 3.5


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (events.Event(), "Event()"),
        (events.Connecting(URL), "Connecting(url='ws://example.org/')"),
        (events.Connected(URL), "Connected(url='ws://example.org/')"),
        (
            events.Connected(URL, "http://p:80", verified=True, timings={"dns": 0.1}),
            "Connected(url='ws://example.org/', proxy='http://p:80')",
        ),
        (events.ConnectFail("no route", kind="dns"), "ConnectFail(reason='no route')"),
        (
            events.Ready(RESPONSE, "chat", {"permessage-deflate"}),
            "Ready(response=<response HTTP/1.1 418 OK>, protocol='chat', "
            "extensions={'permessage-deflate'})",
        ),
        (
            events.Ready(RESPONSE, None, set()),
            "Ready(response=<response HTTP/1.1 418 OK>, protocol=None, extensions=set())",
        ),
        (
            events.Rejected(RESPONSE, "not today", retryable=False),
            "Rejected(response=<response HTTP/1.1 418 OK>, reason='not today')",
        ),
        (events.Poll(), "Poll()"),
        (events.Text("it's"), 'Text(text="it\'s")'),
        (events.Text("a" * 24), "Text(text='aaaaaaaaaaaaaaaaaaaaaaaa')"),
        (events.Text("a" * 25), "Text(text='aaaaaaaaaaaaaaaaaaaaaaaa' + 1 chars)"),
        (events.Binary(b"b" * 24), "Binary(data=b'bbbbbbbbbbbbbbbbbbbbbbbb')"),
        (events.Binary(b"b" * 30), "Binary(data=b'bbbbbbbbbbbbbbbbbbbbbbbb' + 6 bytes)"),
        (events.Ping(b"p" * 30), "Ping(data=b'pppppppppppppppppppppppppppppp')"),
        (events.Pong(b""), "Pong(data=b'')"),
        (events.Closing(1001, "bye"), "Closing(code=1001, reason='bye')"),
        (events.Closed(None, ""), "Closed(code=None, reason='')"),
        (events.Disconnected(), "Disconnected(reason='closed', graceful=False)"),
        (
            events.Disconnected("lost", kind="eof", code=1006, bytes_lost=3),
            "Disconnected(reason='lost', graceful=False)",
        ),
        (events.ProtocolError("bad", False), "ProtocolError(error='bad', critical=False)"),
        (events.Unresponsive(silence=61.0), "Unresponsive()"),
        (events.UnknownMessage("what"), "UnknownMessage()"),
        (events.BackOff(5.25), "BackOff(delay=5.2)"),
        (events.BackOff(30), "BackOff(delay=30.0)"),
    ],
)
def test_an_event_shows_its_documented_attributes(event: events.Event, shown: str) -> None:
    assert repr(event) == shown


def test_a_reason_is_shown_without_escapes() -> None:
    assert repr(events.ConnectFail(r"it's a \ {}")) == r"ConnectFail(reason='it's a \ {}')"


def test_a_reason_cannot_forge_a_line_or_steer_a_terminal() -> None:
    event = events.Closing(1000, "bye\nReady()\x1b[2J")
    assert repr(event) == r"Closing(code=1000, reason='bye\nReady()\x1b[2J')"


def test_the_further_fields_of_connected() -> None:
    event = events.Connected(URL, verified=False, timings={"tcp": 0.25})
    assert (event.proxy, event.verified, event.timings) == (None, False, {"tcp": 0.25})


def test_connected_without_tls_is_neither_verified_nor_unverified() -> None:
    event = events.Connected(URL)
    assert (event.verified, event.timings) == (None, {})


def test_the_further_fields_of_connect_fail() -> None:
    error = OSError("down")
    event = events.ConnectFail("why", phase="tls", kind="tls", error=error, retryable=False)
    assert (event.phase, event.kind, event.error, event.retryable) == ("tls", "tls", error, False)


def test_connect_fail_is_by_default_an_unreachable_server() -> None:
    event = events.ConnectFail("why")
    assert (event.phase, event.kind, event.error) == ("tcp", "unreachable", None)
    assert event.retryable is True


def test_the_further_fields_of_disconnected() -> None:
    event = events.Disconnected(
        "why", phase="closing", kind="reset", code=1006, closed_by="server", bytes_lost=7
    )
    assert (event.phase, event.kind, event.error, event.retryable) == (
        "closing",
        "reset",
        None,
        True,
    )
    assert (event.code, event.closed_by, event.bytes_lost) == (1006, "server", 7)


def test_disconnected_is_by_default_closed_and_not_graceful() -> None:
    event = events.Disconnected()
    assert (event.reason, event.graceful, event.phase, event.kind) == (
        "closed",
        False,
        "open",
        "closed",
    )
    assert (event.code, event.closed_by, event.bytes_lost) == (None, None, 0)


@pytest.mark.parametrize("retryable", [True, False])
def test_rejected_says_whether_to_try_again(retryable: bool) -> None:
    assert events.Rejected(RESPONSE, "why", retryable=retryable).retryable is retryable


def test_unresponsive_says_how_long_nothing_came() -> None:
    assert events.Unresponsive(silence=61.5).silence == 61.5
    assert events.Unresponsive().silence == 0.0


def test_the_fields_of_a_terminal_event_survive_pickle() -> None:
    original = events.ConnectFail("why", kind="refused", error=OSError(111, "refused"))
    event = pickle.loads(pickle.dumps(original))
    assert (event.reason, event.kind, event.error.errno) == ("why", "refused", 111)


def test_events_name_phases_and_kinds_with_the_words_of_errors() -> None:
    assert get_args(errors.Phase)[:4] == ("dns", "tcp", "proxy", "tls")
    assert {events.ConnectFail("why").kind, events.Disconnected().kind} < set(get_args(errors.Kind))


def test_a_text_decodes_json() -> None:
    assert events.Text('{"a": [1, null]}').json == {"a": [1, None]}


@pytest.mark.parametrize("text", ["[1]", "null"])
def test_json_is_decoded_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event = events.Text(text)
    first = event.json
    monkeypatch.setattr(json, "loads", None)
    assert event.json is first


def test_a_pickle_keeps_null_and_what_is_not_decoded_apart() -> None:
    event = events.Text("null")
    assert pickle.loads(pickle.dumps(event)).json is None
    assert event.json is None
    assert pickle.loads(pickle.dumps(event)).json is None


@pytest.mark.parametrize("text", ["", "{", "nul", "[" * 200_000])
def test_text_that_is_not_json_raises_value_error_each_time(text: str) -> None:
    event = events.Text(text)
    for _ in range(2):
        with pytest.raises(ValueError):
            _ = event.json


def test_json_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        events.Text("1").json = 2  # type: ignore[misc]


def describe(event: events.Event) -> object:
    match event:
        case events.Text(text):
            return text
        case events.Binary(data):
            return data
        case events.Disconnected(reason, graceful=True):
            return reason
        case events.Closing(code, reason) | events.Closed(code, reason):
            return code, reason
        case events.ProtocolError(error, critical):
            return error, critical
        case events.Connected(_, proxy):
            return proxy
        case events.Poll():
            return "poll"
    return None


@pytest.mark.parametrize(
    ("event", "described"),
    [
        (events.Text("hello"), "hello"),
        (events.Binary(b"hello"), b"hello"),
        (events.Disconnected("done", graceful=True), "done"),
        (events.Disconnected("lost"), None),
        (events.Closing(1000, "bye"), (1000, "bye")),
        (events.Closed(1001, "bye"), (1001, "bye")),
        (events.ProtocolError("bad", False), ("bad", False)),
        (events.Connected(URL, "http://p"), "http://p"),
        (events.Poll(), "poll"),
        (events.Ping(b""), None),
    ],
)
def test_a_match_statement_tells_events_apart(event: events.Event, described: object) -> None:
    assert describe(event) == described


@given(st.text())
def test_any_text_can_be_shown_and_is_held_as_it_is(text: str) -> None:
    event = events.Text(text)
    assert event.text == text
    assert repr(event).startswith("Text(text=")
    assert repr(events.Closing(1000, text)).isprintable()
