"""Users who say something to a server that echoes, and time how long that takes.

    python examples/server.py --port 8765
    locust -f examples/locust/echo.py --headless -u 20 -r 20 -t 5s --stop-timeout 5

The first line is the server, in a terminal of its own; `--host wss://host` takes another. Without
`--headless` Locust shows its web interface, with a tab for WebSockets. `--stop-timeout` lets what
is under way at the end finish: otherwise it is a row of its own, "(interrupted)".

| row | |
|---|---|
| WS connect | how long it takes until messages can be sent |
| WSC echo | from a message to its echo |
| WS close | how long it takes to say goodbye |
"""

from __future__ import annotations

from locust import between, task

from lomond_gevent.locust import WebSocketUser


class Caller(WebSocketUser):
    """Calls now and then, and waits for the echo."""

    host = "ws://127.0.0.1:8765"
    wait_time = between(0.1, 0.5)

    def on_start(self) -> None:
        """Connect. If that fails there is a row that says so, and it is tried again."""
        self.ws.connect("/echo")

    @task
    def call(self) -> None:
        """Send a text. The next one that comes is the reply."""
        with self.ws.request("echo", text="Hello, loch!", timeout=5) as reply:
            if reply.text != "Hello, loch!":
                reply.failure("another text came back")
