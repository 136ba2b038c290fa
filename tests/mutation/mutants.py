"""The mutants of a module, as mutmut makes them: its source with one small thing changed.

mutmut leaves out docstrings, type annotations, `len` and `isinstance`, and what is decorated (so
properties too). Left out here is the wording of errors: whatever stands between the brackets of
an error that is raised, and the text behind an `assert`. A test that compares whole sentences
would say nothing about the protocol.

Only the making of mutants is mutmut's. Its own runner calls each function through another one,
which tests of time and memory notice, and cannot change what stands outside of functions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

from tests.mutation.survivors import Change


@dataclass(frozen=True)
class Mutant:
    """One mutant: what is changed, and the source of the whole module with it."""

    change: Change
    source: str


def make_mutants(source: str) -> list[Mutant]:
    """Return the mutants of a module in the order of its lines; no two are the same."""
    tree = cst.MetadataWrapper(cst.parse_module(source))
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    tree.visit(visitor)
    wording = WordingOfErrors()
    tree.module.visit(wording)
    scopes = list(find_scopes(source))
    mutants: dict[str, Mutant] = {}
    for mutation in visitor.mutations:
        if mutation.original_node in wording.nodes:
            continue
        changed = deep_replace(tree.module, mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, cst.Module)
        # Each look at it writes the whole module anew.
        code = changed.code
        if code != source and code not in mutants:
            mutants[code] = Mutant(compare(source, code, scopes), code)
    return list(mutants.values())


class WordingOfErrors(cst.CSTVisitor):
    """Collect the nodes that an error is worded with."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: set[cst.CSTNode] = set()

    def visit_Raise(self, node: cst.Raise) -> None:
        """The call that makes the error stands for the removal of its arguments."""
        if isinstance(node.exc, cst.Call):
            self.nodes.update([node.exc, *(each for arg in node.exc.args for each in walk(arg))])

    def visit_Assert(self, node: cst.Assert) -> None:
        """An assertion's text is for its reader."""
        if node.msg is not None:
            self.nodes.update(walk(node.msg))


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield a node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


Scope = tuple[int, int, str]


def find_scopes(source: str) -> Iterator[Scope]:
    """Yield the first and the last line of each function and class, and its qualified name."""

    def visit(parent: ast.AST, prefix: str) -> Iterator[Scope]:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                assert node.end_lineno is not None
                yield node.lineno, node.end_lineno, prefix + node.name
                yield from visit(node, f"{prefix}{node.name}.")

    return visit(ast.parse(source), "")


def compare(source: str, changed: str, scopes: list[Scope]) -> Change:
    """Return what is different in `changed`, the lines in question written as one."""
    before, after = source.splitlines(), changed.splitlines()
    first = count_equal(before, after)
    last = count_equal(before[first:][::-1], after[first:][::-1])
    line = first + 1
    around = [name for start, end, name in scopes if start <= line <= end]
    return Change(
        # The scopes come from the outside in.
        scope=around[-1] if around else "module",
        was=join_lines(before[first : len(before) - last]),
        becomes=join_lines(after[first : len(after) - last]),
    )


def count_equal(some: list[str], others: list[str]) -> int:
    """Return how many lines are the same from the beginning on."""
    pairs = zip(some, others, strict=False)
    return next(
        (index for index, (one, other) in enumerate(pairs) if one != other),
        min(len(some), len(others)),
    )


def join_lines(lines: list[str]) -> str:
    """Write lines of code as one, for a list that is read by people."""
    return " ".join(line.strip() for line in lines).strip()
