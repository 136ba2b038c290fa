"""The built-in scenarios, but for `echo`; and which scenario a plan asks for.

| scenario | what a client does |
|---|---|
| connect | connects, closes, thinks, connects again: a storm; a failure is not waited for |
| idle | stays connected, with pings; what a server pushes is counted |
| echo | see `echo` |
| flood | receives as fast as the server sends |
| fanout | see `fanout` |

Each but `connect` comes back when it was lost, after a wait that doubles from half a second to
eight: so the load stays up where a server throws its clients out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from lomond.events import Binary, Event, Text
from lomond_gevent.load.echo import ClosedEcho, OpenEcho
from lomond_gevent.load.fanout import make_fanout
from lomond_gevent.load.member import Member
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.scripted import load_function, make_scripted

if TYPE_CHECKING:
    from lomond_gevent.load.swarm import Swarm

# Behind an attempt that failed at once, in seconds: a closed port is not to be hammered.
PAUSE = 0.1


class Scenario(NamedTuple):
    """What makes the clients, and what is peculiar about them."""

    make_member: Callable[[Swarm, int], Member]
    path: str
    """Where the embedded server has what it takes."""
    connects_first: bool = True
    """Whether, without a ramp, all clients connect before the load begins."""


class ConnectMember(Member):
    """Connects and closes, over and over; on a schedule of arrivals, once."""

    __slots__ = ()

    def live(self, intended: float | None) -> None:
        """Connect, close, think."""
        is_arrival = intended is not None
        while not self.is_leaving:
            is_ready = self.connect(intended)
            if is_ready:
                self.close()
                self.stay()
            if is_arrival or self.is_leaving:
                return
            think = self.swarm.plan.think
            if think or not is_ready:
                self.swarm.rest(max(think, 0.0 if is_ready else PAUSE))


class Listener(Member):
    """Stays connected, and counts what comes while the load is on."""

    __slots__ = ("_has_begun",)

    def __init__(self, swarm: Swarm, number: int) -> None:
        super().__init__(swarm, number)
        self._has_begun = False

    def begin(self, due: float) -> None:
        """Count from now on: what came while others connected is in no rate."""
        self._has_begun = True

    def converse(self, events: Iterator[Event]) -> None:
        """Count what comes."""
        metrics = self.swarm.metrics
        for event in chain(self.first_message(events), events):
            kind = type(event)
            if kind is Text:
                text = event.text  # type: ignore[attr-defined]  # by kind
                size = len(text) if text.isascii() else len(text.encode())
            elif kind is Binary:
                size = len(event.data)  # type: ignore[attr-defined]  # by kind
            else:
                self.note(event)
                continue
            if self._has_begun and not self.is_leaving:
                metrics.messages_received += 1
                metrics.bytes_received += size


def find_scenario(plan: Plan) -> Scenario:
    """Return the scenario that a plan names; imports the file of a user's own.

    Raises PlanError where that cannot be imported, or has no such function.
    """
    if plan.is_custom:
        return Scenario(make_scripted(load_function(plan.scenario)), "/echo", connects_first=False)
    return {
        "connect": Scenario(ConnectMember, "/echo", connects_first=False),
        "idle": Scenario(Listener, "/echo"),
        "echo": Scenario(ClosedEcho if plan.rate is None else OpenEcho, "/echo"),
        "flood": Scenario(Listener, f"/flood?size={plan.size}"),
        "fanout": Scenario(make_fanout(), "/fanout"),
    }[plan.scenario]
