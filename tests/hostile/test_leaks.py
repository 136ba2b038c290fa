"""5,000 connections that end in every way there is leave nothing behind.

Half of them are made with either session class, in a process of its own. What is counted there:
descriptors, connections, threads, greenlets, active watchers and timers of the hub, callbacks that
wait, and all objects of this library, of sockets and of TLS.
"""

from __future__ import annotations

import socket

from lomond.session import WebsocketSession
from tests.helpers.certificates import Certificates
from tests.helpers.scripted_server import ScriptedServer
from tests.hostile.victims import run_program
from tests.hostile.ways import serve

TIMES = 2_500


def test_connections_that_were_lost_in_every_way_leave_nothing_behind(
    session_class: type[WebsocketSession], certificates: Certificates
) -> None:
    context = certificates.server_context()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refused = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    with ScriptedServer(serve) as plain, ScriptedServer(serve, tls=context) as secure:
        places = plain.url, secure.url, refused, certificates.ca_file
        result = run_program("leaks", session_class, *places, TIMES)
    assert result == {"made": TIMES, "left": {}}
