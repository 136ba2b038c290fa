"""The pool of messages that clients go round."""

from __future__ import annotations

import pytest

from lomond_gevent.load.messages import MARK, MOST_BYTES, Messages


@pytest.mark.parametrize("size", [0, 1, 3, 8, 9, 64, 5000])
@pytest.mark.parametrize("is_binary", [False, True])
def test_every_message_has_the_size(size: int, is_binary: bool) -> None:
    messages = Messages(size, is_binary)

    assert {len(message) for message in [messages.make(), *messages.after]} == {size}
    assert isinstance(messages.first(0), bytes if is_binary else str)


def test_a_client_goes_round_all_messages_before_one_comes_again() -> None:
    messages = Messages(64, False)
    message, seen = messages.first(5), set()
    while message not in seen:
        seen.add(message)
        message = messages.after[message]

    assert len(seen) == 256


def test_neighbours_begin_with_different_messages() -> None:
    messages = Messages(64, False)

    assert len({messages.first(client) for client in range(256)}) == 256


def test_long_messages_are_few() -> None:
    messages = Messages(MOST_BYTES // 2, False)

    assert len(messages.after) == 4


@pytest.mark.parametrize(("size", "different"), [(0, 1), (1, 10), (2, 100), (3, 1000), (64, 1000)])
def test_made_messages_differ_as_far_as_their_size_allows(size: int, different: int) -> None:
    messages = Messages(size, False)

    assert len({messages.make() for _ in range(1000)}) == different


@pytest.mark.parametrize("size", [5, 9, 64])
def test_a_message_is_its_mark_and_what_all_have_behind_it(size: int) -> None:
    messages = Messages(size, True)
    message = messages.make()

    assert message == message[MARK] + messages.tail
