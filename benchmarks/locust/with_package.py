"""A locustfile on this project; the same by hand is in `by_hand.py`."""

from __future__ import annotations

from locust import task
from measuring import MESSAGES, PATH, TEXT, course

from lomond_gevent.locust import WebSocketUser


class Sayer(WebSocketUser):
    """Asks, and waits for the reply that has the id of the request."""

    def on_start(self) -> None:
        """Connect, and begin with the others."""
        self.said = 0
        self.ws.connect(PATH)
        course.arrive()

    @task
    def say(self) -> None:
        """Ask, so many times."""
        message = {"id": self.ws.next_id(), "text": TEXT}
        with self.ws.request("say", json=message, match="id", timeout=30) as reply:
            if reply.json["text"] != TEXT:
                reply.failure("not what was said")
        self.said += 1
        if self.said == MESSAGES:
            course.leave()


class Listener(WebSocketUser):
    """Receives what the server sends of its own accord."""

    def on_start(self) -> None:
        """Connect, and begin with the others."""
        self.ws.connect(PATH)
        course.arrive()

    @task
    def listen(self) -> None:
        """Ask for it; what comes is counted."""
        self.ws.send("go", text="go")
        course.leave()
