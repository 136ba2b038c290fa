"""One connection's traffic, stepped by the loop and by any number of senders.

The protocol decides, the transport carries; here is who does it when. The rules:

1. Steps of the protocol, one non-blocking read or write with them, run one at a time: under a lock
   never held while waiting or yielding, or in a hub's thread. So their order is that on the wire.
2. One greenlet or thread reads: the loop. Senders take turns, and wait for the kernel only with
   their own message; the loop never waits for a turn, so polls, pings and time-outs go on.
3. While a sender waits and the loop does not read (its handler is the sender, or busy), the
   sender reads ahead, up to a bound: two peers who both only send would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from time import monotonic, time
from typing import Any

from lomond.errors import ConnectFail, Kind, TransportFail
from lomond.events import Event
from lomond.failures import explain, kind_of
from lomond.outbox import Gate, Outbox
from lomond.protocol.client import ClientProtocol
from lomond.protocol.inbound import size_of
from lomond.transport import EXIT_EVENT_INTERVAL, Transport

# How much a sender reads ahead, in bytes: two peers who both send do not deadlock below it.
READ_AHEAD = 1 << 20

# What `exit_event` closes with, and how long the closing handshake may take then, in seconds.
GOING_AWAY = 1001
EXIT_TIMEOUT = 1.0

# Who ends a connection like this leaves a peer that may take nothing any more: without a reset,
# what was sent stays with the kernel, by the megabyte, for each such connection.
_RESETTING: frozenset[Kind] = frozenset(
    {"ping_timeout", "close_timeout", "send_timeout", "timeout", "forced"}
)


class Exchange:
    """Read for one loop, write for many senders."""

    __slots__ = (
        "_ahead",
        "_ahead_kept",
        "_ahead_limit",
        "_failure",
        "_is_reading",
        "_lock",
        "_make_gate",
        "_outbox",
        "_send_timeout",
        "is_abandoned",
        "protocol",
        "transport",
    )

    def __init__(
        self,
        protocol: ClientProtocol,
        transport: Transport,
        send_timeout: float | None,
        lock: AbstractContextManager[Any],
        make_gate: Callable[[], Gate],
    ) -> None:
        """Join the two; `lock` has to be re-entrant, `make_gate` makes what a sender waits on."""
        self.protocol = protocol
        self.transport = transport
        self._outbox = Outbox(protocol.outgoing)
        self._lock = lock
        self.is_abandoned = False
        """Set once the application ended it at once: what it has not seen yet, it never will."""
        # What the socket said, and the error, until the loop has read all that came before.
        self._failure: tuple[str, OSError] | None = None
        # Senders.
        self._make_gate = make_gate
        self._send_timeout = send_timeout or inf
        # Set while the loop waits for bytes, or is about to.
        self._is_reading = False
        # What a sender has read, the bytes in it, and at which count of received bytes it stops.
        self._ahead: list[Event] | None = None
        self._ahead_kept = 0
        self._ahead_limit = READ_AHEAD

    # ---- the loop's side ------------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Tell whether `read` has nothing more to return, ever."""
        return self.protocol.is_finished and not self._ahead

    def open(self, deadline: float) -> None:
        """Send the upgrade request; raises ConnectFail."""
        with self._lock:
            if self.protocol.is_finished:
                raise ConnectFail(
                    "closed before the connection was made", phase="handshake", kind="closed"
                )
            self.protocol.open(deadline)
            try:
                self._flush()
            except TransportFail as error:
                text = f"request failed; {error}"
                raise ConnectFail(text, phase="handshake", kind="reset", error=error) from error

    def read(self) -> list[Event]:
        """Wait for bytes or the next deadline; return what happened, perhaps nothing."""
        self._admit_reader()
        protocol = self.protocol
        # Set before looking: who reads ahead from now on wakes the loop.
        self._is_reading = True
        is_time = False
        try:
            if not (self._ahead or protocol.has_more or protocol.is_finished):
                is_left_over = protocol.outgoing.is_congested and not self._outbox.is_taken
                is_time = self.transport.wait(protocol.heartbeat.next_due, True, is_left_over)
        finally:
            self._is_reading = False
        return self._take_batch(is_time)

    def _admit_reader(self) -> None:
        """Raise WebSocketUnavailable where this is not the one to read."""
        self.transport.check_process()

    def step(self, step: Callable[..., list[Event] | None], *args: Any) -> list[Event]:
        """Take one step of the loop that reads nothing, and write what it queued."""
        self.transport.check_process()
        with self._lock:
            batch = step(*args)
            self._flush_quietly()
        return batch or []

    def _take_batch(self, is_time: bool) -> list[Event]:
        with self._lock:
            return self._next_batch(is_time)

    def _next_batch(self, is_time: bool) -> list[Event]:
        protocol = self.protocol
        if self._ahead:
            batch, self._ahead = self._ahead, None
            self._ahead_kept = 0
        else:
            batch = [] if protocol.is_finished else self._read_step(is_time)
        self._ahead_limit = protocol.bytes_received + READ_AHEAD
        return batch

    def _read_step(self, is_time: bool = False) -> list[Event]:
        """Read and judge, under the lock; where it `is_time`, polls and pings need no reading."""
        protocol, channel = self.protocol, self.transport.channel
        assert channel is not None, "nothing is read before there is a connection"
        try:
            if protocol.has_more:
                now = monotonic()
                batch = protocol.receive_more(now)
                # Each read of a flood of small frames leaves more: it must not go on for ever.
                if not protocol.has_more and protocol.heartbeat.is_over_limit(now):
                    batch = batch + protocol.tick(now)
            elif is_time and not protocol.heartbeat.is_timed_out(now := monotonic()):
                batch = protocol.beat(now)
            else:
                try:
                    data = channel.receive(protocol.bytes_missing)
                except OSError as error:
                    self._failure = "socket fail; recv fail", error
                    data = b""
                now = monotonic()
                if data:
                    batch = protocol.receive(data, time(), now)
                else:
                    batch = [] if data is None else self._end()
                # After the read: what has arrived is proof of life, however late it is seen.
                if now >= protocol.heartbeat.next_due and not protocol.has_more:
                    batch = batch + protocol.tick(now)
        except MemoryError as error:
            protocol.abort("disconnected; out of memory", "resources", error)
            return []
        outgoing = protocol.outgoing
        if outgoing.frames or outgoing.is_congested:
            self._flush_quietly()
        return batch

    def _end(self) -> list[Event]:
        if self._failure is None:
            return self.protocol.end_of_stream()
        prefix, error = self._failure
        # In TLS 1.3 a server that wants our certificate says so when the handshake is over.
        text, retryable = explain(error)
        return self.protocol.end_of_stream(
            f"{prefix}; {text}", kind_of(error), error, retryable=retryable
        )

    # ---- the senders' side ----------------------------------------------------------------

    def send(self, step: Callable[..., None], *args: Any) -> None:
        """Take a step that queues a message; return once the kernel has all of it.

        Raises what the step raises, and TransportFail where the socket fails, or has not taken
        all within `send_timeout` seconds, which ends the connection: a frame is half written.
        """
        if self._delegate(step, args):
            return
        gate: Gate | None = None
        has_turn = False
        try:
            with self._lock:
                if not self._outbox.is_taken:
                    step(*args)
                    if self._flush():
                        return
                    self._outbox.is_taken = has_turn = True
                else:
                    gate = self._outbox.queue_up(self._make_gate())
            deadline = monotonic() + self._send_timeout
            if gate is not None:
                self._await_turn(gate, deadline)
                with self._lock:
                    step(*args)
            self._drain(deadline)
        finally:
            # Also for who is killed or interrupted, at any point: the turn must not end with it.
            # It leaves a whole frame in the outbox, of which the rest is the loop's.
            if has_turn or gate is not None:
                self._leave_turn(gate)

    def _delegate(self, _step: Callable[..., None], _args: tuple[Any, ...]) -> bool:
        """Have the right thread take the step; False where that is this one.

        Raises WebSocketUnavailable in a process that has forked off since.
        """
        self.transport.check_process()
        return False

    def _await_turn(self, gate: Gate, deadline: float) -> None:
        if not gate.wait(None if deadline == inf else deadline - monotonic()):
            raise TransportFail(f"other messages took the {self._send_timeout}s of send_timeout")
        # A fork copies every greenlet, those that wait as well.
        self.transport.check_process()

    def _leave_turn(self, gate: Gate | None) -> None:
        with self._lock:
            if gate is None or self._outbox.leave(gate):
                self._outbox.pass_on()
        self._wake_reader()

    def _drain(self, deadline: float) -> None:
        """Wait until the outbox is empty; TransportFail at `deadline` or if the end comes first."""
        while True:
            with self._lock:
                if self.protocol.is_finished:
                    raise TransportFail("socket fail; the connection ended while sending")
                if self._flush():
                    return
                if monotonic() >= deadline:
                    raise self._give_up()
                reads = (
                    not self._is_reading
                    and self.protocol.bytes_received < self._ahead_limit
                    and self._ahead_kept < READ_AHEAD
                )
                deadline_now = min(deadline, self._stand_in()) if reads else deadline
            if self._ahead:
                self._wake_reader()
            self.transport.wait_to_send(deadline_now, readable=reads)

    def _stand_in(self) -> float:
        """Do the work of a loop whose handler sends, or is busy; return when to do so again."""
        if self.transport.is_cancelled:
            # By `exit_event`, which only the loop looks at otherwise.
            self.protocol.close(GOING_AWAY, b"", monotonic(), EXIT_TIMEOUT)
        ahead = self._read_step()
        self._ahead = self._ahead or []
        self._ahead += ahead
        # Of one byte on the wire deflate makes a thousand.
        self._ahead_kept += sum(map(size_of, ahead))
        if self.protocol.is_finished:
            return 0.0
        return min(self.protocol.next_due, monotonic() + EXIT_EVENT_INTERVAL)

    def _give_up(self) -> TransportFail:
        text = (
            f"socket fail; the peer did not take a message in {self._send_timeout}s (send_timeout)"
        )
        self.protocol.abort(text, "send_timeout", TransportFail(text))
        self.transport.cancel()
        return TransportFail(text)

    def _flush(self) -> bool:
        channel = self.transport.channel
        assert channel is not None, "nothing is queued before there is a connection"
        try:
            return self._outbox.flush(channel)
        except OSError as error:
            # The loop reads what came before, and finds the end behind it.
            self._failure = "socket fail", error
            self._outbox.clear()
            self.transport.shut_down()
            raise TransportFail(f"socket fail; {error}") from error
        except MemoryError as error:
            # Nobody knows how much of a frame has left.
            self._outbox.clear()
            self.protocol.abort("disconnected; out of memory", "resources", error)
            self.transport.cancel()
            raise TransportFail("socket fail; out of memory") from error

    def _flush_quietly(self) -> None:
        try:
            self._flush()
        except TransportFail:
            # Control frames have no sender who could be told; the loop finds out by reading.
            return

    def _wake_reader(self) -> None:
        if self._is_reading:
            self.transport.wake()

    # ---- anybody --------------------------------------------------------------------------

    def begin_close(self, code: int | None, reason: bytes, timeout: float | None = None) -> None:
        """Begin the closing handshake, or answer the peer's, or give up connecting."""
        with self._lock:
            if self.transport.is_foreign:
                return
            self.protocol.close(code, reason, monotonic(), timeout)
            if not self.protocol.is_finished:
                self._flush_quietly()
        if self.protocol.is_finished:
            self.transport.cancel()
        else:
            self._wake_reader()

    def abort(self, reason: str, kind: Kind) -> None:
        """End at once, without another word to the peer."""
        with self._lock:
            self.protocol.abort(reason, kind)
            self._ahead = None
            # The loop looks at the clock between two events, and then at this.
            self.is_abandoned = True
            self.protocol.heartbeat.interrupt()
        self.transport.cancel()

    def leave(self) -> None:
        """Close the socket, and end what has not ended yet; never waits, never raises."""
        with self._lock:
            if not self.protocol.is_finished:
                self.protocol.abort("closed", "closed")
            self.transport.close(reset=self.protocol.ending.kind in _RESETTING)
            self._outbox.clear()
