"""`WebSocket(trace=…)`: a dict for each thing that happens, with `stage`, `url` and its fields.

A callback is called outside of every lock. Whatever it raises, and whatever it sends, does no harm
to the connection. "Secrets never appear in reprs, events, traces, logs or exceptions."
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lomond.events import Event
from lomond.tracing import Tracer
from lomond.websocket import WebSocket
from tests.helpers.fake_transport import (
    FakeChannel,
    Read,
    accept,
    accept_with,
    frames_behind_request,
    scripted,
)

URL = "ws://example.org/"
SECRET = "sekret7canary"
CLOSE = b"\x88\x05\x03\xe8bye"

Record = dict[str, Any]
Handlers = dict[str, Callable[[WebSocket], object]]


def converse(
    websocket: WebSocket, *reads: Read, on: Handlers | None = None, **options: Any
) -> tuple[list[Event], FakeChannel]:
    session_class, channel = scripted(*reads)
    seen = []
    for event in websocket.connect(session_class=session_class, ping_rate=0, **options):
        seen.append(event)
        (on or {}).get(event.name, lambda _: None)(websocket)
    return seen, channel


def trace(
    *reads: Read, on: Handlers | None = None, url: str = URL, options: Record | None = None
) -> list[Record]:
    """Return the records of a conversation, without their URLs."""
    records: list[Record] = []
    converse(WebSocket(url, trace=records.append, **(options or {})), *reads, on=on)
    assert {record.pop("url") for record in records} == {url}
    return records


def of_stage(records: list[Record], stage: str) -> list[Record]:
    """Return the fields of all records of one stage."""
    return [
        {name: value for name, value in record.items() if name != "stage"}
        for record in records
        if record["stage"] == stage
    ]


def test_the_stages_of_a_conversation_come_in_order() -> None:
    records = trace(accept, b"\x81\x02hi", CLOSE, b"", on={"text": WebSocket.close})

    assert [record["stage"] for record in records] == [
        "connect_start",
        "socket_send",
        "socket_recv",
        "handshake_ready",
        "socket_recv",
        "message_text",
        "socket_send",
        "close_requested",
        "socket_recv",
        "message_close",
        "socket_recv",
        "disconnected",
    ]


def test_connect_start_has_the_times() -> None:
    [fields] = of_stage(trace(accept, b""), "connect_start")

    assert fields == {
        "poll": 5.0,
        "ping_rate": 0,
        "ping_timeout": None,
        "auto_pong": True,
        "close_timeout": 30.0,
    }


def test_connect_start_is_told_before_connect_returns() -> None:
    records: list[Record] = []

    WebSocket(URL, trace=records.append).connect(poll=3)

    assert [(record["stage"], record["poll"]) for record in records] == [("connect_start", 3)]


def test_what_passes_the_socket_is_counted() -> None:
    websocket = WebSocket(URL)
    records: list[Record] = []
    websocket.trace = records.append

    _, channel = converse(websocket, accept, b"\x81\x02hi", b"")

    assert sum(fields["length"] for fields in of_stage(records, "socket_send")) == len(channel.sent)
    assert [fields["length"] for fields in of_stage(records, "socket_recv")][1:] == [4, 0]


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"verify": True, "has_context": False, "cafile": None}),
        ({"ssl_cafile": "ca.pem"}, {"verify": True, "has_context": False, "cafile": "ca.pem"}),
        ({"ssl_verify": False}, {"verify": False, "has_context": False, "cafile": None}),
    ],
)
def test_tls_is_told_with_its_options(options: Record, fields: Record) -> None:
    records = trace(accept, b"", url="wss://example.org/", options=options)

    assert of_stage(records, "tls_wrapped") == [fields]


def test_a_context_of_the_users_own_is_told_of() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    records = trace(accept, b"", url="wss://example.org/", options={"ssl_context": context})

    assert [fields["has_context"] for fields in of_stage(records, "tls_wrapped")] == [True]


def test_no_tls_is_told_of_without_tls() -> None:
    assert of_stage(trace(accept, b""), "tls_wrapped") == []


def test_ready_is_told_with_what_was_agreed_on() -> None:
    agreed = accept_with(
        "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"
    )
    options = {"protocols": ["chat"], "compress": True}

    [fields] = of_stage(trace(agreed, b"", options=options), "handshake_ready")

    assert fields == {"protocol": "chat", "extensions": ["permessage-deflate"]}


def test_a_rejection_is_told_with_its_reason() -> None:
    records = trace(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    assert of_stage(records, "handshake_rejected") == [
        {"reason": "Websocket upgrade failed (code=403)", "status_code": 403}
    ]
    assert records[-1] == {"stage": "disconnected"}


@pytest.mark.parametrize(
    ("frame", "stage", "fields"),
    [
        (b"\x81\x03h\xc3\xbc", "message_text", {"length": 2}),
        (b"\x82\x03abc", "message_binary", {"length": 3}),
        (b"\x89\x01p", "message_ping", {"length": 1}),
        (b"\x8a\x00", "message_pong", {"length": 0}),
        (CLOSE, "message_close", {"code": 1000, "reason": "bye"}),
        (b"\x88\x00", "message_close", {"code": None, "reason": ""}),
    ],
)
def test_what_the_server_sends_is_told(frame: bytes, stage: str, fields: Record) -> None:
    assert of_stage(trace(accept, frame, b""), stage) == [fields]


@pytest.mark.parametrize(
    ("call", "stage", "fields"),
    [
        (lambda ws: ws.send_text("hü"), "send_text", {"length": 2, "compressed": True}),
        (lambda ws: ws.send_text("h", False), "send_text", {"length": 1, "compressed": False}),
        (lambda ws: ws.send_json(a=1), "send_text", {"length": 8, "compressed": True}),
        (lambda ws: ws.send_binary(b"abc"), "send_binary", {"length": 3, "compressed": True}),
        (lambda ws: ws.send_ping(b"p"), "send_ping", {"length": 1}),
        (lambda ws: ws.send_pong(b""), "send_pong", {"length": 0}),
        (lambda ws: ws.close(1001, "bye"), "close_requested", {"code": 1001, "reason": "bye"}),
    ],
)
def test_what_the_application_sends_is_told(
    call: Callable[[WebSocket], object], stage: str, fields: Record
) -> None:
    assert of_stage(trace(accept, b"", on={"ready": call}), stage) == [fields]


def test_a_bad_argument_is_not_told() -> None:
    def send_badly(websocket: WebSocket) -> None:
        with pytest.raises(TypeError):
            websocket.send_text(b"hi")

    assert of_stage(trace(accept, b"", on={"ready": send_badly}), "send_text") == []


def test_a_connection_that_failed_is_told() -> None:
    records = trace(accept, on={"connecting": WebSocket.close})

    assert [record["stage"] for record in records] == [
        "connect_start",
        "close_requested",
        "disconnected",
    ]


def test_what_was_sent_is_told_before_a_failure() -> None:
    session_class, channel = scripted(accept)
    channel.takes.extend([5, BrokenPipeError("gone")])
    records: list[Record] = []

    list(WebSocket(URL, trace=records.append).connect(session_class=session_class))

    assert [record["stage"] for record in records[1:]] == ["socket_send", "disconnected"]


# ---- callbacks that misbehave -------------------------------------------------------------------


def test_a_callback_that_raises_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: Record) -> None:
        raise ZeroDivisionError(record["stage"])

    caplog.set_level(logging.DEBUG, "lomond")
    seen, channel = converse(
        WebSocket(URL, trace=fail), accept, b"\x81\x02hi", CLOSE, b"", on={"text": WebSocket.close}
    )

    assert [event.name for event in seen[-2:]] == ["closed", "disconnected"]
    assert len(frames_behind_request(channel)) == 1
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


def test_a_callback_that_raises_does_not_keep_a_sender_from_sending() -> None:
    def fail(record: Record) -> None:
        raise ZeroDivisionError

    websocket = WebSocket(URL, trace=fail)

    _, channel = converse(websocket, accept, b"", on={"ready": lambda ws: ws.send_text("hi")})

    assert frames_behind_request(channel) == [(0x81, b"hi")]


def test_a_callback_may_send() -> None:
    def answer(record: Record) -> None:
        if record["stage"] == "message_text":
            websocket.send_text("seen")

    websocket = WebSocket(URL, trace=answer)

    seen, channel = converse(websocket, accept, b"\x81\x02hi", b"")

    assert frames_behind_request(channel) == [(0x81, b"seen")]
    assert seen[-1].name == "disconnected"


def test_a_callback_may_close() -> None:
    def close(record: Record) -> None:
        if record["stage"] == "handshake_ready":
            websocket.close()

    websocket = WebSocket(URL, trace=close)

    seen, channel = converse(websocket, accept, CLOSE, b"")

    assert [event.name for event in seen[-2:]] == ["closed", "disconnected"]
    assert frames_behind_request(channel) == [(0x88, b"\x03\xe8goodbye")]


def test_a_callback_is_called_outside_of_every_lock() -> None:
    free = []

    def take_and_release(lock: Any) -> None:
        free.append(lock.acquire(timeout=5))
        lock.release()

    def look(record: Record) -> None:
        exchange = None if websocket.session is None else websocket.session._exchange
        if exchange is not None:
            other = threading.Thread(target=take_and_release, args=[exchange._lock])
            other.start()
            other.join()

    websocket = WebSocket(URL, trace=look)
    converse(websocket, accept, b"\x81\x02hi", CLOSE, b"", on={"text": lambda ws: ws.send_text("")})

    assert len(free) > 5
    assert all(free)


def test_records_may_be_handed_over_by_two_threads_at_once() -> None:
    tracer: Tracer
    seen = []

    def hand_over_the_rest(record: Record) -> None:
        seen.append(record["stage"])
        other = threading.Thread(target=tracer.emit)
        other.start()
        other.join()

    tracer = Tracer(hand_over_the_rest, URL)
    for stage in "abc":
        tracer.note(stage)
    tracer.emit()

    assert seen == ["a", "b", "c"]


def test_the_last_record_may_be_gone_when_it_is_taken() -> None:
    class Shared(list[Record]):
        """A queue that another thread empties between the look and the grasp."""

        def __bool__(self) -> bool:
            return True

        def popleft(self) -> Record:
            raise IndexError

    tracer = Tracer(print, URL)
    tracer._records = Shared()

    tracer.emit()


# ---- where records go ---------------------------------------------------------------------------


@pytest.mark.parametrize("trace_option", [True, 1, "yes"])
def test_what_is_true_and_no_callable_goes_to_the_log(
    trace_option: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "lomond")

    converse(WebSocket(URL, trace=trace_option), accept, b"")

    assert "'stage': 'handshake_ready'" in caplog.text
    assert {record.name for record in caplog.records} == {"lomond"}


@pytest.mark.parametrize("trace_option", [None, False])
def test_nothing_is_traced_unless_it_is_asked_for(trace_option: Any) -> None:
    websocket = WebSocket(URL, trace=trace_option)

    assert websocket.state.tracer is None


def test_secrets_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    records: list[Record] = []
    websocket = WebSocket(
        f"ws://user:{SECRET}@example.org/",
        headers={"Authorization": SECRET, "Cookie": f"a={SECRET}"},
        trace=records.append,
    )

    seen, _ = converse(websocket, accept, b"\x81\x02hi", CLOSE, b"", on={"text": WebSocket.close})

    assert SECRET not in repr(records) + repr(seen) + repr(websocket) + caplog.text
    assert {record["url"] for record in records} == {"ws://***@example.org/"}


def test_a_channel_that_is_watched_does_all_that_it_did() -> None:
    channel = FakeChannel([b"more"], takes=[0])
    watched = Tracer(print, URL).watch(channel, None)

    watched.unread(b"back")

    assert watched.receive() == b"back"
    assert watched.receive() == b"more"
    assert watched.receive() is None
    assert (watched.send(b"x"), watched.flush(), watched.is_ready) == (0, True, False)
    watched.close()
    assert channel.calls == ["close"]


def test_an_event_without_a_stage_leaves_no_record() -> None:
    records: list[Record] = []
    tracer = Tracer(records.append, URL)

    tracer.note_events([Event()])
    tracer.emit()

    assert records == []
