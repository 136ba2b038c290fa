"""Members of a chat: each sees its own lines come back, and hears those of all others.

    python examples/server.py --port 8765
    locust -f examples/locust/chat.py --headless -u 20 -r 20 -t 5s --stop-timeout 5

The first line is the server, in a terminal of its own. It sends each line to everybody.

| row | |
|---|---|
| WSC say | from a line to its return, which is known by its id among all that comes |
| WSR line | a line of somebody else's, with the time it took from there to here |
| WSR greeting | the same, where it is for this member |
"""

from __future__ import annotations

import random
from time import time
from uuid import uuid4

from locust import between, task

from lomond.events import Text
from lomond_gevent.locust import WebSocketUser


class Member(WebSocketUser):
    """Says something now and then to somebody whom it has heard before."""

    host = "ws://127.0.0.1:8765"
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Enter."""
        self.name = uuid4().hex
        self.heard = {self.name}
        self.ws.connect("/chat")

    @task
    def say(self) -> None:
        """Greet a member, and see the line come back."""
        line = {
            # A number would do for itself, but here come the lines of others, too.
            "id": f"{self.name} {self.ws.next_id()}",
            "at": time(),
            "from": self.name,
            "to": random.choice(sorted(self.heard)),
        }
        with self.ws.request("say", json=line, match="id", timeout=5) as reply:
            assert reply.json == line, "the line was changed"

    def on_message(self, message: Text) -> None:
        """Take what no request waits for. It may send, but not wait for a reply."""
        self.heard.add(message.json["from"])

    def push_name(self, message: Text) -> str:
        """Name the row: of a few, never of as many as there are members."""
        return "greeting" if message.json["to"] == self.name else "line"

    def sent_at(self, message: Text) -> float:
        """Tell when a line was sent, by the sender's clock: its row has a time then."""
        return message.json["at"]
