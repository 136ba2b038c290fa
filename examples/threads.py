"""One WebSocket, used by several threads at once: any of them may send, one follows the events.

Usage:

    python examples/threads.py [URL]
"""

from __future__ import annotations

from threading import Thread

from local_server import chosen_url

from lomond import WebSocket
from lomond.errors import WebSocketError
from lomond.events import ConnectFail, Disconnected, Ready, Rejected, Text

WORKERS = 4
MESSAGES = 5  # of each worker


def work(websocket: WebSocket, name: str) -> None:
    """Send some messages; each is whole on the wire, whoever else is sending."""
    try:
        for number in range(MESSAGES):
            websocket.send_json(worker=name, number=number)
    except WebSocketError as error:
        print(f"{name} could not send: {error}")


def main(url: str) -> None:
    """Start the workers once the connection is ready; close when all has come back."""
    websocket = WebSocket(url)
    workers = [Thread(target=work, args=(websocket, f"worker {n}")) for n in range(WORKERS)]
    received = 0
    for event in websocket.connect():
        match event:
            case Ready():
                for worker in workers:
                    worker.start()
            case Text():
                received += 1
                print(event.json)
                if received == WORKERS * MESSAGES:
                    websocket.close()
            case ConnectFail(reason) | Rejected(_, reason) | Disconnected(reason):
                print(f"{received} messages came back; the connection has ended: {reason}")


if __name__ == "__main__":
    with chosen_url(__doc__, "/echo") as url:
        main(url)
