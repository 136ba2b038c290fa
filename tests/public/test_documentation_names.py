"""Every name of Lomond's documentation, with its parameters: in that order, with those defaults.

"Positional order and names are the documentation's; whatever is newer is keyword-only", so a call
that is right by the documentation is right here. Events take the time they were received at last.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lomond import errors, events, persist
from lomond.response import Response
from lomond.session import WebsocketSession
from lomond.websocket import WebSocket
from tests.helpers.fake_transport import accept, start

URL = "ws://example.org/"
REQUIRED = inspect.Parameter.empty
HEAD = b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nX: a, b\r\n\r\n"
RESPONSE = Response(HEAD)

EVENTS: dict[str, dict[str, Any]] = {
    "BackOff": {"delay": REQUIRED},
    "Binary": {"data": REQUIRED},
    "Closed": {"code": REQUIRED, "reason": REQUIRED},
    "ConnectFail": {"reason": REQUIRED},
    "Connected": {"url": REQUIRED},
    "Connecting": {"url": REQUIRED},
    "Disconnected": {"reason": "closed", "graceful": False},
    "Event": {},
    "Ping": {"data": REQUIRED},
    "Poll": {},
    "Pong": {"data": REQUIRED},
    "Ready": {"response": REQUIRED, "protocol": REQUIRED, "extensions": REQUIRED},
    "Rejected": {"response": REQUIRED, "reason": REQUIRED},
    "Text": {"text": REQUIRED},
    "UnknownMessage": {"message": REQUIRED},
}
CALLABLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "persist.persist": (
        persist.persist,
        {
            "websocket": REQUIRED,
            "poll": 5,
            "min_wait": 5,
            "max_wait": 30,
            "ping_rate": 30,
            "exit_event": None,
        },
    ),
    "response.Response": (Response, {"header_data": REQUIRED}),
    "Response.get": (RESPONSE.get, {"name": REQUIRED, "default": None}),
    "Response.get_list": (RESPONSE.get_list, {"name": REQUIRED}),
    "websocket.WebSocket": (WebSocket, {"url": REQUIRED, "protocols": None, "agent": None}),
    **{
        f"WebSocket.{name}": (getattr(WebSocket(URL), name), parameters)
        for name, parameters in {
            "build_request": {},
            "close": {"code": None, "reason": None},
            "connect": {
                "session_class": WebsocketSession,
                "poll": 5.0,
                "ping_rate": 30.0,
                "auto_pong": True,
            },
            "feed": {"data": REQUIRED},
            "on_disconnect": {},
            "on_response": {"response": REQUIRED},
            "reset": {},
            "send_binary": {"data": REQUIRED},
            "send_ping": {"data": b""},
            "send_pong": {"data": REQUIRED},
            "send_text": {"text": REQUIRED},
        }.items()
    },
    **{f"events.{name}": (getattr(events, name), EVENTS[name]) for name in EVENTS},
}
ERRORS = [
    "CriticalProtocolError",
    "FrameBuildError",
    "HandshakeError",
    "PayloadTooLarge",
    "ProtocolError",
    "TransportFail",
    "WebSocketClosed",
    "WebSocketClosing",
    "WebSocketError",
    "WebSocketUnavailable",
]
# The documented attributes of each event, and values for them.
VALUES: dict[str, Any] = {
    "delay": 1.5,
    "data": b"data",
    "code": 1000,
    "reason": "why",
    "url": URL,
    "graceful": True,
    "response": RESPONSE,
    "protocol": "chat",
    "extensions": set(),
    "text": "text",
    "message": b"message",
}


def parameters_of(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


@pytest.mark.parametrize("name", CALLABLES)
def test_parameters_have_the_documented_names_order_and_defaults(name: str) -> None:
    function, documented = CALLABLES[name]

    found = parameters_of(function)[: len(documented)]

    assert [(p.name, p.default) for p in found] == list(documented.items())
    assert {p.kind for p in found} <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("name", CALLABLES)
def test_what_is_newer_is_optional_and_cannot_be_given_by_position(name: str) -> None:
    function, documented = CALLABLES[name]

    newer = parameters_of(function)[len(documented) :]

    positional = [p.name for p in newer if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    # Lomond's own later additions, and one more at the end of each event.
    assert set(positional) <= {"compress", "proxy", "received_time"}
    assert all(p.default is not REQUIRED for p in newer if p.kind is not p.VAR_KEYWORD)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_takes_a_message_and_what_goes_into_it(name: str) -> None:
    error = getattr(errors, name)

    kinds = [(p.name, p.kind.name) for p in parameters_of(error)]

    assert kinds == [
        ("msg", "POSITIONAL_OR_KEYWORD"),
        ("args", "VAR_POSITIONAL"),
        ("kwargs", "VAR_KEYWORD"),
    ]
    assert str(error(msg="broken")) == "broken"
    assert str(error("{} {b}", 1, b=2)) == "1 2"
    assert issubclass(error, errors.WebSocketError)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_can_be_made_by_position_and_by_keyword(name: str) -> None:
    event_class, names = getattr(events, name), EVENTS[name]
    values = {key: VALUES[key] for key in names}

    for event in (event_class(*values.values()), event_class(**values)):
        assert {key: getattr(event, key) for key in names} == values


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_a_time_and_but_for_the_base_a_name(name: str) -> None:
    event_class = getattr(events, name)
    event = event_class(**{key: VALUES[key] for key in EVENTS[name]})

    assert isinstance(event, events.Event)
    assert event.received_time > 1_500_000_000
    assert isinstance(getattr(event_class, "name", ""), str)
    assert hasattr(event, "name") == (name != "Event")


def test_ready_can_be_told_by_its_name() -> None:
    assert events.Ready(RESPONSE, None, set()).name == "ready"


def test_disconnected_says_closed_and_not_graceful_unless_told_otherwise() -> None:
    event = events.Disconnected()

    assert (event.reason, event.graceful) == ("closed", False)


def test_random_of_persist_is_a_number_from_0_up_to_1() -> None:
    assert 0 <= persist.random() < 1


@pytest.mark.parametrize("name", ["is_closed", "is_closing", "is_secure"])
def test_a_flag_of_the_websocket_is_a_property(name: str) -> None:
    assert isinstance(inspect.getattr_static(WebSocket, name), property)
    assert getattr(WebSocket(URL), name) is False


def test_a_websocket_over_tls_is_secure() -> None:
    assert WebSocket("wss://example.org/").is_secure is True


@pytest.mark.parametrize(
    ("module", "name"),
    [("constants", "USER_AGENT"), ("status", "Status"), ("session", "WebsocketSession")],
)
def test_a_name_that_the_documentation_mentions_exists(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(f"lomond.{module}"), name)


def test_a_response_gives_a_header_or_the_default() -> None:
    response = Response(header_data=HEAD)

    assert response.get(b"x") == b"a, b"
    assert response.get(name=b"missing", default=b"none") == b"none"
    assert response.get(b"missing") is None


def test_a_response_splits_a_list() -> None:
    assert RESPONSE.get_list(b"X") == ["a", "b"]
    assert RESPONSE.get_list(name=b"missing") == []


def test_nothing_is_connected_before_the_first_event_is_asked_for() -> None:
    websocket = WebSocket("ws://127.0.0.1:1/", ["chat"], "me")

    run = websocket.connect(WebsocketSession, 5.0, 30.0, True)

    assert isinstance(run, Iterator)
    assert next(run).name == "connecting"


def test_iterating_connects_with_the_defaults() -> None:
    websocket = WebSocket("ws://127.0.0.1:1/")

    run = iter(websocket)

    assert type(websocket.session) is WebsocketSession
    assert isinstance(next(run), events.Connecting)


def test_everything_that_sends_takes_its_argument_by_position_and_by_keyword() -> None:
    websocket = WebSocket(URL)
    run, channel, _ = start(websocket, accept, ping_rate=0)

    websocket.send_text("a")
    websocket.send_text(text="b")
    websocket.send_binary(b"c")
    websocket.send_binary(data=b"d")
    websocket.send_ping()
    websocket.send_ping(b"e")
    websocket.send_pong(data=b"f")
    websocket.close(1001, "bye")
    frames = bytes(channel.sent).partition(b"\r\n\r\n")[2]
    run.close()

    assert [frames[0], len(frames)] == [0x81, 7 + 7 + 7 + 7 + 6 + 7 + 7 + 11]


@pytest.mark.loopback
def test_importing_the_package_gives_its_modules_but_persist() -> None:
    code = (
        "import lomond, sys\n"
        "names = 'constants errors events response session status websocket'.split()\n"
        "assert all(hasattr(lomond, name) for name in names), vars(lomond)\n"
        "assert 'lomond.persist' not in sys.modules\n"
        "assert lomond.WebSocket is lomond.websocket.WebSocket\n"
        "assert isinstance(lomond.__version__, str)\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
