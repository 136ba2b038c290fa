"""What a client of a scenario of the user's own has received and not read, in order.

Who waits for a message, and for how long, is not in here: see `client`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic as clock
from typing import TypeAlias

from lomond.events import Binary, Text

Message: TypeAlias = str | bytes
Match: TypeAlias = Message | Callable[[Message], object]
"""A message that has to be just so, or what tells whether it is the right one."""

# More unread messages than this, and the oldest are dropped: who reads on can answer pings, and
# see the connection end.
MOST_UNREAD = 1000


class Inbox:
    """Unread messages, and the answers that are still owed to requests that have timed out."""

    __slots__ = ("_looked", "_messages", "_on_late", "_overdue")

    def __init__(self, on_late: Callable[[float], object]) -> None:
        """Take what is called for a late answer, with the seconds that it took."""
        self._on_late = on_late
        # Unread messages, and when they came (monotonic seconds).
        self._messages: deque[tuple[Text | Binary, float]] = deque()
        # So many of them, from the first on, cannot be what is waited for.
        self._looked = 0
        # When the requests were sent whose answer, still to come, can be told by its turn only.
        self._overdue: deque[float] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def clear(self) -> None:
        """Forget all that came, and what is owed: it is another connection."""
        self._messages.clear()
        self._overdue.clear()
        self._looked = 0

    def add(self, event: Text | Binary) -> bool:
        """Take a message; tell whether the oldest had to be dropped for it."""
        is_full = len(self._messages) >= MOST_UNREAD
        if is_full:
            self._messages.popleft()
            self._looked = max(0, self._looked - 1)
        self._messages.append((event, clock()))
        return is_full

    def pop(self) -> Text | Binary:
        """Return the oldest message; there has to be one."""
        self._looked = max(0, self._looked - 1)
        return self._messages.popleft()[0]

    def look_from_start(self) -> None:
        """Have `find` look at all that is unread."""
        self._looked = 0

    def look_from_here(self) -> None:
        """Have `find` look at nothing that has come by now: a request is sent, and it is older."""
        while self._overdue and self._looked < len(self._messages):
            self._take_late(self._looked)
        self._looked = len(self._messages)

    def owe(self, sent_at: float) -> None:
        """Note that a request was given up whose answer can be told by its turn only."""
        self._overdue.append(sent_at)

    def find(self, match: Match | None, *, in_turn: bool) -> tuple[Message, float] | None:
        """Return the message that matches, and when it came; None if it has not come.

        With `in_turn` and without a match the answers that are owed come first.
        """
        while self._looked < len(self._messages):
            event, came_at = self._messages[self._looked]
            message = event.text if isinstance(event, Text) else event.data
            if match is None and in_turn and self._overdue:
                self._take_late(self._looked)
                continue
            if match is None or (match(message) if callable(match) else match == message):
                del self._messages[self._looked]
                if match is None and self._overdue:
                    # Whoever takes just any message has waited for this one, most likely.
                    self._overdue.popleft()
                return message, came_at
            # Not looked at again: a function may be dear, or count.
            self._looked += 1
        return None

    def _take_late(self, index: int) -> None:
        """Take a message as the answer that has been owed the longest."""
        came_at = self._messages[index][1]
        del self._messages[index]
        self._on_late(came_at - self._overdue.popleft())
