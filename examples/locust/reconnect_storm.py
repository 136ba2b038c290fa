"""A crowd that is cut off all at once, again and again, and comes back with jitter.

    python examples/server.py --port 8765
    locust -f examples/locust/reconnect_storm.py --headless -u 200 -r 200 -t 20s

The first line is the server, in a terminal of its own. It ends each connection after 1.5 seconds,
as servers do that are restarted. How a server bears the crowd's return is in the row "WS connect":
compare its percentiles with another `max_wait`, and see the tab for WebSockets in Locust's web
interface for how many are connected.

| row | |
|---|---|
| WS connect feed | each attempt, the returns among them |
| WSR feed | what was received |
| WS close feed | each end, also those by the server |
"""

from __future__ import annotations

from locust import task

from lomond_gevent.locust import BackOff, WebSocketUser


class Follower(WebSocketUser):
    """Reads a feed, and is back soon after each end."""

    host = "ws://127.0.0.1:8765"
    # The first attempt is made at any moment of the second after an end. Where that fails, the
    # next ones wait for longer, up to `max_wait`.
    ws_reconnect = BackOff(min_wait=0, max_wait=1)
    # This server says 1001 where it is restarted. Without this line each is a failure.
    ws_normal_closes = (1000, 1001, 1005)

    def on_start(self) -> None:
        """Connect. From here on it comes back by itself."""
        self.ws.connect("/ticker", name="feed")

    @task
    def follow(self) -> None:
        """Read until the user is to stop, over all connections."""
        for tick in self.ws.events():
            self.last = tick.text
