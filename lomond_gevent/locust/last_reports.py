"""The end of a run with workers: the master waits for their last figures.

When a run is over Locust's master tells its workers to quit, and listens for half a second more.
A thousand WebSockets take longer than that to close in order, and with their rows all would be lost
that happened since the last report, up to three seconds before. So the workers stop first, report,
and say so; then the master quits. A worker that quits by itself, as all do after a Ctrl-C, would
not report at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import gevent
from gevent.lock import RLock
from locust.runners import STATE_INIT, STATE_STOPPED

if TYPE_CHECKING:
    from locust.runners import MasterRunner, WorkerRunner

FINISH = "lomond_gevent.finish"
FINISHED = "lomond_gevent.finished"
# Seconds beyond Locust's --stop-timeout, for a worker that has died or is very busy.
PATIENCE = 30.0
LOOK = 0.05

logger = logging.getLogger(__name__)


class LastReports:
    """What the master waits for: a listener of `test_stop`."""

    def __init__(self, runner: MasterRunner) -> None:
        self._runner = runner
        self._waiting: set[str] = set()
        register: Callable[..., None] = runner.register_message
        register(FINISHED, self._on_finished)

    def wait(self, **_: Any) -> None:
        """Have all workers stop, and wait until they have reported.

        Does nothing where they have stopped already, as with the button in the web interface.
        """
        runner = self._runner
        if not runner.user_count:
            return
        self._waiting = {each.id for each in [*runner.clients.running, *runner.clients.spawning]}
        for worker in self._waiting:
            runner.send_message(FINISH, client_id=worker)
        deadline = monotonic() + runner.environment.stop_timeout + PATIENCE
        while self._waiting & self._present():
            if monotonic() > deadline:
                logger.warning("%d workers have not sent their last figures", len(self._waiting))
                return
            gevent.sleep(LOOK)

    def _present(self) -> set[str]:
        clients = self._runner.clients
        return set(clients) - {each.id for each in clients.missing}

    def _on_finished(self, msg: Any, **_: Any) -> None:
        self._waiting.discard(msg.node_id)


class LastReport:
    """What a worker does at the end: stop, report, and tell the master."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        # The master may ask for it while a Ctrl-C, which all processes get, has begun it.
        self._lock = RLock()
        register: Callable[..., None] = runner.register_message
        # Beside the worker's other messages: stopping takes its time.
        register(FINISH, self._obey, concurrent=True)

    def send(self, **_: Any) -> None:
        """Stop and report, unless it has been done: a listener of `quitting`."""
        runner = self._runner
        with self._lock:
            if runner.state in (STATE_INIT, STATE_STOPPED):
                return
            stop: Callable[[], None] = runner.stop
            stop()
            data: dict[str, Any] = {}
            collect: Callable[..., None] = runner.environment.events.report_to_master.fire
            collect(client_id=runner.client_id, data=data)
            runner.send_message("stats", data)

    def _obey(self, **_: Any) -> None:
        self.send()
        self._runner.send_message(FINISHED)
