"""The fan-out scenario: one client sends, all receive, and the time to each is recorded.

The server has to pass each message on to everybody at its URL; whether the sender gets it back
does not matter. Each message carries when it was to be sent and when it was, on the monotonic
clock, which the processes of one machine have in common. Latency counts from the former, which in
the open model is when the schedule wanted it (`delivery.service` is the time from the actual send).

In the closed model the next message follows once the last has reached every other client of the
sender's process. A client that has not got a message within `request_timeout` is an error for
each such message; in other processes this is known of those that come late. A late delivery is
counted, and its latency recorded all the same. What is not as it was sent is a mismatch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from math import inf
from secrets import token_hex
from time import monotonic as clock
from typing import TYPE_CHECKING, Any

from lomond.errors import WebSocketError
from lomond.events import Binary, Event, Text
from lomond_gevent.load.member import Member
from lomond_gevent.load.messages import make_filler
from lomond_gevent.load.plan import FANOUT_HEAD

if TYPE_CHECKING:
    from lomond_gevent.load.swarm import Swarm

# The run's own mark, the message's number, when it was to be sent, and how much later it was sent,
# both in microseconds.
_HEAD = "%8s%010d%016d%010d"
_MARK, _NUMBER, _INTENDED, _WAITED = slice(0, 8), slice(8, 18), slice(18, 34), slice(34, 44)
_LONGEST_WAIT = 10**10 - 1
# A message that says that it took longer, in microseconds, is not as it was sent.
_LONGEST = 3_600_000_000
# So many of the newest messages may reach a client in another order than that of their sending.
MOST_DISORDER = 1000


class Round:
    """A message on its way to all others."""

    __slots__ = ("left", "since")

    def __init__(self, since: float, left: int) -> None:
        self.since = since
        self.left = left


class Room:
    """The clients of a process that hear each other, and what is on its way to them."""

    def __init__(self, swarm: Swarm, mark: str) -> None:
        self.swarm = swarm
        self.mark = mark
        # In the order in which they came.
        self.members: dict[FanoutMember, None] = {}
        self.speaker: FanoutMember | None = None
        self.number = 0
        self.rounds: dict[int, Round] = {}
        self._size = swarm.plan.size
        self.is_scheduled = swarm.plan.rate is not None
        filler = make_filler(swarm.plan.size - FANOUT_HEAD)
        self._filler: Any = filler.encode() if swarm.plan.binary else filler
        # What takes longer is late, in microseconds.
        self.late_from = swarm.plan.request_timeout * 1e6

    def enter(self, member: FanoutMember) -> None:
        """Let a client in; the first speaks, in the first process."""
        # Of what another process sends it is known once the first has come.
        member.heard = member.entered = self.number if self.swarm.share.index == 0 else None
        member.missing.clear()
        self.members[member] = None
        if self.speaker is None and self.swarm.share.index == 0:
            self.speaker = member

    def exit(self, member: FanoutMember) -> None:
        """Let a client out: nothing more is to reach it."""
        if member not in self.members:
            return
        del self.members[member]
        if self.speaker is member:
            # One that is to leave does not speak, but sees to it that others are given up.
            staying = (other for other in self.members if not other.is_leaving)
            self.speaker = next(chain(staying, self.members), None)
            if self.speaker is not None and not self.speaker.is_leaving:
                self.swarm.join(self.speaker)
        for number in [number for number in self.rounds if member.lacks(number)]:
            self.count_down(number)

    def speak(self, intended: float) -> None:
        """Send a message to all."""
        speaker, metrics = self.speaker, self.swarm.metrics
        if speaker is None:
            metrics.sends_skipped += 1
            return
        self.number += 1
        if len(self.members) > 1:
            self.rounds[self.number] = Round(intended, len(self.members) - 1)
        message = self._make(intended)
        try:
            self.swarm.sender_of(speaker.websocket)(message)
        except WebSocketError:
            # The events tell what has become of the connection. Nobody awaits what never left.
            self.rounds.pop(self.number, None)
            if self.swarm.plan.rate is not None:
                metrics.sends_skipped += 1
            return
        metrics.messages_sent += 1
        metrics.bytes_sent += len(message)
        if not self.rounds:
            self._go_on()

    def _make(self, intended: float) -> Any:
        due = int(intended * 1e6)
        waited = min(int(clock() * 1e6) - due, _LONGEST_WAIT)
        head = _HEAD % (self.mark, self.number, due, waited)
        return (head.encode() if self.swarm.plan.binary else head) + self._filler

    def read(self, message: Any) -> tuple[int, int, int] | None:
        """Return what a message of this run tells; None where it is not as it was sent.

        That is its number, and how long it took since it was to be sent, and since it was sent,
        both in microseconds.
        """
        if len(message) != self._size or not message.endswith(self._filler):
            return None
        try:
            delay = int(clock() * 1e6) - int(message[_INTENDED])
            service = delay - int(message[_WAITED])
            number = int(message[_NUMBER])
        except ValueError:
            return None
        return (number, delay, service) if 0 <= service <= delay < _LONGEST else None

    def note_late(self, number: int) -> None:
        """Count a delivery that took too long; an error as well, unless that was counted before."""
        metrics = self.swarm.metrics
        metrics.requests_late += 1
        # Where nobody speaks nobody else gives it up.
        if number in self.rounds or self.swarm.share.index:
            metrics.requests_timed_out += 1
            metrics.note_error("request", "timeout")

    def count_down(self, number: int) -> None:
        """Note that a message has reached one more."""
        current = self.rounds.get(number)
        if current is None:
            return
        current.left -= 1
        if current.left <= 0:
            del self.rounds[number]
            self._go_on()

    def check_deadline(self, now: float) -> None:
        """Give up those whom a message has not reached in time."""
        limit, metrics = now - self.swarm.plan.request_timeout, self.swarm.metrics
        for number in [n for n, current in self.rounds.items() if current.since <= limit]:
            left = self.rounds.pop(number).left
            metrics.requests_timed_out += left
            metrics.note_error("request", "timeout", left)
            self._go_on()

    def give_up(self) -> None:
        """Await nothing more; what is still to come counts as unfinished."""
        for current in self.rounds.values():
            self.swarm.metrics.requests_unfinished += current.left
        self.rounds.clear()

    def _go_on(self) -> None:
        """In the closed model, have the speaker speak again, or go if it is to leave."""
        speaker = self.speaker
        if speaker is None:
            return
        if speaker.is_leaving and speaker.is_open and not self.rounds:
            speaker.close()
        elif self.swarm.plan.rate is None and not speaker.is_leaving:
            # Alone in the room, a speaker who does not think would do nothing but speak.
            pause = self.swarm.plan.think or (0.0 if len(self.members) > 1 else 0.01)
            speaker.begin(clock() + pause)


class FanoutMember(Member):
    """Receives what the speaker sends, and speaks if it is the one."""

    __slots__ = ("_due", "_last", "entered", "heard", "missing", "room")

    def __init__(self, room: Room, number: int) -> None:
        super().__init__(room.swarm, number)
        self.room = room
        self.heard: int | None = None
        """The number of the newest message that has reached it."""
        self.entered: int | None = None
        """The number of the newest message that is not for it: it was on its way before."""
        self.missing: set[int] = set()
        """Those between these two that have not reached it."""
        # The number of the last message that it stays for.
        self._last: float = inf
        # When it speaks next: the pacer keeps appointments of connections before this.
        self._due = 0.0

    @property
    def is_waiting(self) -> bool:
        """Return whether a message is still on its way to it; of the speaker, to anybody."""
        room = self.room
        if room.speaker is self:
            return self.is_open and bool(room.rounds)
        return self.is_open and any(n <= self._last and self.lacks(n) for n in room.rounds)

    def lacks(self, number: int) -> bool:
        """Return whether a message of the room has not reached it."""
        return self.heard is None or number > self.heard or number in self.missing

    @property
    def has_turns(self) -> bool:
        """Return whether it is the one who speaks."""
        return self.room.speaker is self

    def enter(self) -> None:
        """Take part in the load, now that it is connected."""
        self.room.enter(self)
        super().enter()

    def abandon(self) -> None:
        """Leave the room: its connection has ended."""
        self.room.exit(self)

    def leave(self) -> None:
        """Begin nothing new, and close once all that was sent by now has come; returns at once."""
        self._last = min(self._last, self.room.number)
        super().leave()

    def hang_up(self) -> None:
        """Close now, whatever is still on its way."""
        self.room.give_up()
        super().hang_up()

    def begin(self, due: float) -> None:
        """Speak, if it is the one."""
        if self.room.speaker is self and self.swarm.plan.rate is None:
            self._due = due
            self.swarm.pacer.add(due, self)

    def send_due(self, due: float) -> None:
        """Send the message that is due, unless this is no longer the speaker."""
        room, now = self.room, clock()
        if room.speaker is not self or self.is_leaving:
            return
        if self.swarm.plan.rate is not None:
            room.speak(min(due, now))
        elif due == self._due and not room.rounds:
            room.speak(now)

    def converse(self, events: Iterator[Event]) -> None:
        """Listen."""
        metrics, is_binary = self.swarm.metrics, self.swarm.plan.binary
        read, take = self.room.read, self._take
        kind: type[Event] = Binary if is_binary else Text
        mark = self.room.mark.encode() if is_binary else self.room.mark
        for event in chain(self.first_message(events), events):
            if type(event) is not kind:
                self.note(event)
                continue
            message = event.data if is_binary else event.text  # type: ignore[attr-defined]  # by kind
            if message[_MARK] != mark:
                # Somebody else's: a room may be public.
                self.note(event)
                continue
            metrics.messages_received += 1
            metrics.bytes_received += len(message)
            delivery = read(message)
            if delivery is None:
                self._refuse(message)
            else:
                take(*delivery)

    def _take(self, number: int, delay: int, service: int) -> None:
        """Record a delivery, and see whether it was the last that this one stays for."""
        metrics, room = self.swarm.metrics, self.room
        metrics.delivery.record(delay)
        if room.is_scheduled:
            metrics.delivery_service.record(service)
        if not self._note_arrival(number) or room.speaker is self:
            return
        if delay >= room.late_from and not self.websocket.is_closing:
            room.note_late(number)
        room.count_down(number)
        if self.is_leaving and not self.is_waiting:
            self.close()

    def _note_arrival(self, number: int) -> bool:
        """Note that a message has come; return whether it was for this one, and the first time."""
        if self.heard is None or self.entered is None:
            self.heard = self.entered = number - 1
        if number > self.heard:
            if number > self.heard + 1:
                self._note_gap(number)
            self.heard = number
            return True
        if number in self.missing:
            self.missing.remove(number)
            return True
        # A second copy to one is no delivery to another.
        if number > self.entered:
            reason = f"message {number} of the room came to a client twice"
            self.swarm.metrics.note_error("request", "duplicate", reason=reason)
        return False

    def _note_gap(self, number: int) -> None:
        """Note that a message has come before others that were sent before it."""
        assert self.heard is not None and self.entered is not None
        oldest = number - MOST_DISORDER
        self.missing.update(range(max(self.heard + 1, oldest), number))
        if self.heard + 1 < oldest or len(self.missing) > MOST_DISORDER:
            # What is older may come once more or for the first time: nobody knows any longer.
            self.entered = max(self.entered, oldest - 1)
            self.missing = {each for each in self.missing if each >= oldest}

    def _refuse(self, message: str | bytes) -> None:
        """Count a message of the room's own that is not as it was sent."""
        reason = f"a message was not what was sent: {message[:60]!r}"
        self.swarm.metrics.note_error("request", "mismatch", reason=reason)

    def check_deadline(self, now: float) -> None:
        """Give up those whom a message has not reached in time; the speaker does it."""
        room = self.room
        if room.speaker is self:
            room.check_deadline(now)
        if self.is_leaving and self.is_open and not self.is_waiting:
            self.close()


def make_fanout() -> Callable[[Swarm, int], Member]:
    """Return what makes the clients of a room, of which each process has its own."""
    # Made before processes part, so that all of them know what is theirs.
    mark = token_hex(4)
    rooms: dict[Swarm, Room] = {}

    def make_member(swarm: Swarm, number: int) -> Member:
        if swarm not in rooms:
            rooms[swarm] = Room(swarm, mark)
        return FanoutMember(rooms[swarm], number)

    return make_member
