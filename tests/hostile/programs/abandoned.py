"""A process that ends in the middle of a conversation, without a word on standard error.

abandoned.py MODULE:SESSION_CLASS URL
"""

from __future__ import annotations

import importlib
import json
import sys

import psutil

from lomond import WebSocket, events

module, _, name = sys.argv[1].partition(":")
session_class = getattr(importlib.import_module(module), name)
websocket = WebSocket(sys.argv[2])
stream = websocket.connect(session_class)
for event in stream:
    if isinstance(event, events.Poll):
        break
websocket.send_text("in the middle")
print(json.dumps({"open": len(psutil.Process().net_connections("tcp"))}))
