"""Hubs and threads: where one is, and how a thread has the hub of another do something.

A hub belongs to the thread that it was made in, and may end before the connections that it ran:
it is destroyed, or its thread ends. Nobody may wait for one that has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import Any

from gevent import spawn_raw
from gevent._hub_local import get_hub_if_exists
from gevent.event import Event
from gevent.monkey import get_original, is_object_patched

from lomond.outbox import Gate

# How often a thread that waits for a hub looks whether that still lives, in seconds.
LOOK_INTERVAL = 0.25


def original(module: str, name: str) -> Any:
    """Return what a module calls by that name, as it would be without gevent."""
    if is_object_patched(module, name):
        return _saved(module, name)
    # Whoever else has replaced it has done so on purpose, and perhaps for a moment only.
    # `import_module` would take twice as long as all of this.
    return getattr(__import__(module), name)


@cache
def _saved(module: str, name: str) -> Any:
    # gevent takes 5 µs to look it up, three times for each connection.
    return get_original(module, name)


def is_here(hub: Any) -> bool:
    """Tell whether this thread runs that hub. Makes no hub, unlike `gevent.get_hub`."""
    return get_hub_if_exists() is hub


def has_ended(hub: Any) -> bool:
    """Tell whether a hub will never run again."""
    return hub.loop is None or bool(hub.dead)


def run_soon(hub: Any, function: Callable[..., object], *args: object) -> bool:
    """Have a hub call a function, from any thread; tell whether it will, as far as one can know.

    The function must neither raise nor wait.
    """
    if has_ended(hub):
        return False
    loop = hub.loop
    try:
        if is_here(hub):
            loop.run_callback(function, *args)
        else:
            loop.run_callback_threadsafe(function, *args)
    except (AttributeError, ValueError):
        # What gevent raises for a loop that was destroyed, which may have been just now.
        return False
    return True


def stop_watcher(watcher: Any) -> None:
    """Stop a watcher for good, also one whose loop was destroyed before."""
    try:
        watcher.stop()
        watcher.close()
    except (TypeError, ValueError):
        # The loop has taken it along: gevent says so in C, and through CFFI.
        return


class ThreadGate:
    """An event that stops a whole thread, also where an application has patched `threading`."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = original("_thread", "allocate_lock")()
        self._lock.acquire()

    def set(self) -> None:
        """Open the gate; once."""
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for that, `timeout` seconds at most; tell whether it came."""
        return bool(self._lock.acquire(timeout=-1 if timeout is None else timeout))


class Request:
    """What one thread wants the hub of another to do, and what came of it."""

    __slots__ = ("_call", "_error", "_gate", "_is_withdrawn")

    def __init__(self, call: Callable[[], object]) -> None:
        """Do nothing yet; the call may wait, as greenlets do."""
        self._call = call
        self._error: BaseException | None = None
        self._is_withdrawn = False
        # Where this thread has a hub of its own, the other greenlets of that go on.
        self._gate: Gate = ThreadGate() if get_hub_if_exists() is None else Event()

    def ask(self, hub: Any, seconds: float) -> bool:
        """Have the hub do it, and raise what that raises; return False if it was not in time.

        Calls begin in the order in which they are asked for. Who is told False may `withdraw`.
        """
        # In a greenlet, since a callback must not wait.
        if not run_soon(hub, spawn_raw, self._answer):
            return False
        deadline = monotonic() + seconds
        while not self._gate.wait(max(0.0, min(LOOK_INTERVAL, deadline - monotonic()))):
            if monotonic() >= deadline or has_ended(hub):
                return False
        if self._error is not None:
            raise self._error
        return True

    def withdraw(self) -> None:
        """Do not do it any more, unless it has begun."""
        self._is_withdrawn = True

    def _answer(self) -> None:
        if self._is_withdrawn:
            return
        try:
            self._call()
        except BaseException as error:  # raised again, in the thread that asked
            self._error = error
        self._gate.set()
