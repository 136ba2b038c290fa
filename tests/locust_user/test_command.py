"""Locust as a command, headless: exit codes and statistics."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.locust_user.server import Server

ROOT = Path(__file__).parent.parent.parent
DEADLINE = 60

CHAT = """
from locust import between, task
from lomond_gevent.locust import WebSocketUser

class Chat(WebSocketUser):
    wait_time = between(0.01, 0.02)

    def on_start(self):
        self.ws.connect("/rooms/42", subprotocols=["chat.v2"])

    @task
    def say(self):
        message = {"id": self.ws.next_id(), "text": "hi", "status": "ok"}
        with self.ws.request("say", json=message, match="id", timeout=5) as reply:
            if reply.json["status"] != "ok":
                reply.failure("not accepted")
"""
# Of errors a run without its tables says nothing. And Locust sets the end of a run by the clock of
# gevent's loop, which has stood still since before the imports: they would be a part of it.
TELL = """
import os
from pathlib import Path
import gevent
from locust import events

@events.init.add_listener
def begin_now(**_):
    gevent.get_hub().loop.update_now()

@events.quitting.add_listener
def tell(environment, **_):
    errors = environment.stats.errors.values()
    Path(os.environ["ERRORS"]).write_text("\\n".join(sorted(e.to_name() for e in errors)))
"""
LOST = (
    CHAT.replace("/rooms/42", "/boom?code=1011&reason=boom")
    .replace("wait_time", "ws_reconnect = NoReconnect()\n    wait_time")
    .replace("import WebSocketUser", "import NoReconnect, WebSocketUser")
)


class Outcome(NamedTuple):
    """What a run of Locust has come to."""

    exit_code: int
    entries: dict[str, dict[str, Any]]
    errors: list[str]
    log: str


def run(tmp_path: Path, locustfile: str, host: str, *options: str) -> Outcome:
    """Run a locustfile for two seconds."""
    file = tmp_path / "locustfile.py"
    file.write_text(locustfile + TELL)
    command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "-t", "2s"]
    command += ["-u", "3", "-r", "100", "-H", host, "--json-file", str(tmp_path / "result")]
    done = subprocess.run(
        [*command, *options],
        env=os.environ | {"PYTHONPATH": str(ROOT), "ERRORS": str(tmp_path / "errors")},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    entries = json.loads((tmp_path / "result.json").read_text())
    return Outcome(
        done.returncode,
        {f"{entry['method']} {entry['name']}": entry for entry in entries},
        (tmp_path / "errors").read_text().splitlines(),
        done.stderr,
    )


def test_a_clean_run_exits_with_0_and_keeps_what_is_finer_than_a_millisecond(
    tmp_path: Path, server: Server
) -> None:
    outcome = run(tmp_path, CHAT, server.host, "--stop-timeout", "5")

    say = outcome.entries["WSC say"]
    assert (outcome.exit_code, outcome.errors) == (0, []), outcome.log
    assert say["num_requests"] > 0 and say["num_failures"] == 0
    assert say["min_response_time"] != round(say["min_response_time"])
    assert say["total_content_length"] > 0


def test_a_server_that_closes_with_1011_makes_failures_and_exit_1(
    tmp_path: Path, server: Server
) -> None:
    outcome = run(tmp_path, LOST, server.host)

    assert outcome.exit_code == 1
    assert outcome.entries["WS close"]["num_failures"] == 3
    assert "WS close: closed by the server with 1011" in outcome.errors
    assert "Traceback" not in outcome.log


def test_a_refused_connection_makes_rows_and_users_that_live_on(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"

        # Nobody else may have the port meanwhile.
        outcome = run(tmp_path, LOST, host)

    assert outcome.exit_code == 1
    assert outcome.entries["WS connect"]["num_failures"] == 3
    # Each goes on, and is told so at every attempt.
    assert outcome.entries["WSC say"]["num_failures"] > 3
    assert "Traceback" not in outcome.log


@pytest.mark.parametrize("options", [(), ("--stop-timeout", "5")])
def test_what_is_in_flight_at_the_end_is_no_success(
    tmp_path: Path, server: Server, options: tuple[str, ...]
) -> None:
    # In time for `--stop-timeout`, and not before the end of the run.
    silent = CHAT.replace("/rooms/42", "/silent").replace("timeout=5", "timeout=4")

    outcome = run(tmp_path, silent, server.host, *options)

    is_judged = bool(options)
    [label] = [label for label in outcome.entries if label.startswith("WSC")]
    say = outcome.entries[label]
    assert label == ("WSC say" if is_judged else "WSC say (interrupted)")
    assert say["num_requests"] == 3 and say["num_failures"] == (3 if is_judged else 0)
    assert outcome.errors == (["WSC say: no reply in time"] if is_judged else [])
    assert outcome.exit_code == is_judged and "Traceback" not in outcome.log


def test_forked_workers_tell_their_master(tmp_path: Path, server: Server) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    pushes = CHAT.replace("/rooms/42", "/push?n=50")
    fork = ("--processes", "2", "--master-bind-host", "127.0.0.1")

    outcome = run(
        tmp_path, pushes, server.host, *fork, "--master-bind-port", port, "--master-port", port
    )

    assert outcome.entries["WS connect"]["num_requests"] == 3
    pushed = outcome.entries["WSR message"]
    assert pushed["num_requests"] == pushed["num_none_requests"]
    # Each has 50: the echo of what was interrupted is late, and no push.
    assert pushed["num_requests"] == 150


def test_the_import_makes_no_hub_and_no_thread() -> None:
    program = (
        "import threading\n"
        "from gevent._hub_local import get_hub_if_exists\n"
        "import locust\n"
        "before = get_hub_if_exists(), threading.active_count()\n"
        "import lomond_gevent.locust, ssl, gc\n"
        "assert (get_hub_if_exists(), threading.active_count()) == before\n"
        "assert not [x for x in gc.get_objects() if isinstance(x, ssl.SSLContext)\n"
        "            and x is not locust.clients._preloaded_ssl_context]\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )

    assert done.returncode == 0, done.stderr
