"""A client that connects again and again, and tells what that did to it.

    victim.py MODULE:SESSION_CLASS URL TIMES OPTIONS

The first connection is not counted: it makes what is made once for all.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from itertools import groupby
from typing import Any

from lomond import WebSocket, events

module, _, name = sys.argv[1].partition(":")
session_class = getattr(importlib.import_module(module), name)
url, times = sys.argv[2], int(sys.argv[3])
options = json.loads(sys.argv[4])
connect_options = options.pop("connect", {})


def memory(field: str) -> int:
    """Return a field of this process's status in bytes: VmRSS, or VmHWM for the highest ever."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) * 1024


def forget_the_highest() -> None:
    """Let VmHWM begin anew."""
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def connect() -> dict[str, Any]:
    """Make one connection, and drop each event when it was looked at."""
    forget_the_highest()
    before, worked = memory("VmRSS"), time.process_time()
    names: list[str] = []
    lengths: list[int] = []
    end: Any = None
    # All that the loop does at an event is to note what it was.
    for event in WebSocket(url, **options).connect(session_class, **connect_options):
        if names[-1:] != [event.name]:
            names.append(event.name)
        if isinstance(event, events.Text):
            lengths.append(len(event.text))
        elif isinstance(event, events.Binary):
            lengths.append(len(event.data))
        end = event
    return {
        "names": [key for key, _ in groupby(n for n in names if n != "poll")],
        "kind": end.kind,
        "code": getattr(end, "code", None),
        "lengths": lengths,
        "grown": memory("VmHWM") - before,
        "worked": time.process_time() - worked,
    }


connect()
print(json.dumps([connect() for _ in range(times)]))
sys.stdout.flush()
os._exit(0)
