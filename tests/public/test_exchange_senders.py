"""One connection's traffic, the senders' side: turns, time-outs, kills, reading ahead.

"Senders take turns: step, then write until one's own bytes are with the kernel. A killed sender
leaves its whole frame in the outbox; a sender that runs out of time ends the connection." While a
sender waits and the loop does not read, the sender reads ahead.
"""

from __future__ import annotations

import threading
from math import inf

import pytest

from lomond.errors import TransportFail, WebSocketClosed
from tests.helpers.deflate import compress
from tests.helpers.exchanges import BROKEN, RESET, TEXT, World, use_fake_clock
from tests.helpers.frames import server_frame
from tests.helpers.protocol import ending_of, ready_client, tell_all


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass by waiting only."""
    use_fake_clock(monkeypatch)


# ---- one sender ---------------------------------------------------------------------------------


def test_a_message_that_the_kernel_takes_needs_no_turn_and_no_wait() -> None:
    world = World()

    sender = world.send("hello")

    assert (sender.is_done, sender.error) == (True, None)
    assert world.channel.frames() == [(0x81, b"hello")]
    assert (world.gates, world.transport.waits) == ([], [])


def test_a_sender_waits_until_the_kernel_has_all_of_it() -> None:
    world = World(room=5)
    sender = world.send("hello")

    for room in (0, 1, 4, 1):
        assert not sender.is_done
        world.channel.room = room
        sender.resume()

    assert (sender.is_done, sender.error) == (True, None)
    assert world.channel.frames() == [(0x81, b"hello")]
    assert [wait[0] for wait in world.transport.waits] == ["wait_to_send"] * 4


def test_a_message_that_may_not_be_sent_raises_and_waits_for_nothing() -> None:
    world = World()
    world.exchange.begin_close(1000, b"")

    sender = world.send("hello")

    assert str(sender.error).startswith("data not sent: the websocket is closing")
    assert len(world.channel.frames()) == 1


def test_a_sender_who_runs_out_of_time_ends_the_connection() -> None:
    world = World(room=5, ping_rate=0, poll=60.0)
    sender = world.send("hello")
    world.clock.now = 30.0
    sender.resume()

    assert isinstance(sender.error, TransportFail)
    assert "did not take a message in 30.0s (send_timeout)" in str(sender.error)
    assert ending_of(world.client).kind == "send_timeout"
    assert str(ending_of(world.client).error) == str(sender.error)
    assert world.transport.is_cancelled
    world.exchange.leave()
    assert world.channel.calls[-1] == "reset"


def test_all_of_a_message_has_to_be_taken_within_send_timeout() -> None:
    world = World(room=1, ping_rate=0, poll=60.0)
    sender = world.send("hello" * 10)

    for second in range(1, 31):
        assert not sender.is_done
        world.clock.now = float(second)
        world.channel.room = 1
        sender.resume()

    assert "send_timeout" in str(sender.error)


@pytest.mark.parametrize("send_timeout", [None, 0])
def test_without_send_timeout_a_sender_waits_for_ever(send_timeout: float | None) -> None:
    world = World(room=0, send_timeout=send_timeout, ping_rate=0)
    sender = world.send("hello")

    world.clock.now = 1e6
    sender.resume()

    assert not sender.is_done


def test_a_socket_that_fails_while_sending_tells_the_sender() -> None:
    world = World(takes=[BROKEN])

    sender = world.send("hello")

    assert isinstance(sender.error, TransportFail)
    assert str(sender.error) == "socket fail; [Errno 32] Broken pipe"
    assert sender.error.__cause__ is BROKEN


def test_what_came_before_the_socket_failed_is_still_read() -> None:
    world = World([TEXT, b""], takes=[BROKEN])
    world.send("hello")
    assert not world.exchange.has_ended

    assert world.read_to_end() == [("text", "hi")]
    ending = ending_of(world.client)
    assert (ending.reason, ending.kind) == ("socket fail; [Errno 32] Broken pipe", "reset")
    assert world.channel.calls == ["shut_down"]


def test_sending_is_refused_once_the_socket_has_failed_too() -> None:
    world = World(takes=[RESET, RESET])
    world.send("hello")

    assert isinstance(world.send("again").error, TransportFail)


# ---- several senders ----------------------------------------------------------------------------


def test_senders_take_turns_in_the_order_in_which_they_came() -> None:
    world = World(room=5)
    senders = [world.send(text) for text in ("first", "second", "third")]
    world.channel.room = inf

    for sender in senders:
        assert not sender.is_done
        sender.resume()

    assert [sender.error for sender in senders] == [None] * 3
    assert world.channel.frames() == [(0x81, b"first"), (0x81, b"second"), (0x81, b"third")]
    assert world.send("fourth").is_done


def test_a_message_in_line_is_made_only_when_its_turn_has_come() -> None:
    world = World(room=0)
    world.send("first")
    world.send("second")

    assert world.client.outgoing.messages == 1


def test_a_close_frame_does_not_wait_for_a_turn() -> None:
    world = World(room=5)
    first, second = world.send("first"), world.send("second")

    world.exchange.begin_close(1000, b"")
    world.channel.room = inf
    first.resume()
    second.resume()

    assert world.channel.frames() == [(0x81, b"first"), (0x88, b"\x03\xe8")]
    assert first.error is None
    assert str(second.error).startswith("data not sent: the websocket is closing")


def test_a_sender_who_is_killed_in_line_is_passed_over() -> None:
    world = World(room=5)
    first, killed, third = (world.send(text) for text in ("first", "killed", "third"))

    killed.kill()
    world.channel.room = inf
    first.resume()
    third.resume()

    assert (first.error, third.error) == (None, None)
    assert world.channel.frames() == [(0x81, b"first"), (0x81, b"third")]


def test_a_sender_who_is_killed_when_its_turn_has_come_passes_it_on() -> None:
    world = World(room=5)
    first, killed, third = (world.send(text) for text in ("first", "killed", "third"))
    world.channel.room = inf

    first.resume()
    assert world.gates[0].is_open
    killed.kill()
    third.resume()

    assert third.error is None
    assert world.channel.frames() == [(0x81, b"first"), (0x81, b"third")]


def test_a_sender_who_is_killed_while_it_writes_leaves_its_whole_frame() -> None:
    world = World(room=5)
    killed, second = world.send("killed"), world.send("second")

    killed.kill()
    world.channel.room = inf
    second.resume()

    assert second.error is None
    assert world.channel.frames() == [(0x81, b"killed"), (0x81, b"second")]


def test_a_sender_who_finds_the_turn_free_still_writes_behind_what_was_left() -> None:
    world = World(room=5)
    world.send("killed").kill()
    world.channel.room = inf

    assert world.send("second").error is None
    assert world.channel.frames() == [(0x81, b"killed"), (0x81, b"second")]


def test_a_sender_may_wait_in_line_for_send_timeout_and_the_connection_goes_on() -> None:
    world = World(room=5)
    first, second = world.send("first"), world.send("second")
    assert world.gates[0].timeout == 30.0

    second.resume()
    world.channel.room = inf
    first.resume()

    assert isinstance(second.error, TransportFail)
    assert "other messages took the 30.0s of send_timeout" in str(second.error)
    assert first.error is None
    assert world.channel.frames() == [(0x81, b"first")]
    assert world.send("third").error is None


def test_a_message_that_is_refused_when_its_turn_has_come_passes_the_turn_on() -> None:
    world = World(room=5)
    first, bad, third = (world.send(text) for text in ("first", "\ud83d", "third"))
    world.channel.room = inf

    for sender in (first, bad, third):
        sender.resume()

    assert isinstance(bad.error, UnicodeEncodeError)
    assert world.channel.frames() == [(0x81, b"first"), (0x81, b"third")]


def test_senders_in_line_learn_that_the_connection_has_ended() -> None:
    world = World(room=5)
    first, second, third = (world.send(text) for text in ("first", "second", "third"))

    world.exchange.abort("closed", "closed")
    for sender in (first, second, third):
        sender.resume()

    assert isinstance(first.error, TransportFail)
    assert "the connection ended while sending" in str(first.error)
    assert isinstance(second.error, WebSocketClosed)
    assert isinstance(third.error, WebSocketClosed)


# ---- reading ahead ------------------------------------------------------------------------------


def test_a_sender_reads_ahead_while_the_loop_does_not_read() -> None:
    world = World([TEXT], room=0)
    sender = world.send("hello")
    world.channel.room = inf

    [(verb, deadline, readable)] = world.transport.waits
    assert (verb, readable) == ("wait_to_send", True)
    assert 0.0 < deadline <= 5.0
    sender.finish()

    assert world.read() == [("text", "hi")]
    assert world.transport.waits[-1][0] == "wait_to_send"


def test_what_was_read_ahead_comes_before_what_is_read_later() -> None:
    world = World([b"\x81\x011", b"\x81\x012", b"\x81\x013"], room=0)
    sender = world.send("hello")
    sender.resume()
    sender.kill()

    assert world.read() == [("text", "1"), ("text", "2")]
    assert world.read() == [("text", "3")]


def test_pings_are_answered_while_reading_ahead() -> None:
    world = World([b"\x89\x01a", b"\x89\x01b"], room=5)
    sender = world.send("hello")
    sender.resume()
    world.channel.room = inf
    sender.resume()

    # Only the newest, since none could be written at once.
    assert world.channel.frames() == [(0x81, b"hello"), (0x8A, b"b")]


def test_polls_go_on_while_reading_ahead() -> None:
    world = World(room=0)
    sender = world.send("hello")
    world.clock.now = 5.0
    sender.resume()
    sender.kill()

    assert world.read() == [("poll",)]


def test_time_outs_are_judged_while_reading_ahead() -> None:
    world = World(room=0, ping_timeout=10.0)
    sender = world.send("hello")
    world.clock.now = 10.0
    sender.finish()

    assert "the connection ended while sending" in str(sender.error)
    assert world.read() == [("poll",), ("unresponsive",)]
    assert world.exchange.has_ended


def test_a_stream_that_ends_while_reading_ahead_ends_the_sender() -> None:
    world = World([TEXT, b""], room=0)
    sender = world.send("hello")
    sender.finish()

    assert isinstance(sender.error, TransportFail)
    assert not world.exchange.has_ended
    assert world.read_to_end() == [("text", "hi")]


def test_an_exit_event_is_seen_while_reading_ahead() -> None:
    world = World(room=0, ping_rate=0)
    world.transport._exit_event = event = threading.Event()
    sender = world.send("hello")
    event.set()
    sender.resume()
    world.clock.now = 1.0
    sender.finish()

    assert "the connection ended while sending" in str(sender.error)
    assert ending_of(world.client).kind == "close_timeout"


def test_reading_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lomond.exchange.READ_AHEAD", 8)
    world = World([TEXT] * 9, room=0)
    assert world.read() == [("text", "hi")]
    sender = world.send("hello")
    sender.resume()
    sender.resume()

    assert [wait[-1] for wait in world.transport.waits[1:]] == [True, True, False]
    assert world.read() == [("text", "hi")] * 2
    # What the loop has taken makes room again.
    sender.resume()
    assert world.transport.waits[-1][-1] is True


def test_reading_ahead_is_bounded_by_what_the_bytes_become(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lomond.exchange.READ_AHEAD", 1000)
    bomb = server_frame(0xC1, compress([b"x" * 20_000])[0])
    assert len(bomb) < 100
    world = World([bomb] * 9, room=0, client=ready_client(deflate=""))
    world.send("hello").resume()

    assert [wait[-1] for wait in world.transport.waits] == [True, False]


def test_a_sender_does_not_read_while_the_loop_does() -> None:
    world = World([TEXT], room=0)
    loop = world.spawn(world.exchange.read)

    sender = world.send("hello")
    assert world.transport.waits == [("wait", 5.0, True, False), ("wait_to_send", 30.0, False)]
    loop.resume()

    assert tell_all(loop.result) == [("text", "hi")]
    assert not sender.is_done


def test_a_sender_who_is_done_wakes_the_loop_which_may_have_to_write_now() -> None:
    world = World(room=5)
    sender = world.send("hello")
    world.spawn(world.exchange.read)

    sender.kill()

    assert world.channel.calls == ["wake"]


def test_a_sender_who_has_read_ahead_wakes_a_loop_that_waits() -> None:
    world = World(room=0)
    sender = world.send("hello")

    def begin_to_wait(_: bytes) -> bytes:
        # In another thread, while this one is about to read: it found nothing read ahead.
        world.exchange._is_reading = True
        return TEXT

    world.channel.reads.append(begin_to_wait)
    sender.resume()

    assert world.channel.calls == ["wake"]
