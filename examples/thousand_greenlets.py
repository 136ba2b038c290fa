"""A thousand WebSockets at once, each a greenlet of this one thread and a plain loop.

    python examples/thousand_greenlets.py [URL]

`lomond-load` does the same with measurements and all precautions.
"""

from __future__ import annotations

import time

import gevent
from gevent.pool import Pool
from local_server import chosen_url

from lomond import WebSocket
from lomond.events import Disconnected, Ready, Text
from lomond_gevent import GeventSession

GREENLETS = 1000


def converse(url: str, number: int) -> bool:
    """Have one message echoed; tell whether it came back and the connection ended in order."""
    websocket = WebSocket(url)
    question = f"I am number {number}"
    answer = None
    for event in websocket.connect(session_class=GeventSession):
        match event:
            case Ready():
                websocket.send_text(question)
            case Text(text):
                answer = text
                websocket.close()
            case Disconnected(_, graceful):
                return graceful and answer == question
    return False


def main(url: str) -> None:
    """Run them all, and count."""
    started = time.monotonic()
    # A pool does not start everybody at once: the server's queue for new connections is short.
    pool = Pool(200)
    conversations = [pool.spawn(converse, url, number) for number in range(GREENLETS)]
    gevent.joinall(conversations)
    succeeded = sum(conversation.value is True for conversation in conversations)
    print(f"{succeeded} of {GREENLETS} succeeded in {time.monotonic() - started:.1f} s")
    if succeeded < GREENLETS:
        raise SystemExit(1)


if __name__ == "__main__":
    with chosen_url(__doc__, "/echo") as url:
        main(url)
