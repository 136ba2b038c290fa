"""A locustfile as somebody writes it who knows websocket-client, gevent and Locust well.

It is correct: one greenlet of each user reads, replies are known by their id, what nobody waits for
is a row without a time, connecting and the end are rows, and what goes wrong is a failure and no
traceback. `create_connection` and `recv_data` rather than `WebSocketApp`, which adds a dispatcher
and callbacks to the same calls. The same on this project is in `with_package.py`.
"""

from __future__ import annotations

import json
import struct
from itertools import count
from time import perf_counter, time
from typing import Any

import gevent
import websocket
from gevent.event import AsyncResult
from locust import User, task
from locust.exception import CatchResponseError
from measuring import MESSAGES, PATH, TEXT, course

NORMAL = (1000, 1005)


class NoSocket:
    """What a user has instead of a socket that could not be connected."""

    def send(self, _text: str) -> None:
        """Refuse."""
        raise websocket.WebSocketConnectionClosedException("not connected")


class HandMadeUser(User):
    """A user with a WebSocket."""

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.ids = count(1)
        self.socket: Any = NoSocket()
        self.reader: Any = None
        self.waiting: dict[int, AsyncResult] = {}

    def connect(self, path: str) -> None:
        """Connect, and begin to read; a failure is a row."""
        began, start_time, error = perf_counter(), time(), None
        try:
            self.socket = websocket.create_connection(self.host + path, timeout=30)
        except (OSError, websocket.WebSocketException) as failure:
            error = failure
        self.fire("WS", "connect", perf_counter() - began, 0, error, start_time)
        if error is None:
            self.socket.settimeout(None)
            self.reader = gevent.spawn(self.read)

    def read(self) -> None:
        """Hand each message to who waits for it; the others are rows without a time."""
        receive, waiting = self.socket.recv_data, self.waiting
        error: Exception | None = None
        try:
            while True:
                opcode, data = receive()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    code = struct.unpack("!H", data[:2])[0] if data else 1005
                    if code not in NORMAL:
                        error = CatchResponseError(f"closed with {code}")
                    break
                text = data.decode() if opcode == websocket.ABNF.OPCODE_TEXT else data
                asked = None
                if waiting:
                    reply = json.loads(text)
                    asked = waiting.pop(reply.get("id"), None)
                if asked is None:
                    self.fire("WSR", "message", None, len(data))
                else:
                    asked.set((reply, len(data), perf_counter()))
        except (OSError, websocket.WebSocketException) as failure:
            error = failure
        self.fire("WS", "close", None, 0, error)
        for asked in waiting.values():
            asked.set_exception(CatchResponseError("connection lost"))
        waiting.clear()

    def request(self, name: str, message: dict[str, Any], timeout: float) -> None:
        """Send, and wait for the reply, which is to have the same text."""
        number = message["id"]
        asked = self.waiting[number] = AsyncResult()
        start_time, began = time(), perf_counter()
        seconds, length = None, 0
        error: Exception | None = CatchResponseError("interrupted")
        try:
            self.socket.send(json.dumps(message))
            reply, length, came = asked.get(timeout=timeout)
            seconds = came - began
            error = None
            if reply["text"] != message["text"]:
                error = CatchResponseError("not what was said")
        except gevent.Timeout:
            error = CatchResponseError("no reply in time")
        except (OSError, websocket.WebSocketException, CatchResponseError) as failure:
            error = failure
        finally:
            self.waiting.pop(number, None)
            self.fire("WSC", name, seconds, length, error, start_time)

    def send(self, name: str, text: str) -> None:
        """Send what has no reply."""
        error = None
        try:
            self.socket.send(text)
        except (OSError, websocket.WebSocketException) as failure:
            error = failure
        self.fire("WSS", name, None, len(text), error)

    def on_stop(self) -> None:
        """Say goodbye, and leave nothing running."""
        if self.reader is not None:
            self.socket.send_close()
            self.reader.join(timeout=1)
            self.reader.kill()
            self.socket.shutdown()

    def fire(
        self,
        kind: str,
        name: str,
        seconds: float | None,
        length: int,
        error: Exception | None = None,
        start_time: float | None = None,
    ) -> None:
        """Fire a row."""
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=None if seconds is None else seconds * 1000,
            response_length=length,
            exception=error,
            context=self.context(),
            start_time=start_time or time(),
        )


class Sayer(HandMadeUser):
    """Asks, and waits for the reply that has the id of the request."""

    def on_start(self) -> None:
        """Connect, and begin with the others."""
        self.said = 0
        self.connect(PATH)
        course.arrive()

    @task
    def say(self) -> None:
        """Ask, so many times."""
        self.request("say", {"id": next(self.ids), "text": TEXT}, timeout=30)
        self.said += 1
        if self.said == MESSAGES:
            course.leave()


class Listener(HandMadeUser):
    """Receives what the server sends of its own accord."""

    def on_start(self) -> None:
        """Connect, and begin with the others."""
        self.connect(PATH)
        course.arrive()

    @task
    def listen(self) -> None:
        """Ask for it; what comes is a row each."""
        self.send("go", "go")
        course.leave()
