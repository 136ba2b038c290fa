"""`run`: a plan in, a result out. The command line, and whoever uses this as a library, call it."""

from __future__ import annotations

import resource
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from time import time
from typing import Any
from urllib.request import getproxies_environment

from gevent._hub_local import get_hub_if_exists
from gevent.event import Event

from lomond_gevent.load.collector import Collector, Observer
from lomond_gevent.load.metrics import Delta
from lomond_gevent.load.plan import Plan, PlanError
from lomond_gevent.load.preflight import check_machine
from lomond_gevent.load.processes import Work, run_processes
from lomond_gevent.load.result import Result
from lomond_gevent.load.scenarios import Scenario, find_scenario
from lomond_gevent.load.scripted import imports_beside
from lomond_gevent.load.server import EmbeddedServer
from lomond_gevent.load.share import Share
from lomond_gevent.load.sources import check_sources
from lomond_gevent.load.swarm import Swarm

INTERRUPTED = "interrupted"


def run(plan: Plan, *, observer: Observer | None = None, stop: Event | None = None) -> Result:
    """Carry a plan out, and return what was measured; leaves nothing running.

    Args:
        plan: what to do. Without a URL the embedded server is started for the while.
        observer: called once a second with the newest `Second` and a `Live`. It runs beside the
            clients: what it takes is lag to them, unless there are several processes.
        stop: a `gevent.event.Event`; setting it ends the load gracefully, and the result tells
            what was measured until then.

    Raises:
        PlanError: the plan, its scenario file or its thresholds are wrong, or the machine does
            not allow it (PreflightError); no connection was made.
        LoadError: the embedded server did not start, or no process could be forked.
    """
    check_thresholds(plan)
    check_certificates(plan)
    has_proxy = bool(getproxies_environment() if plan.proxy is None else plan.proxy)
    check_sources(plan.sources, "" if has_proxy else plan.url)
    check_no_hub(plan, "call run() first, or in a process of its own")
    with imports_beside(plan.scenario) if plan.is_custom else nullcontext():
        scenario = find_scenario(plan)
        check_no_hub(plan, f"{plan.scenario} uses it when it is imported: let the function do that")
        return _carry_out(plan, scenario, observer, stop or Event())


def _carry_out(plan: Plan, scenario: Scenario, observer: Observer | None, stop: Event) -> Result:
    findings = check_machine(plan)
    collector = Collector(plan, findings, observer)
    with chosen_server(plan, scenario) as url:
        started = time()
        run_all = _run_here if plan.processes == 1 else _run_forked
        last = run_all(without_detour(plan), url, scenario, collector, stop)
    return _make_result(collector, last, started)


def check_no_hub(plan: Plan, advice: str) -> None:
    """Raise PlanError where it is too late to fork."""
    if plan.processes > 1 and get_hub_if_exists() is not None:
        raise PlanError(
            f"processes {plan.processes} are forked, which has to happen before gevent is used "
            f"in this process: {advice}"
        )


def check_thresholds(plan: Plan) -> None:
    """Raise PlanError for a threshold that cannot be judged."""
    if not plan.thresholds:
        return
    from lomond_gevent.load.thresholds import parse_threshold

    try:
        for text in plan.thresholds:
            parse_threshold(text)
    except ValueError as error:
        raise PlanError(str(error)) from None


def check_certificates(plan: Plan) -> None:
    """Raise PlanError for a file of certificates that is of no use, before every client fails."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if plan.cafile is not None:
        try:
            context.load_verify_locations(plan.cafile)
        except OSError as error:
            raise PlanError(
                f"cafile {plan.cafile} cannot be read ({error}): "
                "give a file of certificates, as PEM"
            ) from None
    if plan.certfile is not None:
        try:
            # A passphrase is not asked for: thousands of clients could not type it either.
            context.load_cert_chain(plan.certfile, plan.keyfile, password="")
        except OSError as error:
            raise PlanError(
                f"certfile {plan.certfile} cannot be used ({error}): give the certificate as PEM, "
                "and its key, not encrypted, in the same file or in one of its own (keyfile, --key)"
            ) from None


def without_detour(plan: Plan) -> Plan:
    """Return a plan that asks no proxy of the environment for the embedded server."""
    return replace(plan, proxy="") if plan.url is None and plan.proxy is None else plan


@contextmanager
def chosen_server(plan: Plan, scenario: Scenario) -> Iterator[str]:
    """Yield the plan's URL; without one, that of the embedded server, ended afterwards."""
    if plan.url is not None:
        yield plan.url
        return
    with EmbeddedServer() as server:
        yield server.url + scenario.path


def _run_here(
    plan: Plan, url: str, scenario: Scenario, collector: Collector, stop: Event
) -> list[Delta]:
    last: list[Delta] = []

    def report(delta: Delta) -> None:
        collector.add([delta])
        if delta["is_last"]:
            delta["peak_memory"] = measure_peak_memory()
            last.append(delta)

    Swarm(plan, url, scenario, report).run(stop)
    return last


def _run_forked(
    plan: Plan, url: str, scenario: Scenario, collector: Collector, stop: Event
) -> list[Delta]:
    works = [
        _make_work(plan, url, scenario, Share(index, plan.processes))
        for index in range(plan.processes)
    ]
    last, died, silent = run_processes(works, collector.add, stop)
    if last:
        collector.add(last)
    for _ in range(died):
        collector.note_error(
            "process", "died", "a process died, and with it what it had measured in its last second"
        )
    for _ in range(silent):
        collector.note_error(
            "process",
            "silent",
            "a process said nothing for too long and was ended, and with it what it had measured "
            "in that time: the scenario blocks, never gives way, or does not let PlanOver pass",
        )
    return last


def _make_work(plan: Plan, url: str, scenario: Scenario, share: Share) -> Work:
    def work(report: Any, await_start: Any, stop: Event) -> None:
        def report_all(delta: Delta) -> None:
            if delta["is_last"]:
                delta["peak_memory"] = measure_peak_memory()
            report(delta)

        Swarm(plan, url, scenario, report_all, share, await_start).run(stop)

    return work


def _make_result(collector: Collector, last: list[Delta], started: float) -> Result:
    """Sum up; `last` are the last reports of the processes that came to their end."""
    # Where all processes have died, what they had reported by then has to do.
    connecting = max((delta["connecting"] for delta in last), default=collector.connecting)
    return collector.make_result(
        started=started + connecting,
        duration=max((delta["duration"] for delta in last), default=collector.lasted),
        connecting=connecting,
        reason=INTERRUPTED if any(delta["is_interrupted"] for delta in last) else "",
        peak_memory=sum(delta["peak_memory"] for delta in last),
    )


def measure_peak_memory() -> int:
    """Return the most that this process has ever had in memory, in bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kibibytes, but for macOS.
    return size if sys.platform == "darwin" else size * 1024
