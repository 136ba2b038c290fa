"""A process with open connections forks.

    forked.py os.fork|gevent.fork|thread CAFILE ECHO_URL TLS_ECHO_URL SLOW_URL SLOW_TLS_URL

One of its connections waits for messages, and three are not iterated at the moment: one of those
has a ping to send, one is over TLS. One is in the middle of a long message, which its server begins
to read later, one in the middle of a TLS handshake, with which its server goes on later, and one
waits for a name.
Prints what the child met, and what the parent went on to do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent import monkey

from lomond import WebSocket, events
from lomond.errors import WebSocketUnavailable
from lomond.protocol.masking import make_key
from lomond_gevent import connect

how, cafile, echo_url, tls_echo_url, slow_url, slow_tls_url = sys.argv[1:]
SIZE = 8 << 20
texts: list[str] = []
reading, writing = os.pipe()


def outcome_of(function: Callable[..., Any], *args: Any) -> str:
    """Call a function; return what its error says."""
    try:
        function(*args)
    except WebSocketUnavailable as error:
        return str(error)
    return "no error"


def listen(websocket: WebSocket) -> str:
    """Collect texts in a greenlet; return how that ended."""

    def collect() -> None:
        for event in connect(websocket, ping_rate=0, poll=0.05):
            if isinstance(event, events.Text):
                texts.append(event.text)

    return outcome_of(collect)


def rest(websocket: WebSocket, kind: type[events.Event], **options: Any) -> Iterator[events.Event]:
    """Iterate up to an event of this class, and no further."""
    stream = connect(websocket, **options)
    while not isinstance(next(stream), kind):
        continue
    return stream


def look_up_slowly(*args: Any) -> Any:
    """Do as gevent's resolver does, which has threads of its own."""
    return gevent.get_hub().threadpool.apply(lambda: (time.sleep(0.2), native_look_up(*args))[1])


def until(condition: Callable[[], object]) -> None:
    """Let the greenlets go on until something has come true."""
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        gevent.sleep(0.005)


def connect_by_name(text: str) -> str:
    """Make a connection by a name, which is being looked up; return what comes back over it."""
    websocket = WebSocket(echo_url.replace("127.0.0.1", "localhost"))
    for event in connect(websocket):
        if isinstance(event, events.Ready):
            websocket.send_text(text)
        elif isinstance(event, events.Text):
            return event.text
    return repr(event)


def be_the_child() -> None:
    """Try everything, and tell the parent of it."""
    started = time.monotonic()
    met: dict[str, Any] = {
        "send": outcome_of(waiting.send_text, "from the child"),
        "next": [outcome_of(next, stream) for stream in streams],
        "close": outcome_of(waiting.close),
        "at_once": time.monotonic() - started < 1,
    }
    if how != "thread":
        # Only the thread of the hub has greenlets that go on, on copies of their sockets.
        gevent.sleep(0.5)
        met["copies"] = [listener.value, sender.value, connecting.value]
    met["by name"] = connect_by_name("child")
    met["keys"] = [make_key().hex() for _ in range(200)]
    os.write(writing, json.dumps(met).encode())


def fork() -> int:
    """Fork the way that was asked for; return the child's number, in the parent only."""
    pid = gevent.fork() if how == "gevent.fork" else os.fork()
    if not pid:
        try:
            be_the_child()
        finally:
            os._exit(0)
    return pid


def wait_for_the_child() -> Any:
    """Return what it has to tell, or how it died."""
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        told = gevent.get_hub().threadpool.apply(file.read)
    return json.loads(told) if told else {"died": True, "keys": []}


waiting, sending = WebSocket(echo_url), WebSocket(slow_url)
resting = [WebSocket(echo_url), WebSocket(echo_url), WebSocket(tls_echo_url, ssl_cafile=cafile)]
listener, slow_listener = gevent.spawn(listen, waiting), gevent.spawn(listen, sending)
until(lambda: waiting.session and waiting.session.session_time and sending.session.session_time)
streams = [
    # The other event of its batch is still to come, and a ping is due before that.
    rest(resting[0], events.Ready, poll=60, ping_rate=0.02),
    rest(resting[1], events.Poll, poll=60, ping_rate=0),
    rest(resting[2], events.Poll, poll=60, ping_rate=0),
]
native_look_up = monkey.get_original("socket", "getaddrinfo")
gevent.get_hub().resolver.getaddrinfo = look_up_slowly
looking_up = gevent.spawn(connect_by_name, "parent")
connecting = gevent.spawn(listen, WebSocket(slow_tls_url, ssl_cafile=cafile))
sender = gevent.spawn(outcome_of, sending.send_binary, bytes(SIZE))
gevent.sleep(0.05)
make_key()  # The pool is filled.

if how == "thread":
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
else:
    fork()
child = wait_for_the_child()
keys = [make_key().hex() for _ in range(200)]

for websocket in (waiting, *resting):
    websocket.send_text("after the fork")
for stream in streams:
    texts.append(next(event.text for event in stream if isinstance(event, events.Text)))
until(lambda: len(texts) == 4)
sent = sender.get(timeout=10)
for websocket in (waiting, sending, *resting):
    websocket.close()
ends = [list(stream)[-1].name for stream in streams]
gevent.joinall([listener, slow_listener, connecting], timeout=10)
parent = {"texts": texts, "sent": sent, "ends": ends, "connecting": connecting.value}
parent["by name"] = looking_up.get(timeout=10)
shared_keys = len(set(keys) & set(child.pop("keys")))
print(json.dumps({"child": child, "parent": parent, "shared_keys": shared_keys}))
