"""Which compiled helpers are there: this package's own accelerator, and the wsaccel package.

Both are optional: without them everything works as well, and to the bit alike, only slower. The
environment variable LOMOND_ACCELERATOR says which of them may be used. It is read once, when this
is imported:

    unset or empty   the accelerator, wsaccel where there is none
    wsaccel          wsaccel only
    none             neither: pure Python

What they are used for does not belong here: see `masking` and `frames`.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

VARIABLE = "LOMOND_ACCELERATOR"

_ACCELERATOR = "lomond.protocol._accelerator"
_WSACCEL = "wsaccel.xormask"
_ALLOWED = {"": (_ACCELERATOR, _WSACCEL), "wsaccel": (_WSACCEL,), "none": ()}


def _allowed_modules() -> tuple[str, ...]:
    chosen = os.environ.get(VARIABLE, "")
    try:
        return _ALLOWED[chosen]
    except KeyError:
        raise ValueError(
            f"the environment variable {VARIABLE} is {chosen!r}: set it to 'wsaccel' or 'none', "
            "or unset it for the fastest there is"
        ) from None


def _load(module: str) -> ModuleType | None:
    if module not in _allowed_modules():
        return None
    try:
        return import_module(module)
    except ImportError:
        # The one needs a compiler where it is installed, the other a wheel for this Python.
        return None


accelerator: ModuleType | None = _load(_ACCELERATOR)
"""`lomond.protocol._accelerator`, None where it was not compiled or is not wanted."""

wsaccel: ModuleType | None = _load(_WSACCEL)
"""`wsaccel.xormask`, None where it is not installed or is not wanted."""
