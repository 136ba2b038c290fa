"""A process with open connections forks.

    forked.py os.fork|gevent.fork|thread ECHO_URL SLOW_URL

Of the connections one waits for messages, one is not iterated at the moment, and one is in the
middle of a long message, which its server begins to read only now. Prints what the child met, and
what the parent went on to do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

import gevent

from lomond import WebSocket, events
from lomond.errors import WebSocketUnavailable
from lomond.protocol.masking import make_key
from lomond_gevent import connect

how, echo_url, slow_url = sys.argv[1:]
waiting, resting, sending = WebSocket(echo_url), WebSocket(echo_url), WebSocket(slow_url)
texts: list[str] = []
reading, writing = os.pipe()
SIZE = 8 << 20


def listen(websocket: WebSocket) -> str:
    """Collect texts; return what ended that."""
    try:
        for event in connect(websocket, ping_rate=0, poll=0.05):
            if isinstance(event, events.Text):
                texts.append(event.text)
    except WebSocketUnavailable as error:
        return str(error)
    return "the end"


def send(websocket: WebSocket) -> str:
    """Send a long message; return how that ended."""
    try:
        websocket.send_binary(bytes(SIZE))
    except WebSocketUnavailable as error:
        return str(error)
    return "sent"


def error_of(function: Any, *args: Any) -> str:
    """Return what a call raises."""
    try:
        function(*args)
    except WebSocketUnavailable as error:
        return str(error)
    return "no error"


def until(condition: Any) -> None:
    """Let the greenlets go on until something has come true."""
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        gevent.sleep(0.005)


def connect_anew() -> str:
    """Make a connection, by a name that has to be looked up; return what comes back over it."""
    websocket = WebSocket(echo_url.replace("127.0.0.1", "localhost"))
    for event in connect(websocket):
        if isinstance(event, events.Ready):
            websocket.send_text("anew")
        elif isinstance(event, events.Text):
            return event.text
    return repr(event)


def be_the_child() -> None:
    """Try everything, and tell the parent of it."""
    met = {
        "send": error_of(waiting.send_text, "from the child"),
        "next": error_of(next, stream),
        "close": error_of(waiting.close),
    }
    if how != "thread":
        # Only the thread of the hub has greenlets that go on, on copies of their sockets.
        gevent.sleep(0.4)
        met["listener"] = listener.value
        met["sender"] = sender.value
    met["anew"] = connect_anew()
    met["keys"] = [make_key().hex() for _ in range(200)]
    os.write(writing, json.dumps(met).encode())
    os._exit(0)


def fork() -> int:
    """Fork the way that was asked for; return the child's number, in the parent only."""
    pid = gevent.fork() if how == "gevent.fork" else os.fork()
    if not pid:
        try:
            be_the_child()
        finally:
            os._exit(1)
    return pid


def fork_in_a_thread() -> int:
    """The same, in a thread that has no hub."""
    pids: list[int] = []
    thread = threading.Thread(target=lambda: pids.append(fork()))
    thread.start()
    thread.join()
    return pids[0]


listener = gevent.spawn(listen, waiting)
slow_listener = gevent.spawn(listen, sending)
until(lambda: waiting.session and waiting.session.session_time and sending.session.session_time)
stream = connect(resting, ping_rate=0)
while not isinstance(next(stream), events.Poll):
    continue
sender = gevent.spawn(send, sending)
gevent.sleep(0.05)
make_key()  # the pool is filled

pid = fork_in_a_thread() if how == "thread" else fork()
with os.fdopen(reading, "rb") as file:
    os.close(writing)
    told = b""
    while not told.endswith(b"}"):
        gevent.sleep(0.01)
        told += file.read1(1 << 16)
child = json.loads(told)
keys = [make_key().hex() for _ in range(200)]

for websocket in (waiting, resting):
    websocket.send_text("after the fork")
until(lambda: texts)
echo = next(event for event in stream if isinstance(event, events.Text))
parent = {"texts": [*texts, echo.text], "sender": sender.get(timeout=10)}
for websocket in (waiting, resting, sending):
    websocket.close()
list(stream)
gevent.joinall([listener, slow_listener], timeout=10)
parent["ends"] = [listener.value, slow_listener.value]
shared_keys = len(set(keys) & set(child.pop("keys")))
print(json.dumps({"child": child, "parent": parent, "shared_keys": shared_keys}))
