"""The clients of one process: how many there are, when they come and go, and the end of it all.

A swarm is led by its plan, carries out its share of it, and hands a `Delta` to `report` once a
second. It runs in the greenlet that calls `run`, and leaves nothing behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import takewhile
from random import Random
from time import monotonic as clock
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from gevent.lock import Semaphore

from lomond.websocket import WebSocket
from lomond_gevent.load.messages import Messages
from lomond_gevent.load.metrics import Delta, Metrics
from lomond_gevent.load.pacer import MOMENT, Agenda, Pacer, Schedule
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.share import Share
from lomond_gevent.load.sources import make_session_classes
from lomond_gevent.load.stages import Course
from lomond_gevent.load.watch import SWEEP, Watch

if TYPE_CHECKING:
    from lomond_gevent.load.member import Member
    from lomond_gevent.load.scenarios import Scenario

# How often the number of clients is brought in line with the plan, in seconds.
PULSE = 0.05
# How often it is seen whether more may connect, in seconds.
GLANCE = 0.01
# So many clients are hired, or told to leave, before the hub looks at its sockets.
GROUP = 100
# Behind an interrupt, answers are awaited for so long at most, in seconds.
SHORT_PATIENCE = 1.0
# How long after the time-outs of the clients themselves they are taken down, in seconds.
GRACE = 1.0


class Swarm:
    """All clients of a process."""

    def __init__(
        self,
        plan: Plan,
        url: str,
        scenario: Scenario,
        report: Callable[[Delta], object],
        share: Share | None = None,
        await_start: Callable[[], object] | None = None,
    ) -> None:
        """Take what to do; nothing is done yet.

        `await_start` is called once all clients have connected (where they connect before the
        load), and returns when the load may begin.
        """
        self.plan = plan
        self.share = share or Share()
        self.metrics = Metrics(trip_size=plan.size)
        self.messages = Messages(plan.size, plan.binary)
        self.chance = Random(None if plan.seed is None else plan.seed + self.share.index)
        self.door: AbstractContextManager[Any] = Semaphore(plan.connect_concurrency)
        self.clients = 0
        """How many are connected."""
        self.is_interrupted = False
        self.members: set[Member] = set()
        self.connect_options = plan.make_connect_options()
        self.session_classes = make_session_classes(plan.sources)
        self.course = plan.course
        self.pacer = Pacer(Agenda())
        self._url = url
        self._scenario = scenario
        self._await_start = await_start
        self._numbers = self.share.numbers()
        # The newest leave first.
        self._present: list[Member] = []
        self._unsettled: set[Member] = set()
        self._last_opened = 0.0
        self._began: float | None = None
        self.ended: float | None = None
        """When the load ended: from then on nothing new is sent."""
        self._is_over = False
        self._over = Event()
        # When an interrupt came while the last answers were awaited (monotonic seconds).
        self._hurried: float | None = None
        self._watch = Watch(self, report)

    # ---- what members ask for -----------------------------------------------------------------

    def make_websocket(
        self, url: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> WebSocket:
        """Make what a client connects with."""
        return self.plan.make_websocket(url or self._url, headers)

    def sender_of(self, websocket: WebSocket) -> Callable[[Any], None]:
        """Return what sends a message of the plan's type."""
        return websocket.send_binary if self.plan.binary else websocket.send_text

    def rest(self, seconds: float) -> None:
        """Sleep, but not beyond the end of the load."""
        self._over.wait(seconds)

    def settle(self, member: Member) -> None:
        """Note that a member has connected, or has tried to."""
        self._unsettled.discard(member)

    def join(self, member: Member) -> None:
        """Let a member that is connected take part in the load."""
        self._last_opened = clock()
        if self._began is None:
            return
        if isinstance(self.pacer.work, Schedule) and member.has_turns:
            self.pacer.work.join(member)
        member.begin(clock() + self._spread())

    def part(self, member: Member) -> None:
        """Leave a member out whose connection has ended."""
        if isinstance(self.pacer.work, Schedule) and not self._is_over:
            self.pacer.work.part(member)

    def bury(self, member: Member) -> None:
        """Forget a member that has come to its end."""
        self.members.discard(member)

    # ---- the load -----------------------------------------------------------------------------

    @property
    def began(self) -> float | None:
        """Return when the load began (monotonic seconds); None before."""
        return self._began

    @property
    def is_loading(self) -> bool:
        """Return whether the load has begun, and has not ended."""
        return self._began is not None and not self._is_over

    @property
    def wanted(self) -> int:
        """Return how many clients there should be now."""
        if self._is_over:
            return 0
        if self.plan.arrivals is not None:
            return len(self.members)
        if self._began is None or not self._leads_clients:
            return self.share.of(self.plan.clients)
        return self.share.of(int(self._population.at(clock() - self._began) + 1e-9))

    def run(self, stop: Event) -> None:
        """Carry out the plan, until its end or until `stop` is set."""
        stop.rawlink(self.interrupt)
        self._watch.start()
        try:
            if self.plan.arrivals is not None:
                self._begin()
                self._welcome_arrivals()
            else:
                self._follow_course()
            self._finish()
            if self._watch.failure is not None:
                raise self._watch.failure
        finally:
            stop.unlink(self.interrupt)
            self.pacer.close()
            self._kill_members()
            self._watch.stop()

    def interrupt(self, _stop: Event | None = None) -> None:
        """End the load before its time, gracefully; behind its end, wait no longer than need be."""
        if self._is_over:
            self._hurried = clock()
            return
        self.is_interrupted = True
        # Before the rest of those who pause is over, or they would begin anew.
        for member in self.members:
            member.is_leaving = True
        self._over.set()

    @property
    def _leads_clients(self) -> bool:
        """Return whether the number of clients changes while the load is on."""
        return bool(self.plan.ramp or (self.plan.stages and self.plan.rate is None))

    @property
    def _population(self) -> Course:
        if self.plan.rate is None:
            return self.course
        return Course(0.0, ((self.plan.ramp, self.plan.clients),))

    def _follow_course(self) -> None:
        if self._scenario.connects_first and not self._leads_clients:
            self._connect_all()
        self._begin()
        assert self._began is not None
        end = self._began + self.course.duration
        while (now := clock()) < end and not self.is_interrupted:
            missing = self.wanted - len(self._present)
            if missing == 0 and not self._leads_clients:
                self._over.wait(end - now)
                continue
            self._hire(missing)
            self._in_groups([self._present.pop() for _ in range(-missing)], lambda m: m.leave())
            self._over.wait(max(MOMENT, min(PULSE, end - clock())))

    def _connect_all(self) -> None:
        wanted, most_at_once = self.wanted, 2 * self.plan.connect_concurrency
        self._last_opened = clock()
        while not self.is_interrupted:
            missing = wanted - len(self._present)
            if missing and len(self._unsettled) < most_at_once:
                self._hire(min(missing, GROUP))
            if not missing and not self._unsettled:
                break
            if clock() - self._last_opened > self.plan.open_timeout + GRACE:
                # Whoever comes next would meet the same: a server that answers nobody.
                break
            self._over.wait(GLANCE)
        if self._await_start is not None and not self.is_interrupted:
            self._await_start()

    def _begin(self) -> None:
        self._began = now = clock()
        self.metrics.begin_load()
        if self.plan.rate is not None:
            self.pacer = Pacer(self._make_schedule(now))
        self.pacer.start()
        for member in self._present:
            if member.is_open:
                self.join(member)

    def _make_schedule(self, now: float) -> Schedule:
        clients = self.plan.clients
        share = self.share.of(clients) / clients
        # Processes take turns, as the clients of each do.
        times = (now + time for time in self.course.times(self.share.offset, share))
        end = now + self.course.duration
        step = 1 if self.plan.phase_spread else self.share.of(clients)
        return Schedule(takewhile(lambda time: time < end, times), self._skip, step)

    def _skip(self) -> None:
        # Before the first client of a ramp has come, nobody could have sent.
        if self._last_opened:
            self.metrics.sends_skipped += 1

    def _spread(self) -> float:
        """Return how long a client waits with its first message, so that not all send at once."""
        if not self.plan.phase_spread:
            return 0.0
        return self.chance.random() * (self.plan.think or min(1.0, self.course.duration / 10))

    # ---- clients come and go ------------------------------------------------------------------

    def _hire(self, count: int) -> None:
        for number in range(1, count + 1):
            if self.is_interrupted:
                return
            member = self._spawn(None)
            self._present.append(member)
            self._unsettled.add(member)
            if not number % GROUP:
                gevent.sleep(MOMENT)

    def _spawn(self, intended: float | None) -> Member:
        member = self._scenario.make_member(self, next(self._numbers))
        self.members.add(member)
        member.greenlet = gevent.spawn_raw(member.run, intended)
        return member

    def _welcome_arrivals(self) -> None:
        assert self._began is not None
        began, end = self._began, self._began + self.course.duration
        lifetime = self.plan.lifetime
        guests: deque[tuple[float, Member]] = deque()
        arrivals = self.course.times(self.share.offset, 1 / self.share.count)
        due = began + next(arrivals, end)
        while (now := clock()) < end and not self.is_interrupted:
            while due <= now:
                member = self._spawn(due)
                if lifetime is not None:
                    guests.append((due + lifetime, member))
                due = began + next(arrivals, end)
            while guests and guests[0][0] <= now:
                guests.popleft()[1].leave()
            leaves = guests[0][0] if guests else end
            self._over.wait(max(MOMENT, min(due, leaves, end) - clock()))

    # ---- the end ------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Send nothing new, await what is under way, close everything."""
        self.ended = clock()
        self._is_over = True
        self.metrics.end_load()
        self.metrics.sends_behind += self.pacer.stop() + self._count_overdue()
        self._over.set()
        # All at once: those who are busy close by themselves, with their next answer.
        for member in self.members:
            member.is_leaving = True
        self._in_groups(list(self.members), lambda member: member.leave())
        # Until a sweep has seen that what was sent last has timed out.
        patience = self.plan.request_timeout + 2 * SWEEP
        self._await_members(SHORT_PATIENCE if self.is_interrupted else patience)
        self._in_groups(list(self.members), lambda member: member.hang_up())
        self._await_members(self.plan.close_timeout + GRACE)
        if self.members:
            self.metrics.note(
                f"{len(self.members):,} clients did not end with the load, and were taken down"
                + (": let PlanOver pass in the scenario" if self.plan.is_custom else "")
            )

    def _count_overdue(self) -> int:
        """Return how many messages should have left by the end, and had no turn."""
        if not isinstance(self.pacer.work, Schedule):
            return 0
        assert self._began is not None and self.ended is not None
        share = self.share.of(self.plan.clients) / self.plan.clients
        until = min(self.ended - self._began, self.course.duration)
        due = self.course.count_until(until, self.share.offset, share)
        return max(0, due - self.pacer.work.taken)

    def _in_groups(self, members: list[Member], action: Callable[[Member], None]) -> None:
        for number, member in enumerate(members, start=1):
            action(member)
            if not number % GROUP:
                gevent.sleep(MOMENT)

    def _await_members(self, seconds: float) -> None:
        began = clock()
        deadline = began + seconds
        while self.members and clock() < deadline:
            if self._hurried is not None:
                deadline = min(deadline, max(began, self._hurried) + SHORT_PATIENCE)
            gevent.sleep(GLANCE)

    def _kill_members(self) -> None:
        greenlets, deadline = [member.greenlet for member in self.members], clock() + GRACE
        gevent.killall(greenlets, block=False)  # raw ones cannot be joined
        while not all(greenlet.dead for greenlet in greenlets) and clock() < deadline:
            gevent.sleep(GLANCE)
