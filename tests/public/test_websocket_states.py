"""What a WebSocket says of itself, and may do, before, during and after a connection.

DESIGN of the states: CONNECTING, OPEN, CLOSE_SENT ("we began"), CLOSE_RECEIVED ("they began, and
the application is looking at `Closing`"), CLOSE_ANSWERED, CLOSED. "graceful only after the closing
handshake; closed is set at the end", however it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lomond.errors import WebSocketClosed, WebSocketClosing, WebSocketUnavailable
from lomond.events import Event
from lomond.session import WebsocketSession
from lomond.websocket import WebSocket
from tests.helpers.fake_transport import (
    FakeChannel,
    Read,
    accept,
    frames_behind_request,
    scripted,
    start,
)

URL = "ws://example.org/"
CLOSE = b"\x88\x05\x03\xe8bye"
ACTIVE, CLOSING, CLOSED = "active", "closing", "closed"

SENDS: dict[str, Callable[[WebSocket], object]] = {
    "send_text": lambda ws: ws.send_text("hi"),
    "send_binary": lambda ws: ws.send_binary(b"hi"),
    "send_json": lambda ws: ws.send_json(a=1),
    "send_ping": lambda ws: ws.send_ping(),
    "send_pong": lambda ws: ws.send_pong(b""),
}
each_send = pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)


def state_of(websocket: WebSocket) -> str:
    """Return the one of the three flags that is set."""
    flags = {
        ACTIVE: websocket.is_active,
        CLOSING: websocket.is_closing,
        CLOSED: websocket.is_closed,
    }
    [state] = [name for name, flag in flags.items() if flag]
    return state


def states_during(
    *reads: Read, on: dict[str, Callable[[WebSocket], object]] | None = None
) -> tuple[list[tuple[str, str]], WebSocket, FakeChannel]:
    """Connect, do things at events, and note which state each event meets."""
    websocket = WebSocket(URL)
    session_class, channel = scripted(*reads)
    seen = []
    for event in websocket.connect(session_class=session_class, ping_rate=0):
        seen.append((event.name, state_of(websocket)))
        (on or {}).get(event.name, lambda _: None)(websocket)
    return seen, websocket, channel


def connected(until: str, *reads: Read) -> tuple[WebSocket, Any, FakeChannel, list[Event]]:
    websocket = WebSocket(URL)
    run, channel, seen = start(websocket, *reads, until=until, ping_rate=0)
    return websocket, run, channel, seen


# ---- before a connection ------------------------------------------------------------------------


def test_a_new_websocket_is_active_and_has_no_session() -> None:
    websocket = WebSocket(URL)

    assert state_of(websocket) == ACTIVE
    assert websocket.session is None
    assert websocket.sent_close_time is None
    assert websocket.subprotocol is None
    assert websocket.supports_compression is False


@each_send
def test_sending_without_a_connection_is_unavailable(send: Callable[[WebSocket], object]) -> None:
    with pytest.raises(WebSocketUnavailable, match=r"^not connected: wait for the Ready event"):
        send(WebSocket(URL))


@pytest.mark.parametrize("method", ["close", "force_disconnect", "__exit__"])
def test_there_is_nothing_to_end_without_a_connection(method: str) -> None:
    websocket = WebSocket(URL)

    getattr(websocket, method)()

    assert state_of(websocket) == ACTIVE


def test_closing_before_connecting_does_not_keep_from_connecting() -> None:
    websocket = WebSocket(URL)
    websocket.close()

    _, _, seen = start(websocket, accept)

    assert [event.name for event in seen] == ["connecting", "connected", "ready"]


@each_send
def test_sending_before_the_first_event_is_unavailable(send: Callable[[WebSocket], object]) -> None:
    websocket = WebSocket(URL)
    websocket.connect()

    with pytest.raises(WebSocketUnavailable, match=r"^not connected"):
        send(websocket)


@pytest.mark.parametrize("method", ["close", "force_disconnect"])
def test_what_ends_a_run_before_its_first_event_keeps_it_from_connecting(method: str) -> None:
    websocket = WebSocket(URL)
    session_class, channel = scripted(accept)
    run = websocket.connect(session_class=session_class)

    getattr(websocket, method)()
    seen: list[Any] = list(run)

    assert [event.name for event in seen] == ["connecting", "connect_fail"]
    assert seen[-1].kind == "closed"
    assert channel.sent == b""


# ---- before it is ready -------------------------------------------------------------------------


@each_send
@pytest.mark.parametrize("event", ["connecting", "connected"])
def test_sending_before_ready_is_unavailable_and_writes_nothing(
    send: Callable[[WebSocket], object], event: str
) -> None:
    websocket, run, channel, _ = connected(event, accept, b"")

    with pytest.raises(WebSocketUnavailable, match=r"^not connected: wait for the Ready event"):
        send(websocket)
    rest = list(run)

    assert rest[-1].name == "disconnected"
    assert frames_behind_request(channel) == []


def test_closing_at_connecting_ends_with_connect_fail() -> None:
    seen, websocket, channel = states_during(on={"connecting": WebSocket.close})

    assert seen == [("connecting", ACTIVE), ("connect_fail", CLOSED)]
    assert channel.sent == b""
    assert websocket.sent_close_time is None


def test_closing_at_connected_ends_without_a_close_frame() -> None:
    websocket, run, channel, _ = connected("connected", accept)

    websocket.close()
    [ending] = run

    assert state_of(websocket) == CLOSED
    assert (ending.name, ending.graceful, ending.phase, ending.kind) == (
        "disconnected",
        False,
        "handshake",
        "closed",
    )
    assert frames_behind_request(channel) == []


def test_a_rejected_websocket_is_closed_when_it_is_told_so() -> None:
    seen, websocket, channel = states_during(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    assert seen[2:] == [("rejected", CLOSED), ("disconnected", CLOSED)]
    assert channel.calls == ["close"]
    assert websocket.sent_close_time is None


# ---- while it is ready --------------------------------------------------------------------------


def test_a_ready_websocket_is_active_until_the_stream_ends() -> None:
    seen, websocket, _ = states_during(accept, b"\x81\x02hi", b"")

    assert seen == [
        ("connecting", ACTIVE),
        ("connected", ACTIVE),
        ("ready", ACTIVE),
        ("poll", ACTIVE),
        ("text", ACTIVE),
        ("disconnected", CLOSED),
    ]
    assert websocket.sent_close_time is None


def test_a_session_sleeps_until_an_event_is_set() -> None:
    event = threading.Event()

    assert WebsocketSession.sleep(0.0, event) is False
    event.set()
    assert WebsocketSession.sleep(9.0, event) is True


def test_senders_of_this_world_meet_at_threading_events() -> None:
    gate = WebsocketSession.make_gate()

    assert gate.wait(0) is False
    gate.set()
    assert gate.wait(9) is True


def test_session_time_begins_with_ready() -> None:
    times: list[float] = []
    note: dict[str, Callable[[WebSocket], object]] = {
        name: lambda ws: times.append(ws.session.session_time)
        for name in ("connecting", "connected", "ready", "text")
    }

    states_during(accept, b"\x81\x02hi", b"", on=note)

    assert times[:2] == [0.0, 0.0]
    assert 0.0 < times[2] < times[3] < 5.0


def test_a_session_counts_messages_and_bytes_in_both_directions() -> None:
    websocket = WebSocket(URL)
    run, channel, _ = start(websocket, accept, b"\x81\x02hi\x89\x00\x82\x00", b"", ping_rate=0)
    session = websocket.session
    answer = session.bytes_received
    websocket.send_text("hello")

    list(run)

    assert (session.messages_received, session.messages_sent) == (2, 1)
    assert session.bytes_received == answer + 8
    assert session.bytes_sent == len(channel.sent)


def test_the_counts_of_a_session_that_never_ran_are_0() -> None:
    websocket = WebSocket(URL)
    websocket.connect()
    session = websocket.session

    assert (session.messages_received, session.messages_sent) == (0, 0)
    assert (session.bytes_received, session.bytes_sent) == (0, 0)


def test_polls_go_on_between_the_events_of_one_read() -> None:
    websocket = WebSocket(URL)
    run, _, _ = start(websocket, accept, b"\x81\x01a\x81\x01b", b"", ping_rate=0, poll=1e-6)

    names = [event.name for event in run]

    assert names[names.index("text") + 1] == "poll"
    assert names.count("text") == 2


# ---- closing by us ------------------------------------------------------------------------------


def test_a_websocket_that_closes_is_closing_until_the_server_has_answered() -> None:
    seen, _, channel = states_during(
        accept, b"\x81\x02hi", CLOSE, b"", on={"ready": WebSocket.close}
    )

    assert seen[3:] == [
        ("poll", CLOSING),
        ("text", CLOSING),
        ("closed", CLOSED),
        ("disconnected", CLOSED),
    ]
    assert frames_behind_request(channel) == [(0x88, b"\x03\xe8goodbye")]
    assert channel.calls == ["close"]


def test_closing_notes_when_it_was() -> None:
    websocket, run, _, _ = connected("ready", accept, CLOSE, b"")

    websocket.close()
    sent = websocket.sent_close_time
    list(run)

    assert sent is not None
    assert 0.0 <= sent <= websocket.session.session_time
    assert websocket.sent_close_time == sent


@each_send
def test_nothing_can_be_sent_behind_a_close_frame(send: Callable[[WebSocket], object]) -> None:
    websocket, run, channel, _ = connected("ready", accept)
    websocket.close()

    with pytest.raises(WebSocketClosing, match=r"^data not sent: the websocket is closing"):
        send(websocket)
    run.close()

    assert len(frames_behind_request(channel)) == 1


def test_closing_twice_sends_one_close_frame() -> None:
    websocket, run, channel, _ = connected("ready", accept)

    websocket.close(1000)
    websocket.close(1001)
    run.close()

    assert frames_behind_request(channel) == [(0x88, b"\x03\xe8goodbye")]


def test_a_closing_that_the_server_does_not_answer_is_not_graceful() -> None:
    websocket, run, _, _ = connected("ready", accept, b"")
    websocket.close()

    ending = list(run)[-1]

    assert (ending.graceful, ending.phase, ending.closed_by) == (False, "closing", "client")
    assert state_of(websocket) == CLOSED


# ---- closing by the server ----------------------------------------------------------------------


def test_a_websocket_is_active_while_closing_is_looked_at() -> None:
    seen, _, channel = states_during(
        accept, CLOSE, b"", on={"closing": lambda ws: ws.send_text("last words")}
    )

    assert seen[4:] == [("closing", ACTIVE), ("disconnected", CLOSED)]
    assert frames_behind_request(channel) == [(0x81, b"last words"), (0x88, b"\x03\xe8bye")]


def test_a_close_frame_is_answered_at_the_next_step() -> None:
    websocket, run, channel, _ = connected("closing", accept, CLOSE, b"")
    assert websocket.sent_close_time is None
    assert frames_behind_request(channel) == []

    ending = next(run)

    assert websocket.sent_close_time is not None
    assert (ending.graceful, ending.code, ending.closed_by) == (True, 1000, "server")


def test_closing_while_closing_is_looked_at_answers_in_our_words() -> None:
    _, _, channel = states_during(
        accept, CLOSE, b"", on={"closing": lambda ws: ws.close(4000, "mine")}
    )

    assert frames_behind_request(channel) == [(0x88, b"\x0f\xa0mine")]


def test_once_the_close_frame_is_answered_it_is_closing() -> None:
    websocket, run, _, _ = connected("closing", accept, CLOSE, b"")

    websocket.close()

    assert state_of(websocket) == CLOSING
    list(run)
    assert state_of(websocket) == CLOSED


# ---- other ends ---------------------------------------------------------------------------------


@each_send
def test_nothing_can_be_sent_after_the_end(send: Callable[[WebSocket], object]) -> None:
    _, websocket, channel = states_during(accept, b"")
    written = len(channel.sent)

    with pytest.raises(WebSocketClosed, match=r"^data not sent: the websocket is closed"):
        send(websocket)

    assert len(channel.sent) == written


@pytest.mark.parametrize("method", ["close", "force_disconnect", "__exit__", "on_disconnect"])
def test_ending_it_after_the_end_does_nothing(method: str) -> None:
    _, websocket, channel = states_during(accept, b"")
    written = len(channel.sent)

    getattr(websocket, method)()

    assert state_of(websocket) == CLOSED
    assert len(channel.sent) == written


def test_a_violation_closes_with_the_code_that_it_calls_for() -> None:
    seen, websocket, channel = states_during(accept, b"\x83\x00", b"")

    assert seen[4:] == [("protocol_error", CLOSED), ("disconnected", CLOSED)]
    [(first_byte, payload)] = frames_behind_request(channel)
    assert (first_byte, payload[:2]) == (0x88, b"\x03\xea")
    assert websocket.sent_close_time is not None


def test_forcing_the_end_sends_nothing_and_is_not_graceful() -> None:
    websocket, run, channel, _ = connected("ready", accept)

    websocket.force_disconnect()
    rest = list(run)

    assert [event.name for event in rest] == ["disconnected"]
    assert (rest[-1].kind, rest[-1].graceful) == ("forced", False)
    assert frames_behind_request(channel) == []
    assert channel.calls == ["shut_down", "wake", "reset"]


def test_what_was_not_seen_of_a_batch_is_dropped_when_the_end_is_forced() -> None:
    websocket, run, _, _ = connected("text", accept, b"\x81\x03one\x81\x03two\x89\x00")

    websocket.force_disconnect()

    assert [event.name for event in run] == ["disconnected"]


def test_nothing_comes_behind_a_poll_at_which_the_end_is_forced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    websocket, run, _, _ = connected("text", accept, b"\x81\x03one\x81\x03two")
    later = time.monotonic() + 10
    monkeypatch.setattr("lomond.session.monotonic", lambda: later)

    assert next(run).name == "poll"
    websocket.force_disconnect()

    assert [event.name for event in run] == ["disconnected"]


def test_leaving_a_with_block_ends_the_connection() -> None:
    websocket = WebSocket(URL)
    with websocket as entered:
        run, channel, _ = start(websocket, accept)

    assert entered is websocket
    assert state_of(websocket) == CLOSED
    assert [event.name for event in run] == ["disconnected"]
    assert frames_behind_request(channel)[1:] == []


@pytest.mark.parametrize("event", ["connected", "ready", "poll", "text", "closing"])
def test_a_loop_that_is_left_closes_the_socket(event: str) -> None:
    websocket, run, channel, _ = connected(event, accept, b"\x81\x02hi", CLOSE)

    run.close()

    assert channel.calls == ["close"]
    assert state_of(websocket) == CLOSED


def test_an_exception_in_the_loop_closes_the_socket() -> None:
    websocket, run, channel, _ = connected("ready", accept)

    with pytest.raises(ZeroDivisionError):
        run.throw(ZeroDivisionError)

    assert channel.calls == ["close"]
    assert state_of(websocket) == CLOSED


# ---- again --------------------------------------------------------------------------------------


def test_a_second_connection_ends_the_first_and_begins_anew() -> None:
    websocket, first, channel, _ = connected("ready", accept)

    second, _, _ = start(websocket, accept)

    assert [event.name for event in first] == ["disconnected"]
    assert channel.calls[-1] == "close"
    assert state_of(websocket) == ACTIVE
    websocket.send_text("hi")
    second.close()


def test_a_connection_after_the_end_begins_anew() -> None:
    _, websocket, _ = states_during(accept, CLOSE, b"")

    run, _, _ = start(websocket, accept)

    assert state_of(websocket) == ACTIVE
    assert websocket.sent_close_time is None
    run.close()


def test_a_reset_begins_anew() -> None:
    _, websocket, _ = states_during(accept, CLOSE, b"")
    key = websocket.state.key

    websocket.reset()

    assert state_of(websocket) == ACTIVE
    assert (websocket.session, websocket.sent_close_time) == (None, None)
    assert websocket.state.key != key


def test_programs_can_read_the_state_object() -> None:
    websocket, run, _, _ = connected("ready", accept, CLOSE, b"")

    websocket.close()

    assert websocket.state.session is websocket.session
    assert (websocket.state.closing, websocket.state.closed) == (True, False)
    list(run)
    assert (websocket.state.closing, websocket.state.closed) == (False, True)


# ---- a close in the very moment of the first event ----------------------------------------------


@pytest.mark.parametrize("method", ["close", "force_disconnect"])
def test_ending_it_while_the_run_begins_is_not_lost(method: str) -> None:
    websocket = WebSocket(URL)
    session_class, channel = scripted(accept, b"")

    class Late(session_class):
        @staticmethod
        def make_lock() -> Any:
            # Another thread, between the look for an exchange and its making.
            getattr(websocket, method)()
            return session_class.make_lock()

    names = [event.name for event in websocket.connect(session_class=Late)]

    assert names == ["connecting", "connect_fail"]
    assert channel.sent == b""
