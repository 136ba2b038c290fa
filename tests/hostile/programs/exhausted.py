"""A client that persists in a process without a descriptor left, until there are some again.

exhausted.py MODULE:SESSION_CLASS URL
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from typing import IO, Any

from lomond import WebSocket, events
from lomond.persist import persist

module, _, name = sys.argv[1].partition(":")
session_class = getattr(importlib.import_module(module), name)
websocket = WebSocket(sys.argv[2])
# What the first connection makes once for all has its descriptors.
for _event in websocket.connect(session_class):
    continue

held: list[IO[Any]] = []
ends: list[Any] = []
delays: list[float] = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
before = None
last = None
stream = persist(websocket, min_wait=0.05, max_wait=0.1, session_class=session_class)
for event in stream:
    if isinstance(event, events.Connecting) and not held and not ends:
        before = set(os.listdir("/proc/self/fd"))
        try:
            while True:
                held.append(open("/dev/null"))  # noqa: SIM115
        except OSError:
            pass  # Now there is none left.
    elif isinstance(event, (events.ConnectFail, events.Disconnected)):
        last = event.name
        if last == "disconnected":
            break
        ends.append([event.name, event.phase, event.kind, event.retryable])
    elif isinstance(event, events.BackOff):
        delays.append(event.delay)
        if len(ends) == 5:
            for file in held:
                file.close()
            made = set(os.listdir("/proc/self/fd")) - (before or set())
result = {"ends": ends, "delays": delays, "last": last, "descriptors_made": len(made)}
print(json.dumps(result))
