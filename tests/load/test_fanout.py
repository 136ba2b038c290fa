"""Who speaks, who listens, and who may go, while a room is in use."""

from __future__ import annotations

from time import monotonic

import pytest

from lomond_gevent.load import Plan, Result, run
from lomond_gevent.load.fanout import FanoutMember, Room, Round
from lomond_gevent.load.scenarios import find_scenario
from lomond_gevent.load.swarm import Swarm
from tests.helpers.frames import server_frame
from tests.helpers.scripted_server import Peer, Script, ScriptedServer

pytestmark = pytest.mark.loopback


@pytest.fixture
def room() -> Room:
    """A room with three clients, not connected to anything; the first of them speaks."""
    plan = Plan(url="ws://127.0.0.1/", scenario="fanout", think=60.0)
    room = Room(
        Swarm(plan, "ws://127.0.0.1/", find_scenario(plan), lambda _delta: None), "marked__"
    )
    for number in range(3):
        member = FanoutMember(room, number)
        member.is_open = True
        room.enter(member)
    return room


def speak(room: Room) -> None:
    """Have a message on its way to all but the speaker."""
    room.number += 1
    room.rounds[room.number] = Round(monotonic(), len(room.members) - 1)


def load(script: Script, **options: float) -> Result:
    """Load a scripted server with one client, alone in the room."""
    with ScriptedServer(script) as server:
        plan = {"clients": 1, "ping_rate": 0, "phase_spread": False, "scenario": "fanout"} | options
        return run(Plan(url=server.url, **plan))


def test_who_leaves_awaits_what_was_sent_by_then_and_nothing_newer(room: Room) -> None:
    leaver = list(room.members)[-1]
    speak(room)

    leaver.leave()
    assert leaver.is_waiting
    leaver.heard = 1
    speak(room)

    assert not leaver.is_waiting


def test_when_the_speaker_leaves_one_that_stays_speaks(room: Room) -> None:
    speaker, second, third = room.members
    speaker.is_leaving = second.is_leaving = True

    room.exit(speaker)

    assert room.speaker is third


def test_when_all_are_to_leave_somebody_still_gives_up_the_others(room: Room) -> None:
    speaker, second, _ = room.members
    for member in room.members:
        member.is_leaving = True

    room.exit(speaker)

    assert room.speaker is second


def test_clients_that_are_to_leave_leave_while_the_talk_goes_on() -> None:
    stages = ((0.2, 8.0), (0.2, 8.0), (0.1, 2.0), (0.7, 2.0))
    result = run(Plan(scenario="fanout", stages=stages))

    assert result.errors == {}
    sessions = result.histograms["session"]
    assert sessions.count == 8
    assert sessions.percentile(70) < 600_000


def test_a_message_with_broken_digits_is_a_mismatch_and_ends_nobody() -> None:
    def break_digits(peer: Peer) -> None:
        peer.accept_upgrade()
        first_byte = 0
        while first_byte != 0x88:
            first_byte, payload = peer.read_frame()
            if first_byte == 0x81:
                peer.send(server_frame(0x81, payload[:20] + b"x" + payload[21:]))
                peer.send(server_frame(0x81, payload[:18] + b"9" + payload[19:]))
            peer.send(server_frame(first_byte, payload))

    result = load(break_digits, think=0.05, duration=0.3)

    sent = result.counts["messages.sent"]
    assert result.errors == {("request", "mismatch"): 2 * sent}
    assert result.histograms["delivery"].count == sent >= 3
    assert result.counts["connections.closed"] == 1


def test_a_speaker_that_is_back_before_it_was_to_speak_does_not_speak_twice_as_often() -> None:
    def end_first(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.read_frame()
        while peer.number and peer.read_frame()[0] != 0x88:
            continue
        if peer.number:
            peer.send(server_frame(0x88, b"\x03\xe8"))

    # The second connection comes after 0.25 to 0.75 s, and thinks until 1.25 s at least.
    result = load(end_first, think=1.0, duration=1.2)

    assert result.counts["connections.opened"] == 2
    assert result.counts["messages.sent"] == 2
