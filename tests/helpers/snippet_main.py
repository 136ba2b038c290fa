"""The program that `snippets.SnippetRunner` starts: a machine on which *.example.org is at home.

Runs the Python source on its standard input. The one argument is JSON: `name` of the file that it
is from, `cafile` to trust, `stop_after` seconds or null.
"""

from __future__ import annotations

import _socket
import json
import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

# First of all, before anybody keeps a reference: the resolvers of the standard library and of
# gevent both end here.
native_getaddrinfo: Callable[..., list[Any]] = _socket.getaddrinfo
LITERALS = ("127.0.0.1", "::1", "localhost")


def getaddrinfo(host: Any, *rest: Any, **more: Any) -> list[Any]:
    """Find names under example.org on this machine, and no other name anywhere."""
    name = host.decode() if isinstance(host, bytes) else host
    if name and name.rstrip(".").endswith("example.org"):
        name = "127.0.0.1"
    elif name and name not in LITERALS:
        raise _socket.gaierror(_socket.EAI_NONAME, f"no names but example.org here: {name}")
    return native_getaddrinfo(name, *rest, **more)


def trust(cafile: str) -> None:
    """Make one authority the only one trusted by default."""
    import certifi

    certifi.where = lambda: cafile
    os.environ["SSL_CERT_FILE"] = cafile


def watch_failures() -> list[str]:
    """Return a list that will hold the repr of each connection that failed.

    Such a failure is an event, so without this a snippet that reaches nobody would pass.
    """
    from lomond import events

    failures: list[str] = []

    def watch(event_type: Any) -> None:
        make: Callable[..., None] = event_type.__init__

        def watched(self: object, *args: Any, **options: Any) -> None:
            make(self, *args, **options)
            failures.append(repr(self))

        event_type.__init__ = watched

    for event_type in (events.ConnectFail, events.Rejected):
        watch(event_type)
    return failures


def run(source: str, name: str, stop_after: float | None) -> None:
    """Run the source as a program; an interrupt after `stop_after` seconds is its orderly end."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = [name]
    if stop_after is not None:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, stop_after)
    try:
        exec(compile(source, name, "exec"), vars(main))
    except KeyboardInterrupt:
        if stop_after is None:
            raise


def start() -> None:
    """Prepare this process, run the source, and tell by the exit code how it went."""
    setting = json.loads(sys.argv[1])
    source = sys.stdin.read()
    del sys.path[0]  # The folder of this file, which is none of the snippet's business.
    _socket.getaddrinfo = getaddrinfo
    trust(setting["cafile"])
    failures = watch_failures()
    run(source, setting["name"], setting["stop_after"])
    if failures:
        sys.exit(f"a connection failed: {failures}")


start()
