"""Many cases at once, each session class in the world it is made for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import gevent.pool

from lomond.session import WebsocketSession
from lomond_gevent import GeventSession

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> list[Result]:
    """Call `function` for each item, in so many threads; return the results in their order."""
    with ThreadPoolExecutor(at_once) as executor:
        return list(executor.map(function, items))


def map_in_greenlets(
    function: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> list[Result]:
    """Call `function` for each item, in so many greenlets; return the results in their order."""
    return list(gevent.pool.Pool(at_once).imap(function, items))


class World(NamedTuple):
    """A session class, and how many of its connections run side by side."""

    session_class: type[WebsocketSession]
    map: Callable[[Callable[[Any], Any], Iterable[Any], int], list[Any]]


WORLDS = {
    "blocking": World(WebsocketSession, map_in_threads),
    "gevent": World(GeventSession, map_in_greenlets),
}
