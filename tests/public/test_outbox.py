"""The one door out: everything is written in the order in which the protocol made it.

"Senders take turns: first come, first served." Nothing here waits.
"""

from __future__ import annotations

import pytest

from lomond.outbox import Outbox, Turn
from lomond.protocol.opcodes import WHOLE_BINARY, WHOLE_CLOSE, WHOLE_TEXT
from lomond.protocol.outgoing import LONG, Outgoing
from tests.helpers.fake_transport import FakeChannel


def make_outbox(*payloads: bytes) -> tuple[Outbox, Outgoing]:
    outgoing = Outgoing()
    outbox = Outbox(outgoing)
    for payload in payloads:
        outgoing.add(WHOLE_TEXT, payload)
    return outbox, outgoing


class KeepingChannel(FakeChannel):
    """A channel that takes everything, and does not get rid of it: TLS on a full socket."""

    def __init__(self) -> None:
        super().__init__()
        self.keeps = True

    def flush(self) -> bool:
        return not self.keeps


# ---- writing ------------------------------------------------------------------------------------


def test_an_empty_outbox_is_flushed_without_a_write() -> None:
    outbox, _ = make_outbox()

    assert outbox.flush(FakeChannel(takes=[ConnectionResetError()])) is True


def test_what_was_queued_is_written_in_order() -> None:
    outbox, outgoing = make_outbox(b"one", b"two")
    outgoing.add(WHOLE_BINARY, b"three")
    channel = FakeChannel()

    assert outbox.flush(channel) is True
    assert channel.frames() == [(0x81, b"one"), (0x81, b"two"), (0x82, b"three")]


@pytest.mark.parametrize("takes", [[1] * 8, [3, 5], [7, 1], [8]])
def test_a_kernel_that_takes_little_at_a_time_gets_it_all(takes: list[int]) -> None:
    outbox, _ = make_outbox(b"hi")
    channel = FakeChannel(takes=takes)

    assert outbox.flush(channel) is True
    assert channel.frames() == [(0x81, b"hi")]


def test_what_the_kernel_does_not_take_is_kept() -> None:
    outbox, outgoing = make_outbox(b"hi")
    channel = FakeChannel(takes=[5, 0])

    assert outbox.flush(channel) is False
    assert (len(channel.sent), outgoing.is_congested) == (5, True)
    assert outbox.flush(channel) is True
    assert outgoing.is_congested is False
    assert channel.frames() == [(0x81, b"hi")]


def test_what_is_queued_meanwhile_comes_behind_what_was_kept() -> None:
    outbox, outgoing = make_outbox(b"first")
    channel = FakeChannel(takes=[4, 0, 2, 0])

    outbox.flush(channel)
    outgoing.add(WHOLE_TEXT, b"second")
    outbox.flush(channel)
    outgoing.add(WHOLE_CLOSE, b"")

    assert outbox.flush(channel) is True
    assert channel.frames() == [(0x81, b"first"), (0x81, b"second"), (0x88, b"")]


def test_of_the_pongs_that_could_not_be_written_only_the_newest_is_kept() -> None:
    outbox, outgoing = make_outbox(b"hi")
    channel = FakeChannel(takes=[0])
    outbox.flush(channel)

    for payload in (b"1", b"2", b"3"):
        outgoing.add_pong(payload)
    outbox.flush(channel)

    assert channel.frames() == [(0x81, b"hi"), (0x8A, b"3")]


def test_what_the_channel_keeps_back_is_not_with_the_kernel_yet() -> None:
    outbox, outgoing = make_outbox(b"hi")
    channel = KeepingChannel()

    assert outbox.flush(channel) is False
    assert outgoing.is_congested is True
    channel.keeps = False
    assert outbox.flush(channel) is True
    assert channel.frames() == [(0x81, b"hi")]


@pytest.mark.parametrize("takes", [[], [3]])
def test_what_the_channel_raises_reaches_the_caller(takes: list[int]) -> None:
    outbox, _ = make_outbox(b"hi")

    with pytest.raises(ConnectionResetError):
        outbox.flush(FakeChannel(takes=[*takes, ConnectionResetError()]))


def test_what_cannot_be_written_any_more_is_dropped() -> None:
    outbox, outgoing = make_outbox(b"hi")
    channel = FakeChannel(takes=[3, 0])
    outbox.flush(channel)
    outgoing.add(WHOLE_TEXT, b"more")

    outbox.clear()

    assert outbox.flush(channel) is True
    assert len(channel.sent) == 3


@pytest.mark.parametrize("attempt", range(1, 4))
def test_who_is_interrupted_within_a_long_frame_goes_on_where_it_was(attempt: int) -> None:
    payload = bytes(range(256)) * (3 * LONG // 256)
    outbox, outgoing = make_outbox(payload)
    channel = FakeChannel(takes=[*[LONG * 2] * (attempt - 1), KeyboardInterrupt()])

    with pytest.raises(KeyboardInterrupt):
        outbox.flush(channel)
    outgoing.add(WHOLE_TEXT, b"after")

    assert outbox.flush(channel) is True
    assert channel.frames() == [(0x81, payload), (0x81, b"after")]


# ---- turns --------------------------------------------------------------------------------------


class Gate:
    """An event of no world at all."""

    def __init__(self) -> None:
        self.is_open = False

    def set(self) -> None:
        self.is_open = True

    def wait(self, timeout: float | None = None) -> bool:
        raise NotImplementedError


def queue_up(turn: Turn, count: int) -> list[Gate]:
    gates = [Gate() for _ in range(count)]
    assert [turn.queue_up(gate) for gate in gates] == gates
    return gates


def open_gates(gates: list[Gate]) -> list[bool]:
    return [gate.is_open for gate in gates]


def test_the_turn_goes_to_the_first_in_line() -> None:
    turn = Turn()
    turn.is_taken = True
    gates = queue_up(turn, 2)

    assert open_gates(gates) == [False, False]
    turn.pass_on()
    assert (open_gates(gates), turn.is_taken) == ([True, False], True)
    turn.pass_on()
    assert (open_gates(gates), turn.is_taken) == ([True, True], True)


def test_the_turn_is_free_when_nobody_is_left() -> None:
    turn = Turn()
    turn.is_taken = True
    [gate] = queue_up(turn, 1)

    turn.pass_on()
    turn.pass_on()

    assert (gate.is_open, turn.is_taken) == (True, False)


def test_a_turn_that_nobody_waits_for_is_free_at_once() -> None:
    turn = Turn()
    turn.is_taken = True

    turn.pass_on()

    assert turn.is_taken is False


def test_who_leaves_the_line_is_passed_over() -> None:
    turn = Turn()
    turn.is_taken = True
    gates = queue_up(turn, 3)

    assert turn.leave(gates[0]) is False
    assert turn.leave(gates[2]) is False
    turn.pass_on()

    assert open_gates(gates) == [False, True, False]


def test_who_leaves_when_the_turn_has_come_has_to_pass_it_on() -> None:
    turn = Turn()
    turn.is_taken = True
    [gate] = queue_up(turn, 1)
    turn.pass_on()

    assert turn.leave(gate) is True
    assert turn.leave(Gate()) is True


# ---- long frames --------------------------------------------------------------------------------

LONG_PAYLOAD = bytes(range(256)) * (LONG // 256 * 2) + b"and a rest"


def test_a_long_frame_is_written_piece_by_piece() -> None:
    outbox, outgoing = make_outbox(LONG_PAYLOAD)
    channel = FakeChannel()

    assert outbox.flush(channel) is True
    assert channel.frames() == [(0x81, LONG_PAYLOAD)]
    assert outgoing.bytes_queued == len(channel.sent)
    assert outgoing.is_congested is False


def test_of_a_long_frame_a_piece_at_a_time_is_masked() -> None:
    _, outgoing = make_outbox(LONG_PAYLOAD)

    sizes = [len(outgoing.take()) for _ in range(4)]

    assert sizes == [14 + LONG, LONG, len(b"and a rest"), 0]


@pytest.mark.parametrize("takes", [[0], [LONG + 14, 0], [LONG, 0, 20, 0], [2 * LONG, 0]])
def test_what_is_queued_meanwhile_comes_behind_a_long_frame(takes: list[int]) -> None:
    outbox, outgoing = make_outbox(LONG_PAYLOAD)
    channel = FakeChannel(takes=takes)

    while not outbox.flush(channel):
        outgoing.add(WHOLE_TEXT, b"short")
        outgoing.add_pong(b"pong")
    frames = [frame for frame in channel.frames() if frame != (0x81, b"short")]

    assert frames == [(0x81, LONG_PAYLOAD), (0x8A, b"pong")]


def test_long_frames_that_are_queued_together_keep_their_order() -> None:
    outbox, outgoing = make_outbox(b"first", LONG_PAYLOAD, b"third")
    outbox.flush(FakeChannel())
    outgoing.add(WHOLE_TEXT, LONG_PAYLOAD)
    outgoing.add(WHOLE_BINARY, LONG_PAYLOAD)
    channel = FakeChannel()

    assert outbox.flush(channel) is True
    assert channel.frames() == [(0x81, LONG_PAYLOAD), (0x82, LONG_PAYLOAD)]


def test_nothing_is_left_of_a_long_frame_that_was_dropped() -> None:
    outbox, outgoing = make_outbox(LONG_PAYLOAD)
    outbox.flush(FakeChannel(takes=[20, 0]))

    outbox.clear()

    assert outgoing.take() == b""
