"""Who speaks, who listens, and who may go, while a room is in use."""

from __future__ import annotations

import time
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from lomond.errors import WebSocketUnavailable
from lomond_gevent.load import Plan, Result, fanout, member, run
from lomond_gevent.load.fanout import FanoutMember, Room, Round
from lomond_gevent.load.scenarios import find_scenario
from lomond_gevent.load.share import Share
from lomond_gevent.load.swarm import Swarm
from tests.helpers.frames import server_frame
from tests.helpers.scripted_server import Peer, Script, ScriptedServer

pytestmark = pytest.mark.loopback


@pytest.fixture
def room() -> Room:
    """A room with three clients, not connected to anything; the first of them speaks."""
    return make_room(think=60.0)


def make_room(**options: Any) -> Room:
    """Make a room with three clients."""
    plan = Plan(url="ws://127.0.0.1/", scenario="fanout", **options)
    room = Room(
        Swarm(plan, "ws://127.0.0.1/", find_scenario(plan), lambda _delta: None), "marked__"
    )
    for number in range(3):
        client = FanoutMember(room, number)
        client.is_open = True
        room.enter(client)
    return room


def speak(room: Room) -> None:
    """Have a message on its way to all but the speaker."""
    room.number += 1
    room.rounds[room.number] = Round(monotonic(), len(room.members) - 1)


class Relay:
    """A script that sends each message to all, after a delay."""

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay
        self._peers: list[Peer] = []

    def __call__(self, peer: Peer) -> None:
        """Serve one client."""
        peer.accept_upgrade()
        self._peers.append(peer)
        while (frame := peer.read_frame())[0] != 0x88:
            time.sleep(self._delay)
            for other in self._peers:
                other.send(server_frame(*frame))
        self._peers.remove(peer)
        peer.send(server_frame(*frame))


class Wire:
    """What a speaker sends with; `error` is what sending raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[Any] = []
        self._error = error

    def send_text(self, message: str) -> None:
        """Keep it."""
        if self._error is not None:
            raise self._error
        self.sent.append(message)

    send_binary = send_text


def load(script: Script, **options: Any) -> Result:
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
    for client in room.members:
        client.is_leaving = True

    room.exit(speaker)

    assert room.speaker is second


def test_clients_that_are_to_leave_leave_while_the_talk_goes_on() -> None:
    stages = ((0.1, 8.0), (0.1, 8.0), (0.1, 2.0), (0.4, 2.0))
    result = run(Plan(scenario="fanout", stages=stages))

    assert result.errors == {}
    sessions = result.histograms["session"]
    assert sessions.count == 8
    assert sessions.percentile(70) < 400_000


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


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda payload: payload[:-1] + b"?", id="its last byte is another"),
        pytest.param(lambda payload: payload[:-1], id="its last byte is missing"),
        pytest.param(lambda payload: payload + b"?", id="it is longer"),
        pytest.param(lambda payload: payload[:8], id="it is cut short"),
    ],
)
def test_a_message_that_is_not_as_it_was_sent_is_a_mismatch(
    change: Callable[[bytes], bytes],
) -> None:
    def spoil(peer: Peer) -> None:
        peer.accept_upgrade()
        while (frame := peer.read_frame())[0] != 0x88:
            peer.send(server_frame(frame[0], change(frame[1])))
        peer.send(server_frame(*frame))

    result = load(spoil, think=0.05, duration=0.12)

    assert result.errors == {("request", "mismatch"): result.counts["messages.sent"]}
    assert result.histograms["delivery"].count == 0


def test_a_delivery_that_comes_late_is_counted_and_its_latency_recorded() -> None:
    result = load(Relay(0.3), clients=2, request_timeout=0.1, think=0.9, duration=0.5)

    assert result.errors == {("request", "timeout"): 1}
    assert result.counts["requests.late"] == result.counts["requests.timed_out"] == 1
    # The speaker has it as well.
    assert result.histograms["delivery"].count == 2
    assert result.histograms["delivery"].min > 290_000


def test_where_nobody_speaks_a_late_delivery_is_an_error_once_it_comes() -> None:
    room = make_room()
    room.swarm.share = Share(1, 2)

    room.note_late(1)

    metrics = room.swarm.metrics
    assert metrics.errors == {("request", "timeout"): 1}
    assert metrics.requests_late == metrics.requests_timed_out == 1


@pytest.mark.parametrize("binary", [False, True])
def test_a_message_tells_both_when_it_was_to_be_sent_and_when_it_was(binary: bool) -> None:
    room, wire = make_room(rate=1.0, binary=binary), Wire()
    assert room.speaker is not None
    room.speaker.websocket = wire  # type: ignore[assignment]  # it is all that a speaker needs

    room.speak(monotonic() - 0.5)
    number, delay, service = room.read(wire.sent[0]) or (0, 0, 0)

    assert number == 1
    assert 500_000 <= delay < 600_000
    assert 0 <= service < 100_000


def test_with_a_rate_both_latencies_are_recorded() -> None:
    result = load(Relay(), clients=2, rate=50.0, duration=0.1)

    count = result.histograms["delivery.service"].count
    assert count == result.histograms["delivery"].count == 2 * result.counts["messages.sent"] > 0


def test_what_could_not_be_sent_is_not_counted_as_sent_and_not_awaited() -> None:
    room = make_room(rate=1.0)
    assert room.speaker is not None
    room.speaker.websocket = Wire(WebSocketUnavailable("closing"))  # type: ignore[assignment]

    room.speak(monotonic())

    metrics = room.swarm.metrics
    assert (metrics.messages_sent, metrics.bytes_sent, metrics.sends_skipped) == (0, 0, 1)
    assert room.rounds == {}


def test_a_speaker_that_is_back_before_it_was_to_speak_does_not_speak_twice_as_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(member, "FIRST_WAIT", 0.1)

    def end_first(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.read_frame()
        while peer.number and peer.read_frame()[0] != 0x88:
            continue
        if peer.number:
            peer.send(server_frame(0x88, b"\x03\xe8"))

    # The second connection comes after 0.05 to 0.15 s, and thinks until 0.45 s at least.
    result = load(end_first, think=0.4, duration=0.43)

    assert result.counts["connections.opened"] == 2
    assert result.counts["messages.sent"] == 2


def arrive(room: Room, client: FanoutMember, number: int) -> None:
    """Have a message come to a client, in time."""
    client._take(number, 10, 10)


def test_a_second_copy_to_one_is_no_delivery_to_another(room: Room) -> None:
    _, second, _ = room.members
    speak(room)

    arrive(room, second, 1)
    arrive(room, second, 1)

    assert room.rounds[1].left == 1
    assert room.swarm.metrics.errors == {("request", "duplicate"): 1}


def test_what_comes_out_of_its_order_is_no_second_copy(room: Room) -> None:
    _, second, _ = room.members
    speak(room)
    speak(room)

    arrive(room, second, 2)
    assert second.lacks(1)
    arrive(room, second, 1)

    assert [current.left for current in room.rounds.values()] == [1, 1]
    assert room.swarm.metrics.errors == {}


def test_who_comes_while_a_message_is_on_its_way_does_not_receive_it_for_another(
    room: Room,
) -> None:
    speak(room)
    late = FanoutMember(room, 3)
    late.is_open = True
    room.enter(late)

    arrive(room, late, 1)
    room.exit(late)

    assert room.rounds[1].left == 2
    assert room.swarm.metrics.errors == {}


def test_what_is_older_than_the_memory_for_disorder_is_no_second_copy(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "MOST_DISORDER", 2)
    second = list(room.members)[1]

    for number in (9, 3, 8, 8):
        arrive(room, second, number)

    assert room.swarm.metrics.errors == {("request", "duplicate"): 1}


def test_in_another_process_messages_count_from_the_first_that_comes() -> None:
    room = make_room()
    room.swarm.share = Share(1, 2)
    client = FanoutMember(room, 9)
    room.enter(client)

    for number in (57, 58, 58):
        arrive(room, client, number)

    assert room.swarm.metrics.errors == {("request", "duplicate"): 1}
