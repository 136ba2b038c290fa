"""What importing the packages has made: a hub, greenlets, threads, descriptors, or nothing."""

from __future__ import annotations

import gc
import json
import os
import threading
from importlib import import_module

from gevent._hub_local import get_hub_if_exists
from greenlet import getcurrent, greenlet

descriptors = set(os.listdir("/proc/self/fd"))
for name in ("lomond", "lomond.persist", "lomond_gevent"):
    import_module(name)
made = {
    "hub": repr(get_hub_if_exists()),
    "greenlets": sum(
        isinstance(each, greenlet) for each in gc.get_objects() if each is not getcurrent()
    ),
    "threads": threading.active_count() - 1,
    "descriptors": len(set(os.listdir("/proc/self/fd")) - descriptors),
}
print(json.dumps(made))
