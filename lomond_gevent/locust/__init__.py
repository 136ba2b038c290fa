"""Locust with WebSockets: `WebSocketUser`, for one process or a fleet of workers.

    from locust import between, task
    from lomond_gevent.locust import WebSocketUser

    class Chat(WebSocketUser):
        host = "wss://chat.example.org"
        wait_time = between(1, 3)

        def on_start(self):
            self.ws.connect("/rooms/42", subprotocols=["chat.v2"])

        @task
        def say(self):
            message = {"id": self.ws.next_id(), "text": "hi"}
            with self.ws.request("say", json=message, match="id", timeout=5) as reply:
                if reply.json["status"] != "ok":
                    reply.failure("not accepted")

The only package that imports Locust, which patches the standard library when it is imported.
Nothing but classes and functions is made at import, so that `--processes` may fork afterwards.
"""

# ruff: noqa: E402 - where modules are found is decided before the first of them is imported.

from __future__ import annotations

from lomond.protocol.compiled import prefer_compiled

prefer_compiled(__path__)

from lomond_gevent.locust.client import WebSocketClient as WebSocketClient
from lomond_gevent.locust.histograms import rows_of as rows_of
from lomond_gevent.locust.histograms import use_fine_buckets as use_fine_buckets
from lomond_gevent.locust.hooks import install
from lomond_gevent.locust.hooks import watch as watch
from lomond_gevent.locust.pacing import RateShape as RateShape
from lomond_gevent.locust.pacing import lateness as lateness
from lomond_gevent.locust.pacing import paced as paced
from lomond_gevent.locust.reconnecting import BackOff as BackOff
from lomond_gevent.locust.reconnecting import NoReconnect as NoReconnect
from lomond_gevent.locust.reconnecting import StopUserOnLoss as StopUserOnLoss
from lomond_gevent.locust.reply import Reply as Reply
from lomond_gevent.locust.reply import Request as Request
from lomond_gevent.locust.user import WebSocketUser as WebSocketUser

install(WebSocketUser)
