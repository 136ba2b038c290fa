"""What is compiled: this package's own accelerator, its hot modules, and the wsaccel package.

All are optional: without them everything works as well, and to the bit alike, only slower. The
environment variable LOMOND_ACCELERATOR says which of them may be used. It is read once, when this
is imported:

    unset or empty   the accelerator, the compiled modules; wsaccel where there is no accelerator
    wsaccel          wsaccel only
    none             nothing: pure Python

What is used of the helpers does not belong here: see `masking` and `frames`. The compiled modules
are the sources themselves, translated by Cython with the declarations in the `.pxd` beside each.
They are in folders of their own, which only an installation has: an editable one has the sources.
"""

from __future__ import annotations

import os
from collections.abc import MutableSequence
from importlib import import_module
from types import ModuleType

VARIABLE = "LOMOND_ACCELERATOR"

_ACCELERATOR = "lomond.protocol._accelerator"
_WSACCEL = "wsaccel.xormask"
_FOLDER = "_compiled"
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


def prefer_compiled(package_path: MutableSequence[str]) -> None:
    """Have a package, of which this is the `__path__`, take its compiled modules where it can."""
    folder = os.path.join(package_path[0], _FOLDER)
    if _ACCELERATOR in _allowed_modules() and os.path.isdir(folder):
        package_path.insert(0, folder)


accelerator: ModuleType | None = _load(_ACCELERATOR)
"""`lomond.protocol._accelerator`, None where it was not compiled or is not wanted."""

wsaccel: ModuleType | None = _load(_WSACCEL)
"""`wsaccel.xormask`, None where it is not installed or is not wanted."""
