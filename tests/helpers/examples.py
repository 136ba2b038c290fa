"""How many inputs hypothesis tries, for tests that need another number than most.

No profile belongs here: `tests/conftest.py` has them.
"""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]


def examples(number: int) -> settings:
    """Try `number` inputs where the profile has 100 of them, and in proportion where it has fewer.

    The profile is that of the moment when the test is defined.
    """
    return settings(max_examples=max(1, number * settings().max_examples // 100))
