"""What gevent still has to do for anybody: its active watchers and living greenlets."""

from __future__ import annotations

import gc
import socket
from contextlib import closing
from typing import Any

import gevent

__all__ = ["busy_with", "watched_descriptors"]


def busy_with() -> dict[int, Any]:
    """Return, by identity, the watchers that are active and the greenlets that live."""
    gc.collect()
    kinds = gevent.Greenlet, *_watcher_kinds()
    found = [thing for thing in gc.get_objects() if isinstance(thing, kinds)]
    return {id(thing): thing for thing in found if _is_busy(thing)}


def watched_descriptors() -> list[int]:
    """Return the descriptors that some hub watches."""
    kind, _ = _watcher_kinds()
    return [each.fd for each in gc.get_objects() if isinstance(each, kind) and each.active]


def _watcher_kinds() -> tuple[type, type]:
    """Return gevent's classes of what watches a descriptor, and of timers."""
    loop = gevent.get_hub().loop
    with socket.socket() as spare, closing(loop.io(spare.fileno(), 1)) as watcher:
        return type(watcher), type(loop.timer(0))


def _is_busy(thing: Any) -> bool:
    if isinstance(thing, gevent.Greenlet):
        return bool(thing)
    # What was active when its loop was destroyed calls itself active for ever.
    return bool(thing.active) and "destroyed" not in repr(thing.loop)
