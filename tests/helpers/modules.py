"""Modules that decide once, when they are imported, loaded once more to decide anew."""

from __future__ import annotations

import importlib.util
from types import ModuleType


def load_copy(module: ModuleType) -> ModuleType:
    """Run the code of a module in a second one, which nobody else will import."""
    assert module.__file__ is not None
    name = f"copy_of_{module.__name__.rpartition('.')[2]}"
    spec = importlib.util.spec_from_file_location(name, module.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy
