"""What is worth a line in the log, and each user would write again: said once in a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from locust.env import Environment

logger = logging.getLogger(__name__)

# A text may hold what differs each time, such as an address.
_MOST = 20

_said: WeakKeyDictionary[Environment, set[str]] = WeakKeyDictionary()


def say_once(environment: Environment, about: str, text: str) -> None:
    """Log a warning, unless there was one about the same, or there were 20, in this process."""
    said = _said.setdefault(environment, set())
    if about not in said and len(said) < _MOST:
        said.add(about)
        logger.warning("%s", text)
