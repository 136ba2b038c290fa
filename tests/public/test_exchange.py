"""One connection's traffic, the loop's side: it reads, judges time-outs, and ends the connection.

"The lock is never held while waiting. The order of steps is the order on the wire. The loop never
waits for a turn." What was received before the end is delivered before it.
"""

from __future__ import annotations

import ssl
from math import inf

import pytest

from lomond.errors import (
    ConnectFail,
    Kind,
    TransportFail,
    WebSocketClosed,
    WebSocketUnavailable,
)
from lomond.forks import PROCESS
from tests.helpers.exchanges import BROKEN, RESET, TEXT, World, use_fake_clock
from tests.helpers.protocol import ANSWER, connecting_client, ending_of, tell_all


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass by waiting only."""
    use_fake_clock(monkeypatch)


# ---- the loop's side ----------------------------------------------------------------------------


def test_read_returns_what_the_bytes_mean() -> None:
    world = World([TEXT])

    assert world.read() == [("text", "hi")]
    assert world.transport.waits == [("wait", 5.0, True, False)]


def test_read_returns_at_the_next_deadline() -> None:
    world = World([None])

    assert world.read() == [("poll",)]
    assert world.clock.now == 5.0


def test_a_poll_needs_no_reading() -> None:
    world = World([TEXT], poll=5.0)
    world.transport.is_time = True
    world.clock.now = 5.0

    assert world.read() == [("poll",)]
    assert list(world.channel.reads) == [TEXT]


def test_silence_is_not_judged_without_reading() -> None:
    world = World([TEXT], poll=50.0, ping_rate=0, ping_timeout=5.0)
    world.transport.is_time = True
    world.clock.now = 5.0

    assert world.read() == [("text", "hi")]


def test_a_ping_is_answered_by_the_read_that_finds_it() -> None:
    world = World([b"\x89\x01p"])

    assert world.read() == [("ping", b"p")]
    assert world.channel.frames() == [(0x8A, b"p")]


def test_more_than_one_batch_is_returned_without_waiting() -> None:
    world = World([b"\x81\x01x" * 1500])

    sizes = [len(world.read()), len(world.read())]

    assert sizes == [1000, 500]
    assert len(world.transport.waits) == 1


def test_bytes_that_have_come_are_proof_of_life_however_late_they_are_looked_at() -> None:
    world = World([TEXT, None], ping_timeout=10.0)
    world.clock.now = 60.0

    assert world.read() == [("text", "hi"), ("poll",)]
    assert not world.client.is_finished


def test_silence_is_judged_by_a_read_that_finds_nothing() -> None:
    world = World([None], ping_timeout=10.0, poll=60.0)

    assert world.read() == [("unresponsive",)]
    assert ending_of(world.client).kind == "ping_timeout"


def test_the_end_of_the_stream_ends_the_connection() -> None:
    world = World([b""])

    assert world.read() == []
    assert world.exchange.has_ended
    ending = ending_of(world.client)
    assert (ending.reason, ending.kind) == ("socket fail; connection lost", "eof")


def test_data_and_the_end_in_one_read_are_both_noticed() -> None:
    world = World([TEXT + b"\x81\x05cut", b""])

    assert world.read_to_end() == [("text", "hi")]
    assert ending_of(world.client).bytes_lost > 0


def test_an_error_of_the_socket_ends_the_connection() -> None:
    world = World([TEXT, RESET])

    assert world.read_to_end() == [("text", "hi")]
    ending = ending_of(world.client)
    assert ending.reason == "socket fail; recv fail; [Errno 104] Connection reset by peer"
    assert (ending.kind, ending.error, ending.graceful) == ("reset", RESET, False)


def test_lack_of_memory_ends_the_connection() -> None:
    world = World(reads=[MemoryError()])
    assert world.read_to_end() == []
    ending = ending_of(world.client)
    assert (ending.kind, ending.reason) == ("resources", "disconnected; out of memory")
    assert isinstance(ending.error, MemoryError)


def test_data_before_an_error_of_tls_is_delivered() -> None:
    error = ssl.SSLError(1, "[SSL] bad record mac")
    error.reason = "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    world = World([TEXT, error])

    assert world.read_to_end() == [("text", "hi")]
    assert ending_of(world.client).kind == "tls"


def test_a_reset_behind_both_close_frames_is_graceful() -> None:
    world = World([b"\x88\x00", RESET])
    world.exchange.begin_close(1000, b"")

    assert world.read_to_end() == [("closed", None, "")]
    assert ending_of(world.client).graceful


def test_a_reset_within_the_body_of_a_refusal_does_not_hide_the_refusal() -> None:
    refusal = b"HTTP/1.1 403 No\r\n\r\nbecause"
    world = World([refusal, RESET], client=connecting_client())

    assert world.read_to_end() == [("rejected", 403, "Websocket upgrade failed (code=403)")]


def test_nothing_is_read_once_it_has_ended() -> None:
    world = World([TEXT])
    world.exchange.abort("closed", "closed")

    assert world.read() == []
    assert world.transport.waits == []
    assert len(world.channel.reads) == 1


def test_a_step_of_the_loop_writes_what_it_queued() -> None:
    world = World()
    world.clock.now = 30.0

    batch = world.exchange.step(world.client.beat, 30.0)

    assert tell_all(batch) == [("poll",)]
    assert world.channel.frames() == [(0x89, b"")]


def test_a_step_that_returns_nothing_gives_no_events() -> None:
    world = World([b"\x88\x00"])
    world.read()

    assert world.exchange.step(world.client.acknowledge_close, 0.0) == []
    assert world.channel.frames() == [(0x88, b"")]


def test_a_control_frame_that_cannot_be_written_is_no_exception_of_the_loop() -> None:
    world = World([b"\x89\x00", b""], takes=[BROKEN])

    assert world.read_to_end() == [("ping", b"")]
    ending = ending_of(world.client)
    assert (ending.reason, ending.kind) == ("socket fail; [Errno 32] Broken pipe", "reset")


def test_the_loop_writes_what_a_killed_sender_left() -> None:
    world = World(room=5)
    world.send("hello").kill()
    world.channel.room = inf

    world.read()

    assert world.transport.waits[-1] == ("wait", 5.0, True, True)
    assert world.channel.frames() == [(0x81, b"hello")]


def test_the_loop_leaves_writing_to_a_sender_who_waits() -> None:
    world = World(room=5)
    world.send("hello")

    world.read()

    assert world.transport.waits[-1] == ("wait", 5.0, True, False)


# ---- opening ------------------------------------------------------------------------------------


def test_opening_sends_the_request_and_waits_for_the_answer_until_its_deadline() -> None:
    world = World([ANSWER], client=connecting_client())

    world.exchange.open(20.0)

    assert world.channel.sent.startswith(b"GET /chat HTTP/1.1\r\n")
    assert world.read() == [("ready", 101, None, set()), ("poll",)]
    assert world.transport.waits == [("wait", 20.0, True, False)]


def test_no_answer_in_time_ends_the_connection() -> None:
    world = World([None], client=connecting_client())
    world.exchange.open(20.0)

    assert world.read_to_end() == []
    ending = ending_of(world.client)
    assert (ending.kind, ending.phase, world.clock.now) == ("timeout", "handshake", 20.0)


def test_a_request_that_cannot_be_written_is_a_failure_to_connect() -> None:
    world = World(takes=[BROKEN], client=connecting_client())

    with pytest.raises(ConnectFail, match=r"request failed; socket fail; .*Broken pipe") as raised:
        world.exchange.open(20.0)

    assert (raised.value.phase, raised.value.kind) == ("handshake", "reset")


def test_a_request_that_the_kernel_takes_in_parts_is_finished_by_the_loop() -> None:
    world = World([ANSWER], room=10, client=connecting_client())

    world.exchange.open(20.0)
    world.channel.room = inf
    world.read()

    assert world.transport.waits == [("wait", 20.0, True, True)]
    assert world.channel.sent.endswith(b"\r\n\r\n")


def test_what_was_closed_in_the_meantime_is_not_opened() -> None:
    world = World(client=connecting_client())
    world.exchange.abort("closed", "closed")

    with pytest.raises(ConnectFail, match="closed before the connection was made") as raised:
        world.exchange.open(20.0)

    assert raised.value.kind == "closed"
    assert world.channel.sent == b""


# ---- ending it ----------------------------------------------------------------------------------


def test_closing_sends_a_close_frame_and_wakes_the_loop() -> None:
    world = World()
    world.spawn(world.exchange.read)

    world.exchange.begin_close(1000, b"bye")

    assert world.channel.frames() == [(0x88, b"\x03\xe8bye")]
    assert world.channel.calls == ["wake"]


def test_closing_before_the_answer_ends_at_once() -> None:
    world = World(client=connecting_client())

    world.exchange.begin_close(1000, b"bye")

    assert world.exchange.has_ended
    assert world.transport.is_cancelled
    assert world.channel.sent == b""


def test_a_close_frame_that_cannot_be_written_is_no_error_of_the_caller() -> None:
    world = World([b""], takes=[RESET])

    world.exchange.begin_close(1000, b"")

    assert world.read_to_end() == []
    assert ending_of(world.client).kind == "reset"


def test_closing_can_have_a_time_of_its_own() -> None:
    world = World([None])
    world.exchange.begin_close(1001, b"", 1.0)
    world.exchange.begin_close(1001, b"", 9.0)

    assert world.read_to_end() == []
    assert (world.clock.now, ending_of(world.client).kind) == (1.0, "close_timeout")


def test_aborting_wakes_whoever_waits() -> None:
    world = World()

    world.exchange.abort("disconnected; forced by the application", "forced")

    assert world.channel.calls == ["shut_down", "wake"]
    assert ending_of(world.client).kind == "forced"


RESETTING: list[Kind] = ["ping_timeout", "close_timeout", "send_timeout", "timeout", "forced"]


@pytest.mark.parametrize("kind", RESETTING)
def test_a_connection_whose_peer_may_take_nothing_any_more_is_reset(kind: Kind) -> None:
    world = World()
    world.client.abort("", kind)

    world.exchange.leave()

    assert world.channel.calls == ["reset"]


@pytest.mark.parametrize("kind", ["closed", "eof", "protocol", "rejected"])
def test_any_other_is_closed(kind: Kind) -> None:
    world = World()
    world.client.abort("", kind)

    world.exchange.leave()
    world.exchange.leave()

    assert world.channel.calls == ["close"]


def test_leaving_ends_what_has_not_ended() -> None:
    world = World()

    world.exchange.leave()

    ending = ending_of(world.client)
    assert (world.exchange.has_ended, ending.kind, ending.graceful) == (True, "closed", False)


# ---- after a fork -------------------------------------------------------------------------------


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> World:
    """Make an exchange, and be a process that was forked off since."""
    world = World([TEXT])
    monkeypatch.setattr(PROCESS, "generation", PROCESS.generation + 1)
    return world


def test_a_forked_process_cannot_read(forked: World) -> None:
    with pytest.raises(WebSocketUnavailable, match="connect again after the fork"):
        forked.exchange.read()


def test_a_forked_process_cannot_send(forked: World) -> None:
    assert isinstance(forked.send("hello").error, WebSocketUnavailable)
    assert forked.channel.sent == b""


def test_a_forked_process_cannot_close_the_connection_of_its_parent(forked: World) -> None:
    forked.exchange.begin_close(1000, b"")

    assert forked.channel.sent == b""


def test_what_was_abandoned_stays_so_when_the_loop_leaves() -> None:
    world = World([TEXT])
    world.exchange.abort("closed", "closed")
    world.exchange.leave()
    assert (world.exchange.is_abandoned, world.client.next_due) == (True, -inf)


def test_lack_of_memory_while_writing_ends_the_connection() -> None:
    world = World(takes=[5, MemoryError()])
    with pytest.raises(TransportFail, match="out of memory"):
        world.exchange.send(world.client.send_text, "hello")
    assert ending_of(world.client).kind == "resources"
    with pytest.raises(WebSocketClosed):
        world.exchange.send(world.client.send_text, "again")
    assert len(world.channel.sent) == 5
