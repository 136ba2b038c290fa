"""A chat in the terminal: one greenlet prints what comes, the other sends what you type.

    python examples/chat_from_two_greenlets.py [URL]

To have somebody to talk to, start `python examples/server.py`, and this twice in two terminals,
each with the URL that the server prints, and /chat behind it. End the input (Ctrl-D) to leave.
"""

from __future__ import annotations

import sys

import gevent
from local_server import chosen_url

from lomond import WebSocket
from lomond.errors import WebSocketError
from lomond.events import ConnectFail, Disconnected, Ready, Rejected, Text
from lomond_gevent import connect


def main(url: str) -> None:
    """Chat until the input or the connection ends."""
    websocket = WebSocket(url)
    typist = None
    try:
        for event in connect(websocket):
            match event:
                case Ready():
                    print("Connected. Type something; Ctrl-D leaves.", flush=True)
                    typist = gevent.spawn(send_lines, websocket)
                case Text(text):
                    print(f"> {text}", flush=True)
                case ConnectFail(reason) | Rejected(_, reason) | Disconnected(reason):
                    print(f"The connection has ended: {reason}")
    finally:
        if typist is not None:
            typist.kill(block=False)


def send_lines(websocket: WebSocket) -> None:
    """Send each line of standard input, and close when it ends."""
    # Reading a terminal blocks: that is left to a thread of gevent's pool.
    pool = gevent.get_hub().threadpool
    try:
        while line := pool.apply(sys.stdin.readline):
            websocket.send_text(line.rstrip("\n"))
        websocket.close()
    except WebSocketError as error:
        print(f"Not sent: {error}")


if __name__ == "__main__":
    with chosen_url(__doc__, "/chat") as url:
        main(url)
