"""One connection's traffic: one loop reads, any number of senders write.

"The lock is never held while waiting. The order of steps is the order on the wire. The loop never
waits for a turn. A killed sender leaves its whole frame in the outbox; a sender that runs out of
time ends the connection." While a sender waits and the loop does not read, the sender reads ahead.

Loop and senders are greenlets here, who hand over to the test wherever they wait.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent, greenlet

from lomond.errors import (
    ConnectFail,
    Kind,
    TransportFail,
    WebSocketClosed,
    WebSocketUnavailable,
)
from lomond.exchange import Exchange
from lomond.forks import PROCESS
from tests.helpers.fake_transport import Clock, FakeChannel, FakeTransport, Read
from tests.helpers.protocol import ANSWER, connecting_client, ending_of, ready_client, tell_all

TEXT = b"\x81\x02hi"
RESET = ConnectionResetError(104, "Connection reset by peer")
BROKEN = BrokenPipeError(32, "Broken pipe")


class Lock:
    """The state lock, which knows whether it is held."""

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *exception: object) -> None:
        self.depth -= 1


class Gate:
    """What a sender waits on for its turn."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_open = False
        self.timeout: float | None = None

    def set(self) -> None:
        self.is_open = True

    def wait(self, timeout: float | None = None) -> bool:
        assert self._world.lock.depth == 0, "the lock is held while waiting"
        self.timeout = timeout
        getcurrent().parent.switch()
        return self.is_open


class World:
    """An exchange on a transport without a socket, at `Ready` at 0.0 unless told otherwise."""

    def __init__(
        self,
        reads: Iterable[Read] = (),
        takes: Iterable[int | BaseException] = (),
        room: float = inf,
        send_timeout: float | None = 30.0,
        client: Any = None,
        **settings: Any,
    ) -> None:
        self.clock, self.lock = Clock(), Lock()
        self.client = ready_client(**settings) if client is None else client
        self.channel = FakeChannel(reads, takes, room)
        self.transport = FakeTransport(channel=self.channel, clock=self.clock)
        self.gates: list[Gate] = []
        self.exchange = Exchange(
            self.client, self.transport, send_timeout, self.lock, self.make_gate
        )

    def make_gate(self) -> Gate:
        self.gates.append(Gate(self))
        return self.gates[-1]

    def spawn(self, function: Callable[..., Any], *args: Any) -> Task:
        """Run a function up to the first place where it waits."""
        task = Task(self, function, args)
        task.resume()
        return task

    def send(self, text: str) -> Task:
        """Have a greenlet send a text."""
        return self.spawn(self.exchange.send, self.client.send_text, text)

    def read(self) -> list[tuple[object, ...]]:
        """Read once, in no greenlet: a wait ends by itself."""
        return tell_all(self.exchange.read())

    def read_to_end(self) -> list[tuple[object, ...]]:
        told: list[tuple[object, ...]] = []
        while not self.exchange.has_ended:
            told += self.read()
        return told


class Task:
    """A function in a greenlet."""

    def __init__(self, world: World, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._world, self._function, self._args = world, function, args
        self._greenlet = greenlet(self._run)
        self.result: Any = None
        self.error: BaseException | None = None

    def _run(self) -> None:
        try:
            self.result = self._function(*self._args)
        except BaseException as error:  # looked at by the test
            self.error = error

    @property
    def is_done(self) -> bool:
        return bool(self._greenlet.dead)

    def resume(self) -> None:
        """Wake it, and let it go on to the next place where it waits."""
        self._greenlet.switch()
        assert self._world.lock.depth == 0, "the lock is held while waiting"

    def kill(self) -> None:
        self._greenlet.throw(GreenletExit)
        assert self.is_done


@pytest.fixture(autouse=True)
def worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have exchanges look at the clock of their transport."""
    made: list[Clock] = []
    init = World.__init__

    def note(self: World, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        made.append(self.clock)

    monkeypatch.setattr(World, "__init__", note)
    monkeypatch.setattr("lomond.exchange.monotonic", lambda: made[-1].now)


# ---- the loop's side ----------------------------------------------------------------------------


def test_read_returns_what_the_bytes_mean() -> None:
    world = World([TEXT])

    assert world.read() == [("text", "hi")]
    assert world.transport.waits == [("wait", 5.0, True, False)]


def test_read_returns_at_the_next_deadline() -> None:
    world = World([None])

    assert world.read() == [("poll",)]
    assert world.clock.now == 5.0


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

    assert world.transport.waits == [("wait_to_send", 5.0, True)]
    sender.resume()

    assert world.read() == [("text", "hi")]
    assert len(world.transport.waits) == 1


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
    sender.resume()

    assert "the connection ended while sending" in str(sender.error)
    assert world.read() == [("poll",), ("unresponsive",)]
    assert world.exchange.has_ended


def test_a_stream_that_ends_while_reading_ahead_ends_the_sender() -> None:
    world = World([TEXT, b""], room=0)
    sender = world.send("hello")
    sender.resume()

    assert isinstance(sender.error, TransportFail)
    assert not world.exchange.has_ended
    assert world.read_to_end() == [("text", "hi")]


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
