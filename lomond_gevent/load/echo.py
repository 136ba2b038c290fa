"""The echo scenario: each message has to come back as it was sent, and its round trip is timed.

In the closed model a client sends, waits for the answer, thinks and sends again: latency counts
from the send. In the open model messages leave when their schedule says so, whatever has become
of those before: latency counts from the time that was *intended*, so a server that stalls
delays all that was due meanwhile, and is seen to (`rtt.service` is the time from the actual
send). An answer that comes after `request_timeout` is an error and counts as late, and its
latency is recorded all the same: leaving out the worst would flatter the server.

What a message consists of is in `messages`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from time import monotonic as clock
from typing import TYPE_CHECKING, NamedTuple

from lomond.errors import WebSocketError
from lomond.events import Binary, Event, Text
from lomond_gevent.load.member import Member

if TYPE_CHECKING:
    from lomond_gevent.load.swarm import Swarm


class EchoMember(Member):
    """A client that has messages echoed: what both models have in common."""

    __slots__ = ("_next", "_overdue")

    def __init__(self, swarm: Swarm, number: int) -> None:
        super().__init__(swarm, number)
        # What it sends next.
        self._next = swarm.messages.first(number)
        # Messages that nobody waits for any more, and when they were sent, or were to be.
        self._overdue: deque[tuple[str | bytes, float]] | None = None

    def _take_next(self) -> str | bytes:
        message = self._next
        self._next = self.swarm.messages.after[message]
        return message

    def _send(self, message: str | bytes) -> None:
        """Send, and count it."""
        metrics = self.swarm.metrics
        metrics.messages_sent += 1
        metrics.bytes_sent += len(message)
        try:
            self.swarm.sender_of(self.websocket)(message)
        except WebSocketError:
            # The events tell what has become of the connection.
            return

    def _time_out(self, message: str | bytes, since: float) -> None:
        metrics = self.swarm.metrics
        metrics.requests_timed_out += 1
        metrics.note_error("request", "timeout")
        if self._overdue is None:
            self._overdue = deque()
        self._overdue.append((message, since))

    def _take_stranger(self, answer: str | bytes, now: float) -> None:
        """Deal with a message that is no answer to what is waited for."""
        metrics = self.swarm.metrics
        for index, (message, since) in enumerate(self._overdue or ()):
            if message == answer:
                assert self._overdue is not None
                del self._overdue[index]
                metrics.requests_late += 1
                metrics.rtt.record(int((now - since) * 1e6))
                return
        metrics.note_error("request", "mismatch")
        metrics.note(f"an answer was not what was sent: {answer[:60]!r}")

    def abandon(self) -> None:
        """Forget what was under way: its connection has ended."""
        self._overdue = None


class ClosedEcho(EchoMember):
    """Sends once the answer to the last message has come."""

    __slots__ = ("_message", "_sent_at")

    def __init__(self, swarm: Swarm, number: int) -> None:
        super().__init__(swarm, number)
        # What an answer is awaited to, and since when.
        self._message: str | bytes | None = None
        self._sent_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Return whether an answer is still to come."""
        return self._message is not None

    def begin(self, due: float) -> None:
        """Send the first message when it is due."""
        self.swarm.pacer.add(due, self)

    def send_due(self, due: float) -> None:
        """Send the next message, and wait for its answer."""
        if self.is_leaving or not self.is_open or self._message is not None:
            return
        self._message = message = self._take_next()
        self._sent_at = clock()
        self._send(message)

    def converse(self, events: Iterator[Event]) -> None:
        """Answer each answer with the next message.

        This is the loop that a load consists of: what does not change is looked up before it.
        """
        metrics, after = self.swarm.metrics, self.swarm.messages.after
        record, send = metrics.rtt.record, self.swarm.sender_of(self.websocket)
        think, is_binary = self.swarm.plan.think, self.swarm.plan.binary
        kind: type[Event] = Binary if is_binary else Text
        for event in events:
            if type(event) is not kind:
                self._take_other(event)
                continue
            answer = event.data if is_binary else event.text  # type: ignore[attr-defined]  # by kind
            if answer != self._message:
                self._take_other(event)
                continue
            now = clock()
            record(int((now - self._sent_at) * 1e6))
            if think or self.is_leaving:
                self.count_received(event)  # type: ignore[arg-type]  # by kind
                self._pause(now + think)
                continue
            # An answer received and the next message sent, in one count.
            metrics.trips += 1
            self._message = message = self._next
            self._next = after[message]
            self._sent_at = now
            try:
                send(message)
            except WebSocketError:
                # The events tell what has become of the connection.
                continue

    def _take_other(self, event: Event) -> None:
        if isinstance(event, Text | Binary):
            self.count_received(event)
            self._take_stranger(event.data if isinstance(event, Binary) else event.text, clock())
        else:
            self.note(event)

    def _pause(self, until: float) -> None:
        self._message = None
        if self.is_leaving:
            self.close()
        else:
            self.swarm.pacer.add(until, self)

    def check_deadline(self, now: float) -> None:
        """Give up an answer that has not come in time, and go on with the next message."""
        if self._message is None or now - self._sent_at < self.swarm.plan.request_timeout:
            return
        self._time_out(self._message, self._sent_at)
        self._pause(now)

    def hang_up(self) -> None:
        """Close now; an answer that is still to come counts as unfinished."""
        self._forget()
        super().hang_up()

    def abandon(self) -> None:
        """Forget what was under way: its connection has ended."""
        super().abandon()
        self._forget()

    def _forget(self) -> None:
        if self._message is not None:
            self._message = None
            self.swarm.metrics.requests_unfinished += 1


class _Sent(NamedTuple):
    """A message on its way, when it was to leave, and when it left."""

    message: str | bytes
    intended: float
    left: float


class OpenEcho(EchoMember):
    """Sends when the schedule says so."""

    __slots__ = ("_under_way",)

    def __init__(self, swarm: Swarm, number: int) -> None:
        super().__init__(swarm, number)
        # In the order in which they left, which is that of the answers.
        self._under_way: deque[_Sent] = deque()

    @property
    def is_waiting(self) -> bool:
        """Return whether an answer is still to come."""
        return bool(self._under_way)

    def send_due(self, due: float) -> None:
        """Send a message that was due then."""
        if not self.is_open:
            self.swarm.metrics.sends_skipped += 1
            return
        message, now = self._take_next(), clock()
        # Up to a millisecond early: see `pacer`.
        self._under_way.append(_Sent(message, min(due, now), now))
        self._send(message)

    def converse(self, events: Iterator[Event]) -> None:
        """Match answers with what was sent."""
        metrics, under_way = self.swarm.metrics, self._under_way
        record, record_service = metrics.rtt.record, metrics.rtt_service.record
        size, is_binary = self.swarm.plan.size, self.swarm.plan.binary
        kind: type[Event] = Binary if is_binary else Text
        for event in events:
            if type(event) is not kind:
                self._take_other(event)
                continue
            answer = event.data if is_binary else event.text  # type: ignore[attr-defined]  # by kind
            if not under_way or answer != under_way[0].message:
                self._take_other(event)
                continue
            _, intended, left = under_way.popleft()
            now = clock()
            record(int((now - intended) * 1e6))
            record_service(int((now - left) * 1e6))
            metrics.messages_received += 1
            metrics.bytes_received += size
            if self.is_leaving and not under_way:
                self.close()

    def _take_other(self, event: Event) -> None:
        if not isinstance(event, Text | Binary):
            self.note(event)
            return
        self.count_received(event)
        now, answer = clock(), event.data if isinstance(event, Binary) else event.text
        for index, sent in enumerate(self._under_way):
            if answer == sent.message:
                # Out of order: those before it may come yet.
                del self._under_way[index]
                self.swarm.metrics.rtt.record(int((now - sent.intended) * 1e6))
                self.swarm.metrics.rtt_service.record(int((now - sent.left) * 1e6))
                return
        self._take_stranger(answer, now)

    def check_deadline(self, now: float) -> None:
        """Give up the answers that have not come in time."""
        limit = now - self.swarm.plan.request_timeout
        while self._under_way and self._under_way[0].intended <= limit:
            sent = self._under_way.popleft()
            self._time_out(sent.message, sent.intended)
        if self.is_leaving and self.is_open and not self._under_way:
            self.close()

    def hang_up(self) -> None:
        """Close now; answers that are still to come count as unfinished."""
        self._forget()
        super().hang_up()

    def abandon(self) -> None:
        """Forget what was under way: its connection has ended."""
        super().abandon()
        self._forget()

    def _forget(self) -> None:
        self.swarm.metrics.requests_unfinished += len(self._under_way)
        self._under_way.clear()
