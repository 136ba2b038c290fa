"""The tables that map attacks and faults to tests name tests that there are.

A row without a test says that it is left for later.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MATRIX = (TESTS / "README.md").read_text(encoding="utf-8")
SECURITY = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")

NAME = re.compile(r"`([\w/]+\.py)::(\w+)`")


@cache
def named_in(path: str) -> set[str]:
    """Return the names of the test functions in a file, and of those in its classes."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rows_of(heading: str) -> list[str]:
    """Return the rows of the table under a heading, without its head."""
    section = MATRIX.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


@pytest.mark.parametrize("text", [MATRIX, SECURITY], ids=["tests/README.md", "SECURITY.md"])
def test_every_test_that_is_named_exists(text: str) -> None:
    named = NAME.findall(text)
    assert len(named) > 20
    assert [f"{path}::{name}" for path, name in named if name not in named_in(path)] == []


@pytest.mark.parametrize("heading", ["Attacks", "Faults"])
def test_every_row_has_a_test_or_is_left_for_later(heading: str) -> None:
    rows = rows_of(heading)
    assert len(rows) > 20
    assert [row for row in rows if not NAME.search(row) and "later" not in row] == []


def test_no_attack_is_missing() -> None:
    assert [row.split("|")[1].strip() for row in rows_of("Attacks")] == [
        f"S{number}" for number in range(1, 23)
    ]


def test_every_folder_is_explained() -> None:
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert {name for name in folders if f"`{name}`" not in MATRIX} == set()
