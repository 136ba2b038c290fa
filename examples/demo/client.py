"""One WebSocket in its greenlet: a loop over events, and a question that comes back."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from examples.demo.tally import Tally, Trips
from lomond import WebSocket
from lomond.errors import WebSocketError
from lomond.events import (
    Closed,
    Connected,
    ConnectFail,
    Connecting,
    Disconnected,
    Ping,
    Poll,
    Pong,
    Ready,
    Rejected,
    Text,
)
from lomond_gevent import GeventSession


class Client:
    """Ask a server that echoes, and check its answers.

    `run` is the greenlet's; the other methods may be called from any greenlet meanwhile.
    """

    __slots__ = (
        "_eager_for",
        "_number",
        "_tally",
        "_trips",
        "_under_way",
        "_websocket",
        "answers",
        "has_ended",
        "has_polled",
    )

    def __init__(self, url: str, number: int, tally: Tally) -> None:
        self._websocket = WebSocket(url)
        self._number = number
        self._tally = tally
        self._trips: Trips | None = None
        # Questions without an answer yet, and when they were sent.
        self._under_way: list[tuple[str, float]] = []
        # Questions that are asked without being told to, each as soon as the last is answered.
        self._eager_for = 0
        self.answers = 0
        self.has_polled = False
        self.has_ended = False

    def run(self, leave_door: Callable[[], object]) -> None:
        """Follow the connection from its first event to its last.

        Calls `leave_door` once, when the client is connected or never will be.
        """
        try:
            for event in self._websocket.connect(session_class=GeventSession):
                self._tally.count(event)
                match event:
                    case Text(text):
                        self._receive(text)
                    case Ready():
                        self._tally.connected()
                    case Poll():
                        # The first comes right behind Ready, the others every five seconds.
                        if not self.has_polled:
                            self.has_polled = True
                            leave_door()
                    case Disconnected():
                        self._part(event)
                    case ConnectFail(reason) | Rejected(_, reason):
                        self._tally.note_problem(f"not connected: {reason}")
                    case Connecting() | Connected() | Closed() | Ping() | Pong():
                        continue
                    case _:
                        self._tally.note_problem(f"unexpected: {event!r}")
        finally:
            self.has_ended = True
            if not self.has_polled:
                leave_door()

    def ask(self, trips: Trips, eager_for: int = 0) -> None:
        """Send a question, and after its answer `eager_for` more, one after the other."""
        if self.has_ended:
            return
        self._trips = trips
        self._eager_for = eager_for
        asked = self.answers + len(self._under_way)
        question = f"client {self._number}, question {asked}"
        self._under_way.append((question, perf_counter()))
        try:
            self._websocket.send_text(question)
        except WebSocketError as error:
            self._tally.note_problem(f"not sent: {error}")

    def close(self) -> None:
        """Begin the closing handshake."""
        self._websocket.close()

    def _receive(self, text: str) -> None:
        if not self._under_way or self._trips is None:
            self._tally.note_problem("a message that was not asked for")
            return
        question, sent = self._under_way.pop(0)
        if text != question:
            self._tally.note_problem("an answer that is not the question")
            return
        self._trips.record(sent, perf_counter())
        self.answers += 1
        if self._eager_for:
            self.ask(self._trips, self._eager_for - 1)

    def _part(self, event: Disconnected) -> None:
        if event.graceful and event.closed_by == "client":
            self._tally.graceful_closes += 1
        else:
            self._tally.note_problem(f"disconnected in phase {event.phase}: {event.reason}")
