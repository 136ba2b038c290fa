"""A client in every state of the table in `lomond.protocol.connection`, reached by public calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lomond.protocol.client import ClientProtocol
from tests.helpers.protocol import connecting_client, deliver, ready_client

__all__ = [
    "AFTER_READY",
    "EVERY_STATE",
    "State",
    "close_answered",
    "close_received",
    "close_sent",
    "closed",
    "connecting",
    "each",
    "finished",
    "opened",
]


def connecting() -> ClientProtocol:
    """Make a client whose request was sent."""
    return connecting_client(deadline=30.0)


def opened() -> ClientProtocol:
    """Make a client that may send and receive."""
    return ready_client(close_timeout=10.0)


def close_sent() -> ClientProtocol:
    """Make a client that has begun to close."""
    client = opened()
    client.close(1000, b"goodbye", 0.0)
    client.outgoing.take()
    return client


def close_received() -> ClientProtocol:
    """Make a client whose application is looking at the server's Close."""
    client = opened()
    deliver(client, b"\x88\x05\x03\xe9bye")
    return client


def close_answered() -> ClientProtocol:
    """Make a client that has answered the server's Close."""
    client = close_received()
    client.acknowledge_close(0.0)
    client.outgoing.take()
    return client


def closed() -> ClientProtocol:
    """Make a client whose Close was answered: the server has yet to end TCP."""
    client = close_sent()
    deliver(client, b"\x88\x02\x03\xe8")
    return client


def finished() -> ClientProtocol:
    """Make a client for which all is over."""
    client = closed()
    client.end_of_stream()
    return client


AFTER_READY = [opened, close_sent, close_received, close_answered, closed, finished]
EVERY_STATE = [connecting, *AFTER_READY]
State = Callable[[], ClientProtocol]


def each(*cells: tuple[State, object]) -> pytest.MarkDecorator:
    """Parametrize by the rows of the table."""
    names = [state.__name__ for state, _ in cells]
    return pytest.mark.parametrize(("state", "expected"), cells, ids=names)
