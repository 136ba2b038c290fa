"""The layers of the code, read from its imports.

"Imports point only downwards": words, protocol, one socket, session, WebSocket, persist, gevent,
load generator. A module may import its own layer and those below it, and never in a circle. What is
imported under `if TYPE_CHECKING:` does not run: above the protocol it may point up, though not out
of the core.
"""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("lomond", "lomond_gevent")

# The longest prefix of a module's name counts. A new module of `lomond` must be entered here.
LAYERS = {
    "lomond._version": 0,
    "lomond.constants": 0,
    "lomond.status": 0,
    "lomond.errors": 0,
    "lomond.response": 0,
    "lomond.events": 0,
    "lomond.protocol": 1,
    "lomond.url": 2,
    "lomond.tls": 2,
    "lomond.tls_stream": 2,
    "lomond.proxies": 2,
    "lomond.route": 2,
    "lomond.failures": 2,
    "lomond.forks": 2,
    "lomond.channel": 2,
    "lomond.dialing": 2,
    "lomond.tracing": 2,
    "lomond.transport": 2,
    "lomond.blocking": 2,
    "lomond.arguments": 3,
    "lomond.state": 3,
    "lomond.options": 3,
    "lomond.foreign": 3,
    "lomond.handover": 3,
    "lomond.outbox": 3,
    "lomond.exchange": 3,
    "lomond.session": 3,
    "lomond.websocket": 4,
    "lomond.persist": 5,
    "lomond_gevent": 6,
    "lomond_gevent.load": 7,
    "lomond_gevent.locust": 7,
}
# The package itself only hands on what a user imports first.
FACADE = {"lomond": 5}

TYPES_MAY_POINT_UP_FROM = 2

# Module prefix, what it never imports, why.
FORBIDDEN = (
    (
        "lomond.protocol",
        {"socket", "ssl", "select", "selectors", "threading", "time", "logging", "asyncio"},
        "the protocol does no I/O and reads no clock",
    ),
    ("lomond", {"gevent", "greenlet"}, "the core never mentions gevent"),
)
LOCUST_IS_FOR = "lomond_gevent.locust"

MAX_LINES = 350
MAX_FUNCTION_LINES = 40
# The loop over the frames of a read is one piece: a call for each frame would cost more than it.
# A constructor has a line for each option of a WebSocket and one for its attribute.
LONGER_FUNCTIONS = {"lomond.protocol.frames": 50, "lomond.options": 50}
# The list of all events is read from top to bottom, docstrings and all.
LONGER_MODULES = {"lomond.events": 420}


class Import(NamedTuple):
    """One imported name, as a dotted module or a name within one."""

    name: str
    line: int
    is_for_types: bool


def modules_of(root: Path) -> dict[str, Path]:
    """Find the modules of both packages: dotted name to file."""
    modules = {}
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


@cache
def imports_of(module: str, path: Path) -> list[Import]:
    """Return all that a module imports, anywhere in it, relative imports made absolute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    imports = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        source = ""
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])]) + "."
        for alias in node.names:
            imports.append(Import(source + alias.name, node.lineno, id(node) in for_types))
    return imports


def module_named(name: str, modules: dict[str, Path]) -> str | None:
    """Return the module of ours that an imported name is, or is taken from."""
    if name in modules:
        return name
    parent = name.rpartition(".")[0]
    return parent if parent in modules else None


def is_within(module: str, package: str) -> bool:
    """Is it the package, or something in it?"""
    return module == package or module.startswith(package + ".")


def layer_of(module: str) -> int | None:
    """Return the layer of a module; None where the table does not say."""
    if module in FACADE:
        return FACADE[module]
    found = [prefix for prefix in LAYERS if is_within(module, prefix)]
    return LAYERS[max(found, key=len)] if found else None


def import_violations(root: Path) -> list[str]:
    """List the imports that point up, and those that a rule forbids."""
    modules = modules_of(root)
    problems = [f"{name} has no layer" for name in modules if layer_of(name) is None]
    for module, path in modules.items():
        for found in imports_of(module, path):
            where = f"{module}:{found.line} imports {found.name}"
            top = found.name.split(".")[0]
            problems += [
                f"{where}: {why}"
                for prefix, names, why in FORBIDDEN
                if is_within(module, prefix) and top in names
            ]
            if top == "locust" and not is_within(module, LOCUST_IS_FOR):
                problems.append(f"{where}: only {LOCUST_IS_FOR} knows locust")
            if points_up(module, found, modules):
                problems.append(f"{where}: imports point only downwards")
    return problems


def points_up(module: str, found: Import, modules: dict[str, Path]) -> bool:
    """Does a module import from a layer above its own?"""
    target = module_named(found.name, modules)
    here, there = layer_of(module), layer_of(target) if target else None
    if target is None or here is None or there is None:
        return False
    is_harmless = found.is_for_types and here >= TYPES_MAY_POINT_UP_FROM
    return there > here and not (is_harmless and is_within(target, "lomond"))


def circle_of_imports(root: Path) -> list[str]:
    """Return the modules of a circle of imports, or an empty list."""
    modules = modules_of(root)
    graph = {
        module: {
            target
            for found in imports_of(module, path)
            if not found.is_for_types
            and (target := module_named(found.name, modules)) not in (None, module)
        }
        for module, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def size_violations(root: Path) -> list[str]:
    """List the files and functions that are too long. A docstring is not counted as function."""
    problems = []
    for module, path in modules_of(root).items():
        text = path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        if lines > LONGER_MODULES.get(module, MAX_LINES):
            problems.append(f"{module} has {lines} lines")
        limit = LONGER_FUNCTIONS.get(module, MAX_FUNCTION_LINES)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (length := function_length(node)) > limit:
                problems.append(f"{module}:{node.lineno} {node.name} has {length} lines")
    return problems


def function_length(node: ast.FunctionDef) -> int:
    """Count the lines of a function from its `def` on, without its docstring."""
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None and first.end_lineno is not None:
        length -= first.end_lineno - first.lineno + 1
    return length


def test_imports_point_only_downwards_and_stay_where_they_belong() -> None:
    assert import_violations(ROOT) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle_of_imports(ROOT) == []


def test_files_and_functions_stay_readable() -> None:
    assert size_violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("lomond/events.py", "from .protocol import frames", "only downwards"),
        ("lomond/events.py", "from lomond.websocket import WebSocket", "only downwards"),
        ("lomond/url.py", "import lomond", "only downwards"),
        ("lomond/protocol/frames.py", "import time", "reads no clock"),
        ("lomond/protocol/frames.py", "from socket import socket", "reads no clock"),
        ("lomond/protocol/frames.py", "from ..transport import x", "only downwards"),
        ("lomond/session.py", "def f():\n    import gevent.socket", "never mentions gevent"),
        ("lomond/session.py", "import lomond_gevent", "only downwards"),
        (
            "lomond/session.py",
            "if TYPE_CHECKING:\n    from lomond_gevent import GeventSession",
            "only downwards",
        ),
        (
            "lomond/protocol/frames.py",
            "if TYPE_CHECKING:\n    from ..transport import Transport",
            "only downwards",
        ),
        ("lomond/session.py", "from locust import User", "knows locust"),
        ("lomond_gevent/session.py", "from locust import User", "knows locust"),
        ("lomond_gevent/session.py", "from .load import plan", "only downwards"),
        ("lomond/gadgets.py", "", "no layer"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, file: str, line: str, problem: str) -> None:
    plant_packages(tmp_path, {file: line})

    problems = import_violations(tmp_path)

    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("lomond/session.py", "if TYPE_CHECKING:\n    from .websocket import WebSocket"),
        ("lomond/session.py", "import socket, time\nfrom . import events, transport"),
        ("lomond_gevent/locust/__init__.py", "import locust\nfrom lomond_gevent import session"),
        ("lomond/protocol/frames.py", "from lomond.errors import ProtocolError"),
    ],
)
def test_an_import_that_points_down_is_allowed(tmp_path: Path, file: str, line: str) -> None:
    plant_packages(tmp_path, {file: line})

    assert import_violations(tmp_path) == []


def test_a_circle_of_imports_is_found(tmp_path: Path) -> None:
    circle = {"lomond/url.py": "from . import tls", "lomond/tls.py": "from lomond.url import x"}
    plant_packages(tmp_path, circle)

    assert {"lomond.url", "lomond.tls"} <= set(circle_of_imports(tmp_path))


def test_a_long_file_and_a_long_function_are_found(tmp_path: Path) -> None:
    body = "    x = 1\n" * MAX_FUNCTION_LINES
    docstring = '    """One\n\n    two.\n    """\n'
    functions = f"def f():\n{docstring}{body}def g():\n{docstring}{body[10:]}"
    plant_packages(tmp_path, {"lomond/url.py": functions, "lomond/tls.py": "\n" * 351})

    assert size_violations(tmp_path) == [
        "lomond.tls has 351 lines",
        f"lomond.url:1 f has {MAX_FUNCTION_LINES + 1} lines",
    ]


def plant_packages(root: Path, files: dict[str, str]) -> None:
    """Write a tree with a module or two in each layer, and the given files in it."""
    empty = ("__init__", "events", "errors", "transport", "session", "websocket")
    tree = {f"lomond/{name}.py": "" for name in empty}
    tree |= {f"lomond/protocol/{name}.py": "" for name in ("__init__", "frames")}
    tree |= {f"lomond_gevent/{name}.py": "" for name in ("__init__", "session", "load/plan")}
    for name, text in (tree | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
