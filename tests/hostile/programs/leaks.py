"""A client that connects thousands of times, and then looks at what is left of it.

    leaks.py MODULE:SESSION_CLASS PLAIN SECURE REFUSED CAFILE TIMES

Prints what there is more of than before, by name.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import socket
import sys
import threading
import time
import warnings
from collections import Counter
from itertools import count, islice
from typing import Any

import gevent
import gevent.util
import psutil
from greenlet import greenlet

from lomond.options import _share_form
from tests.helpers.conversation import world_of
from tests.hostile.ways import NOWHERE, WAYS, Places

module, _, name = sys.argv[1].partition(":")
places = Places(getattr(importlib.import_module(module), name), *sys.argv[2:6])
times = int(sys.argv[6])
world = world_of(places.session_class)
hub = gevent.get_hub()
WORKERS = 16
PATIENCE = 5.0

look_up = socket.getaddrinfo


def getaddrinfo(host: str, *args: Any) -> Any:
    """Know all names but one, without asking anybody."""
    if host == NOWHERE:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return look_up(host, *args)


def left() -> Counter[str]:
    """Count what a connection could leave behind."""
    # Of requests, the last few forms are kept: which of the ways they are of depends on the order.
    _share_form.cache_clear()
    gc.collect()
    process = psutil.Process()
    watchers = type(hub.loop.io(0, 1)), type(hub.loop.timer(0)), type(hub.loop.async_())
    found: Counter[str] = Counter()
    for thing in gc.get_objects():
        kind = type(thing)
        if str(kind.__module__).startswith(("lomond", "_ssl", "_socket", "gevent._socket")):
            found[f"object {kind.__module__}.{kind.__name__}"] += 1
        elif isinstance(thing, watchers):
            found[f"watcher {kind.__name__}"] += bool(thing.active)
        elif isinstance(thing, greenlet):
            found["greenlet"] += not thing.dead
    found["descriptor"] = process.num_fds()
    found["connection"] = len(process.net_connections())
    found["thread"] = len(threading.enumerate())
    found["greenlet of gevent.util"] = len(gevent.util.format_run_info())
    found["pending callback"] = len(hub.loop._callbacks)
    return found


def work(ways: Any) -> int:
    """Take one way after the other."""
    number = 0
    for way in ways:
        WAYS[way](places)
        number += 1
    return number


def run(number: int) -> int:
    """Take so many ways, several at once; all of them as often."""
    turns = list(islice((way for _ in count() for way in WAYS), number))
    tasks = [world.spawn(work, turns[start::WORKERS]) for start in range(WORKERS)]
    while not all(map(is_done, tasks)):
        world.sleep(0.02)
    return sum(task.result() for task in tasks)


def is_done(task: Any) -> bool:
    """Tell whether a task has ended."""
    return not task.is_alive() if isinstance(task, threading.Thread) else task._greenlet.ready()


socket.getaddrinfo = getaddrinfo
hub.resolver.getaddrinfo = getaddrinfo
logging.getLogger("lomond").setLevel(logging.ERROR)
warnings.simplefilter("error")
run(2 * len(WAYS))
before = left()
made = run(times)
give_up = time.monotonic() + PATIENCE
while (more := left() - before) and time.monotonic() < give_up:
    gevent.sleep(0.05)
print(json.dumps({"made": made, "left": more}))
