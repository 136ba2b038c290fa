"""The least that a closed echo takes with `GeventSession`: a loop that sends, and nothing else."""

from __future__ import annotations

from time import process_time

import gevent
from gevent.event import Event

from lomond import WebSocket
from lomond.events import Ready, Text
from lomond_gevent import GeventSession


class Crowd:
    """Connections that echo until they are told to stop."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._message = "a" * size
        self._trips = 0
        self._connected = 0
        self._begin = Event()

    def measure(self, clients: int, seconds: float) -> float:
        """Return the CPU seconds for a round trip, from half a second after all are connected."""
        greenlets = [gevent.spawn(self._live) for _ in range(clients)]
        while self._connected < clients:
            gevent.sleep(0.05)
        self._begin.set()
        gevent.sleep(0.5)
        trips, cpu = self._trips, process_time()
        gevent.sleep(seconds)
        cost = (process_time() - cpu) / (self._trips - trips)
        gevent.killall(greenlets)
        return cost

    def _live(self) -> None:
        websocket = WebSocket(self._url)
        events = websocket.connect(session_class=GeventSession)
        for event in events:
            if isinstance(event, Ready):
                break
        self._connected += 1
        self._begin.wait()
        send, message = websocket.send_text, self._message
        send(message)
        for event in events:
            if type(event) is Text:
                self._trips += 1
                send(message)
