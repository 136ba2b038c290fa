"""Runs the demo; see the package's docstring. The exit code is 0 only if all went as expected."""

from __future__ import annotations

import argparse
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import gevent

from examples.demo.crowd import Crowd, Plan
from examples.demo.machine import NotEnough, allow_connections
from examples.demo.progress import Progress, Silence
from examples.demo.report import show_report
from examples.demo.screen import Screen
from examples.local_server import LocalServer
from lomond import WebSocket, __version__

INTERRUPTED = 130


def main() -> int:
    """Read the options, run, and return the exit code."""
    options = parse_arguments()
    screen = Screen(sys.stdout)
    plan = Plan(options.clients, options.trips, options.rate, options.connecting)
    try:
        allow_connections(plan.clients)
        with chosen_server(options.url) as url, interrupts_for_me():
            return run(screen, url, plan)
    except NotEnough as error:
        screen.print(f"{screen.bad_mark} {error}")
        return 1
    except KeyboardInterrupt:
        screen.print(f"{screen.bad_mark} interrupted; all connections are closed")
        return INTERRUPTED


def run(screen: Screen, url: str, plan: Plan) -> int:
    """Run a plan against a server; return the exit code."""
    show_heading(screen, url, plan.clients)
    # Whatever is loaded with the first connection is nothing that each of them costs.
    first = Crowd(url, Plan(1, 2, plan.rate, 1), Silence()).perform()
    if first.problems:
        cause = next(iter(first.problems))
        screen.print(f"  {screen.bad_mark} the first connection went wrong, {cause}")
        return 1
    started = perf_counter()
    tally = Crowd(url, plan, Progress(screen)).perform()
    show_report(screen, tally, plan.clients, perf_counter() - started)
    return 1 if tally.problems else 0


def show_heading(screen: Screen, url: str, clients: int) -> None:
    """Write what is run, with what, against what."""
    heading = f"{clients:,} WebSockets, each a greenlet of this process"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    screen.print()
    screen.print(f"  {screen.bold(heading)}")
    screen.print(
        screen.dim(f"  lomond-gevent {__version__}, gevent {gevent.__version__}, {python}")
    )
    screen.print(screen.dim(f"  the server is {url}"))
    screen.print()


@contextmanager
def interrupts_for_me() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt here, and not in whichever greenlet runs just then."""
    handler = gevent.signal_handler(
        signal.SIGINT, gevent.kill, gevent.getcurrent(), KeyboardInterrupt
    )
    try:
        yield
    finally:
        handler.cancel()


@contextmanager
def chosen_server(url: str | None) -> Iterator[str]:
    """Yield `url`; without one, that of a server of our own, ended afterwards."""
    if url is not None:
        yield url
        return
    with LocalServer() as server:
        yield f"{server.url}/echo"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    add = parser.add_argument
    add("--clients", type=positive, default=1000, help="how many WebSockets (default 1000)")
    add("--trips", type=positive, default=10, help="round trips of each (default 10)")
    add("--rate", type=positive, default=5000, help="paced round trips per second (default 5000)")
    add("--connecting", type=positive, default=100, help="connects at a time (default 100)")
    add("--url", type=checked_url, help="a server that echoes, in place of the demo's own")
    return parser.parse_args()


def positive(text: str) -> int:
    """Return a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def checked_url(text: str) -> str:
    """Return a URL that a WebSocket can have."""
    try:
        return WebSocket(text).url
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
