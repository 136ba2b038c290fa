"""Several clients at once, each of them a greenlet.

    conversation.py WebsocketSession|GeventSession [--patch-late] CAFILE URL...

With --patch-late gevent patches after all the imports and after a TLS context was made. Prints
the names of the events of each client, and how often a neighbour ticked.
"""

from __future__ import annotations

import json
import ssl
import sys
import warnings

import gevent
from gevent import monkey

from lomond import WebSocket, events
from lomond.session import WebsocketSession
from lomond_gevent import GeventSession

options = [each for each in sys.argv[1:] if each.startswith("--")]
session_name, cafile, *urls = [each for each in sys.argv[1:] if each not in options]
context = ssl.create_default_context(cafile=cafile)
if options:
    with warnings.catch_warnings():
        # gevent warns that patching this late may be of no use to others.
        warnings.simplefilter("ignore")
        monkey.patch_all()

session_class = {"WebsocketSession": WebsocketSession, "GeventSession": GeventSession}[session_name]
CLIENTS_PER_URL = 5
ticks = 0


def converse(url: str, number: int) -> list[str]:
    """Send two texts, one of them from another greenlet; wait for both, a pong and a poll."""
    websocket = WebSocket(url, ssl_context=context if url.startswith("wss") else None)
    names: list[str] = []
    for event in websocket.connect(session_class=session_class, poll=0.1):
        names.append(event.name)
        if isinstance(event, events.Ready):
            websocket.send_text(f"from the loop of {number}")
            gevent.spawn(websocket.send_text, f"from beside {number}")
        elif isinstance(event, events.Text):
            assert event.text.endswith(str(number)), event
        if names.count("text") == 2 and names.count("poll") >= 3:
            websocket.close()
    return names


def tick() -> None:
    """Count."""
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1


ticker = gevent.spawn(tick)
numbers = range(CLIENTS_PER_URL)
clients = [gevent.spawn(converse, url, number) for number in numbers for url in urls]
results = [client.get(timeout=20) for client in clients]
ticker.kill()
print(json.dumps({"events": results, "ticks": ticks}))
