"""Several processes for one load: forked before there is a hub, told when to begin and to end.

Each child carries out its share of the plan, and writes what happened to a pipe once a second;
the parent adds it up. A child whose control pipe ends (its parent is gone) ends as well; one that
says nothing for too long hangs, and is killed.
"""

from __future__ import annotations

import marshal
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from time import monotonic as clock
from typing import NoReturn, TypeAlias

import gevent
from gevent.event import Event
from gevent.os import make_nonblocking, nb_read

from lomond_gevent.load.metrics import Delta
from lomond_gevent.load.pacer import MOMENT
from lomond_gevent.load.plan import LoadError

_LENGTH = struct.Struct("!I")
_GO, _STOP, _CONNECTED = b"g", b"s", b""
# How long a child may take to end behind its last report, in seconds.
PATIENCE = 5.0
# A child speaks once a second. One that is silent for longer, in seconds, hangs: while the load is
# on, where a scenario may block for a while, and once it was told to stop.
LONGEST_SILENCE = 30.0
SILENCE_AT_END = 5.0
# How often that is looked at, in seconds.
GLANCE = 1.0

Work: TypeAlias = Callable[[Callable[[Delta], object], Callable[[], object], Event], object]
"""What a child does: it is given `report`, `await_start` and the event that ends it."""


class Child:
    """One forked process, as its parent sees it."""

    def __init__(self, work: Work, siblings: list[Child]) -> None:
        reader, report = os.pipe()
        control, writer = os.pipe()
        self.descriptors = (reader, writer)
        try:
            self.pid = os.fork()
        except OSError:
            for descriptor in (reader, report, control, writer):
                os.close(descriptor)
            raise
        if self.pid == 0:
            for descriptor in (reader, writer, *(d for s in siblings for d in s.descriptors)):
                os.close(descriptor)
            _live(work, report, control)
        os.close(report)
        os.close(control)
        self.deltas: list[Delta] = []
        """What it has reported, and nobody has taken yet."""
        self.last: Delta | None = None
        self.is_connected = False
        self.is_gone = False
        self.is_killed = False
        """Whether it was ended for its silence."""
        self.silence = 0.0
        """For how many seconds, in which this process ran itself, it has said nothing."""

    def tell(self, word: bytes) -> None:
        """Tell it to go on or to stop."""
        with suppress(BrokenPipeError):
            os.write(self.descriptors[1], word)

    def listen(self, on_change: Callable[[], object]) -> None:
        """Read what it reports until it is gone; a greenlet does this."""
        make_nonblocking(self.descriptors[0])
        while (frame := self._read_frame()) is not None:
            self.silence = 0.0
            if frame == _CONNECTED:
                self.is_connected = True
            else:
                delta: Delta = marshal.loads(frame)
                if delta["is_last"]:
                    self.last = delta
                else:
                    self.deltas.append(delta)
            on_change()
        self.is_gone = True
        on_change()

    def end(self) -> None:
        """Have it gone, at once if it is not by now."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        deadline = clock() + PATIENCE
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if not self.is_gone or clock() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return
            gevent.sleep(0.01)

    def _read_frame(self) -> bytes | None:
        head = self._read(_LENGTH.size)
        return None if head is None else self._read(_LENGTH.unpack(head)[0])

    def _read(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            more = nb_read(self.descriptors[0], size - len(data))
            if not more:
                return None
            data += more
        return data


def run_processes(
    works: list[Work], collect: Callable[[list[Delta]], object], stop: Event
) -> tuple[list[Delta], int, int]:
    """Run each work in a process of its own.

    Return their last reports, how many died, and how many were ended because they said nothing.

    `collect` gets what all of them report for the same second. Setting `stop` ends them
    gracefully; an exception in here ends them at once. Raises LoadError where one is not to be had.
    """
    children: list[Child] = []
    changed = Event()
    listeners: list[gevent.Greenlet] = []
    try:
        for number, work in enumerate(works, start=1):
            try:
                children.append(Child(work, children))
            except OSError as error:
                raise LoadError(
                    f"process {number} of {len(works)} could not be forked ({error.strerror})"
                ) from error
        # From here on there may be a hub: all forks are done.
        listeners = [gevent.spawn(child.listen, changed.set) for child in children]
        stop.rawlink(lambda _stop: changed.set())
        has_begun = has_stopped = False
        while not all(child.is_gone for child in children):
            _wait_for_word(children, changed, SILENCE_AT_END if has_stopped else LONGEST_SILENCE)
            if not has_begun and all(child.is_connected or child.is_gone for child in children):
                has_begun = True
                _tell_all(children, _GO)
            if stop.is_set() and not has_stopped:
                has_stopped = True
                _tell_all(children, _STOP)
            _collect(children, collect)
        return _sum_up(children, collect)
    finally:
        gevent.killall(listeners)
        for child in children:
            child.end()


def _sum_up(
    children: list[Child], collect: Callable[[list[Delta]], object]
) -> tuple[list[Delta], int, int]:
    """Collect what is left of children that are gone; return what `run_processes` does."""
    for child in children:
        child.deltas, rest = [], child.deltas
        for delta in rest:
            collect([delta])
    last = [child.last for child in children if child.last is not None]
    lost = [child for child in children if child.last is None]
    silent = sum(child.is_killed for child in lost)
    return last, len(lost) - silent, silent


def _wait_for_word(children: list[Child], changed: Event, longest_silence: float) -> None:
    """Wait until something is reported, or for a glance; kill whoever was silent for too long."""
    began = clock()
    changed.wait(GLANCE)
    changed.clear()
    # No more than was waited for: whoever stops a whole terminal stops the children too.
    passed = min(clock() - began, GLANCE)
    for child in children:
        child.silence += passed
        if child.silence > longest_silence and not child.is_gone:
            # The end of its pipe tells the rest.
            os.kill(child.pid, signal.SIGKILL)
            child.is_killed = True
            child.silence = 0.0


def _tell_all(children: list[Child], word: bytes) -> None:
    for child in children:
        child.tell(word)


def _collect(children: list[Child], collect: Callable[[list[Delta]], object]) -> None:
    """Take the seconds that all who still report have told of."""
    while True:
        reporting = [child for child in children if child.last is None and not child.is_gone]
        ready = [child for child in children if child.deltas]
        if not ready or any(not child.deltas for child in reporting):
            return
        collect([child.deltas.pop(0) for child in ready])


def _live(work: Work, report: int, control: int) -> NoReturn:
    """Be the child; never returns into what was forked."""
    code = 1
    try:
        # Ctrl-C reaches every process of a terminal; the parent decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        start, stop = Event(), Event()

        def send(frame: bytes) -> None:
            _write(report, _LENGTH.pack(len(frame)) + frame)

        def await_start() -> None:
            send(_CONNECTED)
            start.wait()

        listener = gevent.spawn(_obey, control, start, stop)
        work(lambda delta: send(marshal.dumps(delta)), await_start, stop)
        listener.kill()
        code = 0
    except BrokenPipeError:
        # The parent is gone, and nobody is left to be told.
        code = 1
    except BaseException:  # nothing may return into the parent's code
        traceback.print_exc(file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _obey(control: int, start: Event, stop: Event) -> None:
    make_nonblocking(control)
    while True:
        words = nb_read(control, 16)
        if _GO in words:
            start.set()
        if _STOP in words or not words:
            stop.set()
            start.set()
            return
        gevent.sleep(MOMENT)


def _write(descriptor: int, data: bytes) -> None:
    # The pipe blocks: a second's report is small, and the parent does nothing but read.
    while data:
        data = data[os.write(descriptor, data) :]
