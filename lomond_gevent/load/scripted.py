"""Scenarios of the user's own: a function in a file, run again and again by each client.

What the function is given is `Client`, in `client`. Here is how it is found, called and ended.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gevent import Timeout

from lomond.events import Binary, Disconnected, Event, Text
from lomond_gevent.load.client import Client
from lomond_gevent.load.client_errors import PlanOver, ScenarioError
from lomond_gevent.load.member import FIRST_WAIT, LONGEST_WAIT, Member
from lomond_gevent.load.pacer import MOMENT
from lomond_gevent.load.plan import PlanError

if TYPE_CHECKING:
    from lomond_gevent.load.swarm import Swarm

Function = Callable[[Client], object]


class ScriptedMember(Member):
    """A client that does what a function says."""

    __slots__ = ("_client", "_function")

    def __init__(self, swarm: Swarm, number: int, function: Function) -> None:
        super().__init__(swarm, number)
        self._function = function
        self._client = Client(self)

    @property
    def is_waiting(self) -> bool:
        """Return whether the function is at something that it may finish."""
        return self._client.is_waiting

    def live(self, intended: float | None) -> None:
        """Call the function, again and again; after an error, with a wait that doubles."""
        wait = FIRST_WAIT
        self._client.intended = intended
        while not self.is_leaving:
            if self._perform():
                wait = FIRST_WAIT
                # A function that never waits would let nobody else do anything.
                self.swarm.rest(max(self.swarm.plan.think, MOMENT))
            else:
                self.swarm.rest(wait * self.swarm.chance.uniform(0.5, 1.5))
                wait = min(2 * wait, LONGEST_WAIT)

    def _perform(self) -> bool:
        metrics = self.swarm.metrics
        self._client.begin_anew()
        try:
            self._function(self._client)
        except PlanOver:
            return True
        except ScenarioError:
            # Counted where it was raised.
            return False
        except (Exception, Timeout, SystemExit) as error:  # the user's, which must not end the load
            line = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(line.filename).name}:{line.lineno}"
            reason = f"{type(error).__name__}: {error} ({where})"
            metrics.note_error("scenario", "exception", reason=reason)
            metrics.note(f"the scenario raised {reason}")
            return False
        finally:
            self._client.end_connection()
        return True

    def converse(self, events: Iterator[Event]) -> None:
        """Hand the events to the client; in a greenlet beside that of the function."""
        is_first = True
        for event in events:
            if is_first and isinstance(event, Text | Binary):
                is_first = False
                self.note_first_message()
            self.note(event)
            self._client.take(event)

    def leave(self) -> None:
        """Have the function end where it sleeps, or with its next call of the client."""
        self.is_leaving = True
        self._client.look_up()

    def hang_up(self) -> None:
        """Close now; what the function waits for counts as unfinished."""
        self._client.give_up()
        super().hang_up()

    def is_content(self, event: Disconnected) -> bool:
        """Return whether the end is no loss: the server of such a scenario may say goodbye."""
        return super().is_content(event) or event.code == 1000


def make_scripted(function: Function) -> Callable[[Swarm, int], Member]:
    """Return what makes clients that run a function."""

    def make_member(swarm: Swarm, number: int) -> Member:
        return ScriptedMember(swarm, number, function)

    return make_member


@contextmanager
def imports_beside(scenario: str) -> Iterator[None]:
    """Let the file of a scenario import what lies beside it, for as long as the block runs.

    That is as long as the load: functions may import when they are called.
    """
    folder = str(Path(scenario.rpartition(":")[0]).resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        # Unless the file has taken it away itself.
        with suppress(ValueError):
            sys.path.remove(folder)


def load_function(scenario: str) -> Function:
    """Return the function that "file.py:function" names.

    Raises PlanError, with the line that is wrong. See `imports_beside` for what it may import.
    """
    file, _, name = scenario.rpartition(":")
    path = Path(file).resolve()
    if not path.is_file():
        raise PlanError(f"there is no scenario file {file!r} (looked for {path})")
    spec = importlib.util.spec_from_file_location(f"lomond_load_{path.stem}", path)
    assert spec is not None and spec.loader is not None, "it ends in .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's file raises is a bad plan
        line = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{line.filename}:{line.lineno}"
        if isinstance(error, SyntaxError):
            where = f"{error.filename}:{error.lineno}"
        raise PlanError(
            f"the scenario file {file} does not import: {type(error).__name__}: {error} ({where})"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = ", ".join(
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == spec.name
        )
        raise PlanError(f"{file} has no function {name!r}; it has {known or 'none'}")
    check_function(scenario, function)
    found: Function = function
    return found


def check_function(scenario: str, function: Callable[..., object]) -> None:
    """Raise PlanError for what would run nothing when it is called, or cannot be called."""
    called = [function] if inspect.isroutine(function) else [function, type(function).__call__]
    kinds = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    if any(is_kind(each) for is_kind in kinds for each in called):
        raise PlanError(
            f"scenario {scenario} is async or a generator, of which a call runs nothing: write a "
            "plain function (def, without yield), each call of the client lets the others run"
        )
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise PlanError(
            f"scenario {scenario} cannot be called with a client ({error}): it takes one argument"
        ) from None
    except ValueError:
        # Some of those written in C do not tell what they take.
        return
