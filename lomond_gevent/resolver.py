"""Names to addresses by the hub's resolver, one look-up for all who ask for the same name.

gevent's default resolver has ten threads: a thousand connections to one host that each asked
would wait for one another.
"""

from __future__ import annotations

from socket import EAI_AGAIN, gaierror
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from gevent import Greenlet

from lomond.dialing import Address
from lomond.forks import PROCESS
from lomond.transport import look_up_name

if TYPE_CHECKING:
    from lomond_gevent.transport import GeventTransport


class _LookUp(Greenlet):  # type: ignore[misc]  # gevent ships no annotations
    """One look-up under way."""

    def __init__(self, hub: Any, host: str, port: int) -> None:
        super().__init__(look_up_name, hub.resolver.getaddrinfo, host, port)
        self.waiting = 0


# By hub: the look-ups under way. A look-up of the parent's has no thread in a forked child.
_Key = tuple[int, str, int]
_under_way: WeakKeyDictionary[Any, dict[_Key, _LookUp]] = WeakKeyDictionary()


def look_up(
    transport: GeventTransport, hub: Any, host: str, port: int, deadline: float
) -> list[Address]:
    """Find the addresses of a host; TimeoutError at `deadline` or when cancelled."""
    names = _under_way.setdefault(hub, {})
    key = (PROCESS.generation, host, port)
    shared = names.get(key)
    if shared is None:
        shared = names[key] = _LookUp(hub, host, port)
        shared.start()

    def wake(_shared: object) -> None:
        transport.wake()

    shared.rawlink(wake)
    shared.waiting += 1
    try:
        while not shared.ready():
            if transport.is_cancelled or monotonic() >= deadline:
                raise TimeoutError
            transport.wait(deadline, readable=False)
    finally:
        shared.unlink(wake)
        shared.waiting -= 1
        if not shared.waiting:
            del names[key]
            shared.kill(block=False)
    return _take_answer(shared)


def _take_answer(shared: Any) -> list[Address]:
    if shared.exception is not None:
        raise shared.exception
    answer = shared.value
    if isinstance(answer, list):
        return answer
    if isinstance(answer, OSError):
        raise answer.with_traceback(None)
    raise gaierror(EAI_AGAIN, "the look-up was killed")
