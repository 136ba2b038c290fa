"""Whose reply a message is: by a value in JSON, by a function, or by order. Knows no I/O.

What is asked for is any object; here it is found again. It stays findable when its time is over:
what comes late is told from what nobody asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from functools import lru_cache
from json import loads
from typing import Any, Generic, TypeAlias, TypeVar

from lomond.events import Binary, Text

Message: TypeAlias = Text | Binary
Predicate: TypeAlias = Callable[[Message], object]
"""Tells whether a message is the one."""
Path: TypeAlias = tuple[str, ...]
Match: TypeAlias = str | tuple[str, str] | Predicate | None
"""How a reply is known, as a user of the socket writes it; see `WebSocketClient.request`."""
Rule: TypeAlias = tuple[Path, Hashable] | Predicate | None
"""The same for one request: where in the reply which value is, a function, or the order."""

_T = TypeVar("_T", bound=Hashable)
_MISSING: Any = object()


def look_up(document: Any, path: Path) -> Any:
    """Return the value at a path into JSON, through objects and lists; `_MISSING` without one."""
    for key in path:
        if isinstance(document, dict):
            document = document.get(key, _MISSING)
        elif isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            document = document[int(key)]
        else:
            return _MISSING
    return document


@lru_cache  # Scripts have few.
def split_path(path: str) -> Path:
    """Return the keys of "a.b"."""
    return tuple(path.split("."))


def decode(message: Message) -> Any:
    """Return a message decoded as JSON; ValueError where it is not JSON."""
    return message.json if isinstance(message, Text) else loads(message.data)


def make_rule(match: Match, get_sent: Callable[[], Any]) -> Rule:
    """Return how the reply to a request is known; `get_sent` gives the request as JSON.

    Raises ValueError where the request has no such value, TypeError for no kind of match.
    """
    if match is None or callable(match):
        return match
    sent_path, reply_path = (match, match) if isinstance(match, str) else match
    value = look_up(get_sent(), split_path(sent_path))
    if value is _MISSING or isinstance(value, dict | list):
        raise ValueError(
            f"match={match!r}: the request has no text or number at {sent_path!r}, "
            "by which its reply could be known"
        )
    return split_path(reply_path), value


class Correlation(Generic[_T]):
    """What is asked for, and by which rule each is found.

    There are at most `limit`: beyond it the oldest is forgotten.
    """

    __slots__ = ("_by_value", "_limit", "_order", "_predicates", "rules")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.rules: dict[_T, Rule] = {}
        """All that is asked for, the oldest first, and how each is found."""
        self._by_value: dict[Path, dict[Hashable, _T]] = {}
        self._predicates: dict[_T, Predicate] = {}
        self._order: deque[_T] = deque()

    def add(self, asked: _T, rule: Rule) -> tuple[_T, ...]:
        """Ask for something; return what is forgotten for it.

        That is the oldest beyond the limit, and what had the same value to be known by.
        """
        forgotten: tuple[_T, ...] = ()
        if len(self.rules) >= self._limit:
            forgotten = (next(iter(self.rules)),)
            self.remove(forgotten[0])
        if rule is None:
            self._order.append(asked)
        elif callable(rule):
            self._predicates[asked] = rule
        else:
            path, value = rule
            waiting = self._by_value.setdefault(path, {})
            if value in waiting:
                forgotten += (waiting[value],)
                self.remove(waiting[value])
            waiting[value] = asked
        self.rules[asked] = rule
        return forgotten

    def remove(self, asked: _T) -> None:
        """Ask for it no more; nothing happens where it is not asked for."""
        rule = self.rules.pop(asked, _MISSING)
        if rule is _MISSING:
            return
        if rule is None:
            self._order.remove(asked)
        elif callable(rule):
            del self._predicates[asked]
        else:
            del self._by_value[rule[0]][rule[1]]

    def clear(self) -> list[_T]:
        """Ask for nothing any more; return what was asked for."""
        asked = list(self.rules)
        self.rules.clear()
        self._by_value.clear()
        self._predicates.clear()
        self._order.clear()
        return asked

    def find(self, message: Message) -> _T | None:
        """Return whose reply a message is, and ask for that no more; None for nobody's.

        Values come first, then functions in the order of asking, then the order. What a function
        raises passes.
        """
        found = self._find_by_value(message)
        if found is None and self._predicates:
            for asked, predicate in tuple(self._predicates.items()):
                if predicate(message):
                    self.remove(asked)
                    return asked
        if found is None and self._order:
            found = self._order.popleft()
            del self.rules[found]
        return found

    def _find_by_value(self, message: Message) -> _T | None:
        for path, waiting in self._by_value.items():
            if not waiting:
                continue
            try:
                found = waiting.pop(look_up(decode(message), path), None)
            except (ValueError, TypeError):
                # No JSON, or a list or an object where a value was looked for.
                continue
            if found is not None:
                del self.rules[found]
                return found
        return None
