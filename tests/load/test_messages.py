"""The pool of messages that clients go round."""

from __future__ import annotations

import pytest

from lomond_gevent.load.messages import MOST_BYTES, Messages


@pytest.mark.parametrize("size", [0, 1, 3, 8, 9, 64, 5000])
@pytest.mark.parametrize("is_binary", [False, True])
def test_every_message_has_the_size(size: int, is_binary: bool) -> None:
    messages = Messages(size, is_binary)

    assert {len(message) for message in messages.after} == {size}
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
