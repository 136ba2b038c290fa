"""The hot modules compiled: when they are taken, and that what is declared for them is true.

They are the sources, translated; so every other test holds for them, where they are installed.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lomond.protocol.compiled import VARIABLE, prefer_compiled

ROOT = Path(__file__).parents[2]
DECLARED = sorted(ROOT.glob("lomond*/**/*.pxd"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with compiled modules."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "_compiled").mkdir()
    return tmp_path


def test_compiled_modules_come_first(package: Path) -> None:
    path = [str(package)]
    prefer_compiled(path)
    assert path == [str(package / "_compiled"), str(package)]


@pytest.mark.parametrize("choice", ["none", "wsaccel"])
def test_the_environment_rules_compiled_modules_out(
    package: Path, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    monkeypatch.setenv(VARIABLE, choice)
    path = [str(package)]
    prefer_compiled(path)
    assert path == [str(package)]


def test_a_package_without_compiled_modules_is_left_as_it_is(package: Path) -> None:
    (package / "_compiled").rmdir()
    path = [str(package)]
    prefer_compiled(path)
    assert path == [str(package)]


def slots_of(source: Path) -> dict[str, set[str]]:
    """Return the names in the `__slots__` of each class."""
    slots = {}
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        for statement in node.body if isinstance(node, ast.ClassDef) else []:
            if isinstance(statement, ast.Assign) and "__slots__" in ast.unparse(statement):
                slots[node.name] = set(ast.literal_eval(statement.value))
    return slots


def attributes_declared_in(declarations: Path) -> dict[str, set[str]]:
    """Return the names of the C attributes of each class."""
    attributes: dict[str, set[str]] = {}
    for line in declarations.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"cdef class (\w+)", line):
            attributes[found[1]] = set()
            last = found[1]
        elif found := re.match(r"    cdef public \w+ (.*)", line):
            attributes[last] |= set(found[1].split(", "))
    return attributes


@pytest.mark.parametrize("declarations", DECLARED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_slot_is_declared_and_nothing_else(declarations: Path) -> None:
    declared = attributes_declared_in(declarations)
    slots = slots_of(declarations.with_suffix(".py"))
    assert declared == {name: slots[name] for name in declared}
