"""Users who talk now and then, for a look at the web interface; with a log-in if asked for."""

from __future__ import annotations

import os
from typing import Any

from locust import between, events, task

from lomond_gevent.locust import WebSocketUser


class Talker(WebSocketUser):
    """Sends a request now and then, and receives pushes."""

    host = os.environ["WEB_URL"]
    wait_time = between(0.05, 0.15)

    def on_start(self) -> None:
        """Connect."""
        self.ws.connect("/")

    @task
    def say(self) -> None:
        """Ask, and wait for the reply."""
        self.ws.call("say", json={"id": self.ws.next_id(), "do": "reply"}, match="id")


@events.init.add_listener
def ask_for_log_in(environment: Any, **_: Any) -> None:
    """Let nobody in, where Locust runs with --web-login."""
    if environment.parsed_options.web_login:
        environment.web_ui.app.secret_key = "of this test"
        environment.web_ui.login_manager.user_loader(lambda _: None)
