"""Ctrl+C while the main greenlet waits for events, or for a greenlet that does.

interrupted.py iterating|joining URL
"""

from __future__ import annotations

import json
import os
import signal
import sys

import gevent

from lomond import WebSocket, events
from lomond_gevent import connect

where, url = sys.argv[1:]
websocket = WebSocket(url)
seen: list[str] = []


def converse() -> None:
    """Iterate, and be interrupted in the middle."""
    for event in connect(websocket, poll=60):
        seen.append(event.name)
        if isinstance(event, events.Poll):
            gevent.get_hub().loop.run_callback(os.kill, os.getpid(), signal.SIGINT)


caught = ""
greenlet = None
try:
    if where == "iterating":
        converse()
    else:
        greenlet = gevent.spawn(converse)
        greenlet.join()
except KeyboardInterrupt:
    caught = "KeyboardInterrupt"
is_closed = websocket.is_closed
if greenlet is not None:
    # It goes on as if nothing had been; whoever was interrupted decides.
    websocket.close()
    greenlet.join()
print(json.dumps({"caught": caught, "is_closed": is_closed, "seen": seen}))
