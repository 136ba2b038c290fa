"""Customers of a shop that has both: pages over HTTP, and orders over a WebSocket.

    pip install websockets
    python examples/locust/shop_server.py --port 8766
    locust -f examples/locust/http_and_websocket.py --headless -u 20 -r 20 -t 5s --stop-timeout 5

The second line is the server, in a terminal of its own. `HttpUser` goes as well as `FastHttpUser`.

| row | |
|---|---|
| GET /token, GET /prices | Locust's own |
| WS connect | with the token in a header |
| WSC order | from an order to its confirmation |
"""

from __future__ import annotations

from locust import FastHttpUser, between, task
from locust.exception import StopUser

from lomond_gevent.locust import WebSocketUser


class Customer(WebSocketUser, FastHttpUser):
    """Has `self.client` for the pages and `self.ws` for orders, both at one host."""

    # For the WebSocket http:// becomes ws://, and https:// becomes wss://.
    host = "http://127.0.0.1:8766"
    wait_time = between(0.1, 0.5)

    def on_start(self) -> None:
        """Get a token, and connect with it."""
        response = self.client.get("/token")
        if response.status_code != 200:
            # The row of Locust's says why.
            raise StopUser
        token = response.json()["token"]
        self.ws.connect("/orders", headers={"Authorization": f"Bearer {token}"})

    @task(3)
    def look(self) -> None:
        """See what there is."""
        self.client.get("/prices")

    @task
    def order(self) -> None:
        """Order something. The confirmation has the order's number under "order"."""
        order = {"number": self.ws.next_id(), "item": "kelp"}
        match = ("number", "order")
        with self.ws.request("order", json=order, match=match, timeout=5) as reply:
            if reply.json["status"] != "accepted":
                reply.failure("not accepted")
