"""The echo scenario: each message has to come back as it was sent, and its round trip is timed.

In the closed model a client sends, waits for the answer, thinks and sends again: latency counts
from the send. In the open model messages leave when their schedule says so, whatever has become
of those before: latency counts from the time that was *intended*, so a server that stalls
delays all that was due meanwhile, and is seen to (`rtt.service` is the time from the actual
send). An answer that comes after `request_timeout` is an error and counts as late, and its
latency is recorded all the same: leaving out the worst would flatter the server. What is never
answered has no latency: it is an error, and in no percentile.

What a message consists of is in `messages`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from time import monotonic as clock
from typing import TYPE_CHECKING, Any, NamedTuple

from lomond.errors import WebSocketError
from lomond.events import Binary, Event, Text
from lomond_gevent.load.member import Member
from lomond_gevent.load.messages import MARK

if TYPE_CHECKING:
    from lomond_gevent.load.swarm import Swarm

# So many late answers are still known when they come, over all clients, and of each at least.
# Where a server has stopped to answer for good, more would fill the memory.
MOST_OVERDUE = 1_000_000
LEAST_OVERDUE = 100
# Late answers come in their order, mostly: one that is not among the oldest is not there.
MOST_SEARCHED = 1000


class Sent(NamedTuple):
    """A message on its way: what tells it from others, when it was to leave, when it left."""

    mark: str | bytes
    intended: float
    left: float


class EchoMember(Member):
    """A client that has messages echoed: what both models have in common."""

    __slots__ = ("_overdue",)

    def __init__(self, swarm: Swarm, number: int) -> None:
        super().__init__(swarm, number)
        # What nobody waits for any more, the oldest first.
        self._overdue: deque[Sent] | None = None

    def _send(self, message: str | bytes) -> bool:
        """Send, and count it; tell whether it has left."""
        metrics = self.swarm.metrics
        try:
            self.swarm.sender_of(self.websocket)(message)
        except WebSocketError:
            # The events tell what has become of the connection.
            return False
        metrics.messages_sent += 1
        metrics.bytes_sent += len(message)
        return True

    def _record(self, sent: Sent, now: float) -> None:
        """Record how long an answer took."""
        self.swarm.metrics.rtt.record(int((now - sent.intended) * 1e6))

    def _time_out(self, sent: Sent) -> None:
        metrics = self.swarm.metrics
        metrics.requests_timed_out += 1
        metrics.note_error("request", "timeout")
        if self._overdue is None:
            share = MOST_OVERDUE // self.swarm.plan.most_clients
            self._overdue = deque(maxlen=max(LEAST_OVERDUE, share))
        self._overdue.append(sent)

    def _take_late(self, mark: str | bytes | None, now: float) -> bool:
        """Count an answer to what nobody waits for any more; tell whether it is one."""
        for index, sent in enumerate(islice(self._overdue or (), MOST_SEARCHED)):
            if sent.mark == mark:
                assert self._overdue is not None
                del self._overdue[index]
                self.swarm.metrics.requests_late += 1
                self._record(sent, now)
                return True
        return False

    def _refuse(
        self,
        answer: str | bytes,
        kind: str = "mismatch",
        reason: str = "an answer was not what was sent",
    ) -> None:
        """Count a message that is no answer to what was sent."""
        if self.websocket.is_closing:
            # An answer, most likely, to what was given up when this side closed.
            return
        self.swarm.metrics.note_error("request", kind, reason=f"{reason}: {answer[:60]!r}")

    def abandon(self) -> None:
        """Forget what was under way: its connection has ended."""
        self._overdue = None


class ClosedEcho(EchoMember):
    """Sends once the answer to the last message has come."""

    __slots__ = ("_due", "_message", "_next", "_sent_at")

    def __init__(self, swarm: Swarm, number: int) -> None:
        super().__init__(swarm, number)
        # What it sends next, and when: the pacer keeps appointments of connections before this.
        self._next = swarm.messages.first(number)
        self._due = 0.0
        # What an answer is awaited to, and since when.
        self._message: str | bytes | None = None
        self._sent_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Return whether an answer is still to come."""
        return self._message is not None

    def begin(self, due: float) -> None:
        """Send the first message when it is due."""
        self._due = due
        self.swarm.pacer.add(due, self)

    def send_due(self, due: float) -> None:
        """Send the next message, and wait for its answer."""
        if due != self._due or self.is_leaving or not self.is_open or self._message is not None:
            return
        self._message = message = self._next
        self._next = self.swarm.messages.after[message]
        self._sent_at = clock()
        if not self._send(message):
            self._message = None

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
                # The events tell what has become of the connection. Nothing was sent in return.
                metrics.trips -= 1
                self.count_received(event)  # type: ignore[arg-type]  # by kind
                self._message = None

    def _take_other(self, event: Event) -> None:
        if not isinstance(event, Text | Binary):
            self.note(event)
            return
        self.count_received(event)
        answer = event.data if isinstance(event, Binary) else event.text
        if self._take_late(answer, clock()):
            return
        awaited = self._next if self._message is None else self._message
        if self.swarm.messages.after.get(answer) == awaited:
            self._refuse(answer, "duplicate", "an answer came twice")
        else:
            self._refuse(answer)

    def _pause(self, until: float) -> None:
        self._message = None
        if self.is_leaving:
            self.close()
        else:
            self.begin(until)

    def check_deadline(self, now: float) -> None:
        """Give up an answer that has not come in time, and go on with the next message."""
        if self._message is None or now - self._sent_at < self.swarm.plan.request_timeout:
            return
        self._time_out(Sent(self._message, self._sent_at, self._sent_at))
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


class OpenEcho(EchoMember):
    """Sends when the schedule says so."""

    __slots__ = ("_leaving", "_under_way")

    def __init__(self, swarm: Swarm, number: int) -> None:
        super().__init__(swarm, number)
        # In the order in which they left, which is that of the answers.
        self._under_way: deque[Sent] = deque()
        # The last of these, while it is on its way to the kernel.
        self._leaving: Sent | None = None

    @property
    def is_waiting(self) -> bool:
        """Return whether an answer is still to come."""
        return bool(self._under_way)

    def send_due(self, due: float) -> None:
        """Send a message that was due then."""
        if not self.is_open:
            self.swarm.metrics.sends_skipped += 1
            return
        message, now = self.swarm.messages.make(), clock()
        # Up to a millisecond early: see `pacer`. The mark alone, for messages may be long.
        self._under_way.append(sent := Sent(message[MARK], min(due, now), now))
        self._leaving = sent
        has_left = self._send(message)
        self._leaving = None
        if not has_left:
            self.swarm.metrics.sends_skipped += 1
            # Unless the connection has ended meanwhile, with all that was under way.
            with suppress(ValueError):
                self._under_way.remove(sent)

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
            if not under_way or self._find_mark(answer) != under_way[0].mark:
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
        mark = self._find_mark(answer)
        # The older first. Those that have left before the one that is found may be answered yet.
        if mark is None or not (self._take_late(mark, now) or self._take_early(mark, now)):
            self._refuse(answer)

    def _find_mark(self, answer: Any) -> str | bytes | None:
        """Return what tells an answer from others; None for what was never sent."""
        swarm = self.swarm
        tail, size = swarm.messages.tail, swarm.plan.size
        is_whole = type(answer) is type(tail) and len(answer) == size and answer.endswith(tail)
        return answer[MARK] if is_whole else None

    def _take_early(self, mark: str | bytes, now: float) -> bool:
        """Take an answer that came before its turn; tell whether it is one."""
        for index, sent in enumerate(self._under_way):
            if sent.mark == mark:
                del self._under_way[index]
                self._record(sent, now)
                return True
        return False

    def _record(self, sent: Sent, now: float) -> None:
        super()._record(sent, now)
        self.swarm.metrics.rtt_service.record(int((now - sent.left) * 1e6))

    def check_deadline(self, now: float) -> None:
        """Give up the answers that have not come in time."""
        limit = now - self.swarm.plan.request_timeout
        while self._under_way and self._under_way[0].intended <= limit:
            if self._under_way[0] is self._leaving:
                # What was never sent is not answered too late.
                break
            self._time_out(self._under_way.popleft())
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
        # What has not left is skipped, once its send has failed.
        left = len(self._under_way) - (self._leaving in self._under_way)
        self.swarm.metrics.requests_unfinished += left
        self._under_way.clear()
