"""A client whose process gets signals while it waits, and at last the one of Ctrl+C.

interrupted.py MODULE:SESSION_CLASS URL
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any

import psutil

from lomond import WebSocket, events

module, _, name = sys.argv[1].partition(":")
session_class = getattr(importlib.import_module(module), name)
signals = polls = 0
raised = ""


def count(number: int, _frame: Any) -> None:
    """Note a signal; the sixth interrupts."""
    global signals
    if signals == 5:
        # No further one may come while the interpreter ends.
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt
    signals += 1


signal.signal(signal.SIGALRM, count)
try:
    for event in WebSocket(sys.argv[2]).connect(session_class, poll=0.1):
        if isinstance(event, events.Ready):
            signal.setitimer(signal.ITIMER_REAL, 0.07, 0.07)
        polls += isinstance(event, events.Poll)
except KeyboardInterrupt:
    raised = "KeyboardInterrupt"
connections = psutil.Process(os.getpid()).net_connections("tcp")
print(
    json.dumps(
        {"signals": signals, "polls": polls >= 3, "raised": raised, "open": len(connections)}
    )
)
