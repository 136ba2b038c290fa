"""A connection belongs to the process that made it; a child that is forked off must not touch it.

The child gets a clear error where it sends or iterates; its copies of the greenlets that waited
neither read nor write; it closes no more than its own descriptors. The parent goes on.
"""

from __future__ import annotations

import os
import threading
import warnings
from typing import Any

import pytest

from lomond_gevent import GeventSession
from tests.gevent_sessions.children import PATCHED, run_program
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import shrink_buffers
from tests.helpers.echo_server import EchoServer
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer, upgrade_answer
from tests.helpers.tls_server import ServerEnd

ERROR = "the connection belongs to the parent process: connect again after the fork"
SIZE = 8 << 20
# How long the servers wait for the child, in seconds.
LATER = 0.3


def read_later(peer: Peer) -> None:
    """Begin to read when the child is there, and expect what the parent alone has sent."""
    shrink_buffers(peer.stream.socket)
    peer.accept_upgrade()
    peer.hold(LATER)
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
    echo_server: EchoServer,
    tls_echo_server: EchoServer,
    certificates: Certificates,
    how: str,
    started_by: tuple[str, ...],
) -> None:
    def shake_hands_later(peer: Peer) -> None:
        peer.hold(LATER)
        end = ServerEnd(certificates.server_context())
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += end.receive(peer.receive())
            peer.send(end.take_outgoing())
        peer.send(end.send(upgrade_answer(request) + b"\x88\x02\x03\xe8"))
        assert end.receive(peer.receive()) != b""

    with ScriptedServer(read_later) as slow, ScriptedServer(shake_hands_later) as slow_tls:
        urls = echo_server.url, tls_echo_server.url, slow.url, slow_tls.url.replace("ws:", "wss:")
        result: Any = run_program("forked", how, certificates.ca_file, *urls, started_by=started_by)
    child = {"send": ERROR, "next": [ERROR] * 3, "close": "no error", "at_once": True}
    copies = {} if how == "thread" else {"copies": [ERROR] * 3}
    assert result["child"] == child | copies | {"by name": "child"}
    assert result["parent"] == {
        "texts": ["after the fork"] * 4,
        "sent": "no error",
        "ends": ["disconnected"] * 3,
        "connecting": "no error",
        "by name": "parent",
    }
    # RFC 6455 §5.3: the masking key must be unpredictable, also from another process's frames.
    assert result["shared_keys"] == 0


def test_a_lock_that_a_thread_of_the_parent_held_is_free_in_the_child() -> None:
    lock: Any = GeventSession.make_lock()
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            is_held.set()
            is_over.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(10)
    with warnings.catch_warnings():
        # Python 3.12 and up warn of any fork beside threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(0 if lock.acquire(blocking=False) else 1)
    _, status = os.waitpid(pid, 0)
    is_over.set()
    holder.join()

    assert status == 0
