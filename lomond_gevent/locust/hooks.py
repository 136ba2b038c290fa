"""What is hooked into Locust, and when: options, measuring, reports to the master, results.

Importing the package registers two listeners and makes nothing else: with `--processes` Locust
forks after the import. All else begins with Locust's `init` event, in each process by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import gevent
from locust import events, stats
from locust.runners import (
    STATE_CLEANUP,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPING,
    MasterRunner,
    WorkerRunner,
)

from lomond_gevent.locust.connections import gauge_of
from lomond_gevent.locust.histograms import rows_of
from lomond_gevent.locust.last_reports import LastReport, LastReports
from lomond_gevent.locust.options import add_options, settings_of
from lomond_gevent.locust.page.samples import Samples
from lomond_gevent.locust.page.tables import write_csv, write_text

if TYPE_CHECKING:
    from locust import User
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

KEY: Final = "lomond_gevent"
"""Where our part of a worker's report is."""

BEAT = 1.0
ACTIVE = (STATE_SPAWNING, STATE_RUNNING, STATE_STOPPING, STATE_CLEANUP)
WRONG_USAGE = 2

logger = logging.getLogger(__name__)

_watched: WeakSet[Environment] = WeakSet()


@cache  # once, however often it is called
def install(user_class: type[User]) -> None:
    """Have Locust offer the options, and `watch` each run that has users of this class."""

    def begin(environment: Environment, **_: Any) -> None:
        available: Any = environment.available_user_classes or {}
        if any(
            issubclass(each, user_class)
            for each in [*environment.user_classes, *available.values()]
        ):
            watch(environment)

    listen(events.init_command_line_parser, offer_options)
    listen(events.init, begin)


def listen(hook: Any, listener: Callable[..., None]) -> None:
    """Add a listener to one of Locust's hooks, which have no annotations."""
    hook.add_listener(listener)


def offer_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Put our options on the command line."""
    add_options(parser)


def watch(environment: Environment) -> None:
    """Measure the WebSocket rows of an environment, from now on.

    Locust as a command does it by itself. Where Locust is used as a library, call it once the
    environment has its runner, and its web interface, not yet asked for a page, if it is to have
    one. Watching twice is watching once.
    """
    if environment in _watched:
        return
    _watched.add(environment)
    try:
        settings_of(environment)
    except ValueError as error:
        # Locust would go on after any other exception, or show a traceback.
        logger.error("%s", error)
        raise SystemExit(WRONG_USAGE) from None
    Watch(environment).start()


class Watch:
    """The listeners of one environment, in one process."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._rows = rows_of(environment)
        self._gauge = gauge_of(environment)
        self._samples = Samples(BEAT)
        self._was_active = False
        # Workers that have reported since the last sample.
        self._reported: set[str] = set()

    def start(self) -> None:
        """Begin to listen."""
        environment, hooks = self._environment, self._environment.events
        listen(hooks.request, self._rows.on_request)
        listen(hooks.test_start, self._reset)
        listen(hooks.reset_stats, self._reset)
        listen(hooks.spawning_complete, self._reset_after_spawning)
        if isinstance(environment.runner, WorkerRunner):
            listen(hooks.report_to_master, self._report)
            # Before Locust's own listener: quitting goes through them from the last to the first.
            listen(hooks.quitting, LastReport(environment.runner).send)
            return
        if isinstance(environment.runner, MasterRunner):
            listen(hooks.worker_report, self._merge)
            listen(hooks.test_stop, LastReports(environment.runner).wait)
        listen(hooks.quit, self._conclude)
        if web_ui := environment.web_ui:
            # Flask is loaded where there is a web interface, and nowhere else.
            from lomond_gevent.locust.page.web import add_check, add_tab

            add_tab(web_ui, environment, self._samples)
            add_check(web_ui, environment)
        if web_ui or self._csv_path:
            gevent.spawn(self._beat)

    @property
    def _csv_path(self) -> str | None:
        prefix = getattr(self._environment.parsed_options, "csv_prefix", None)
        return f"{prefix}_websocket.csv" if prefix else None

    # ---- with Locust's statistics ------------------------------------------------------------

    def _reset(self, **_: Any) -> None:
        self._rows.clear()
        self._gauge.reset()
        self._samples.begin(monotonic())

    def _reset_after_spawning(self, **_: Any) -> None:
        if self._environment.reset_stats:
            self._reset()

    # ---- between workers and master ----------------------------------------------------------

    def _report(self, data: dict[str, Any], **_: Any) -> None:
        data[KEY] = {"rows": self._rows.take(), "connections": self._gauge.take()}

    def _merge(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        # A worker whose locustfile has no WebSocketUser, or another version of it, sends none.
        if report := data.get(KEY):
            if client_id in self._reported:
                self._sample()
            self._rows.add(report["rows"])
            self._gauge.add(client_id, report["connections"])
            self._reported.add(client_id)
            if self._reported >= self._forget_lost_workers():
                self._sample()

    def _forget_lost_workers(self) -> set[str]:
        """Return those that are left."""
        clients: Any = getattr(self._environment.runner, "clients", {})
        present = {client for client in clients if clients[client].state != STATE_MISSING}
        self._gauge.keep(present)
        return present

    # ---- results -----------------------------------------------------------------------------

    def _sample(self) -> None:
        """Take a sample: of each second here, or of each round of reports at a master."""
        self._reported.clear()
        runner = self._environment.runner
        is_active = runner is not None and runner.state in ACTIVE
        # Once more after the end: by then all connections should be closed.
        if is_active or self._was_active:
            self._samples.take(monotonic(), self._rows, self._gauge)
        self._was_active = is_active

    def _beat(self) -> None:
        written = 0.0
        while True:
            gevent.sleep(BEAT)
            if isinstance(self._environment.runner, MasterRunner):
                self._forget_lost_workers()
            else:
                self._sample()
            if monotonic() - written >= stats.CSV_STATS_FLUSH_INTERVAL_SEC:
                self._write_csv()
                written = monotonic()

    def _write_csv(self) -> None:
        if path := self._csv_path:
            with open(path, "w", newline="", encoding="utf-8") as file:
                file.write(write_csv(self._rows))

    def _conclude(self, **_: Any) -> None:
        self._write_csv()
        options = self._environment.parsed_options
        if getattr(options, "json", False) or getattr(options, "json_file", None):
            return  # in the place of the tables, as in Locust
        for line in write_text(self._rows, self._gauge):
            stats.console_logger.info(line)
        stats.console_logger.info("")
