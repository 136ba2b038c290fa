"""Names to addresses by the hub's resolver, one look-up for all who ask for the same name.

gevent's default resolver has ten threads: a thousand connections to one host that each asked
would wait for one another.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gevent

from lomond.dialing import Address
from lomond.transport import look_up_name

if TYPE_CHECKING:
    from lomond_gevent.transport import GeventTransport

# By hub: the look-ups under way, by host and port. Each is a greenlet.
_under_way: WeakKeyDictionary[Any, dict[tuple[str, int], Any]] = WeakKeyDictionary()


def look_up(
    transport: GeventTransport, hub: Any, host: str, port: int, deadline: float
) -> list[Address]:
    """Find the addresses of a host; TimeoutError at `deadline` or when cancelled."""
    shared = _share(hub, host, port)

    def wake(_shared: object) -> None:
        transport.wake()

    shared.rawlink(wake)
    try:
        while not shared.ready():
            if transport.is_cancelled or monotonic() >= deadline:
                raise TimeoutError
            transport.wait(deadline, readable=False)
    finally:
        shared.unlink(wake)
    answer: list[Address] | OSError = shared.value
    if isinstance(answer, OSError):
        raise answer.with_traceback(None)
    return answer


def _share(hub: Any, host: str, port: int) -> Any:
    names = _under_way.setdefault(hub, {})
    shared = names.get((host, port))
    if shared is None:

        def resolve() -> list[Address] | OSError:
            try:
                return look_up_name(hub.resolver.getaddrinfo, host, port)
            finally:
                del names[host, port]

        shared = names[host, port] = gevent.spawn(resolve)
    return shared
