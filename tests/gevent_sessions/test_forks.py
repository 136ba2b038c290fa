"""A connection belongs to the process that made it; a child that is forked off must not touch it.

The child gets a clear error where it sends or iterates, its copies of the greenlets that waited
write nothing, and it closes no more than its own descriptor. The parent goes on.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.gevent_sessions.children import PATCHED, run_program
from tests.helpers.conversation import shrink_buffers
from tests.helpers.echo_server import EchoServer
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

ERROR = "the connection belongs to the parent process: connect again after the fork"
SIZE = 8 << 20


def read_late(peer: Peer) -> None:
    """Begin to read when the child is there, and expect what the parent alone has sent."""
    shrink_buffers(peer.stream.socket)
    peer.accept_upgrade()
    peer.hold(0.3)
    assert peer.read_frame() == (0x82, bytes(SIZE))
    assert peer.read_frame() == (0x88, close_payload(1000, "goodbye"))
    peer.send(server_frame(0x88, close_payload(1000)))


@pytest.mark.parametrize(
    ("how", "started_by"),
    [
        pytest.param("os.fork", (), id="os.fork"),
        pytest.param("gevent.fork", (), id="gevent.fork"),
        pytest.param("thread", (), id="os.fork in a thread"),
        pytest.param("os.fork", PATCHED, id="os.fork, patched"),
    ],
)
def test_child_gets_clear_errors_and_the_parent_goes_on(
    echo_server: EchoServer, how: str, started_by: tuple[str, ...]
) -> None:
    with ScriptedServer(read_late) as slow:
        result: Any = run_program("forked", how, echo_server.url, slow.url, started_by=started_by)
    child = {"send": ERROR, "next": ERROR, "close": "no error", "anew": "anew"}
    copies = {} if how == "thread" else {"listener": ERROR, "sender": ERROR}
    assert result["child"] == child | copies
    assert result["parent"] == {
        "texts": ["after the fork", "after the fork"],
        "sender": "sent",
        "ends": ["the end", "the end"],
    }
    # RFC 6455 §5.3: the masking key must be unpredictable, also from another process's frames.
    assert result["shared_keys"] == 0
