"""Modules that decide once, when they are imported, loaded once more to decide anew."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def is_compiled(module: ModuleType) -> bool:
    """Tell whether a module is the compiled twin of its source."""
    return not str(module.__file__).endswith(".py")


def load_copy(module: ModuleType) -> ModuleType:
    """Run the code of a module in a second one, which nobody else will import."""
    name = f"copy_of_{module.__name__.rpartition('.')[2]}"
    # Its source, also where what was imported is compiled: see `lomond.protocol.compiled`.
    source = ROOT.joinpath(*module.__name__.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(name, source)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy
