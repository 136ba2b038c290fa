"""Runs the Python that users read (code blocks, examples) as they would, without a network.

Each snippet is a program of its own. In it, `wss://echo.example.org/…`, `ws://example.org/feed` and
every other URL with a name under example.org and no port reach an `EchoServer`, and its certificate
is trusted as certifi's are. A snippet fails when it raises, and when a connection of it fails.

A block that would not end by itself, or that goes on where the one above it in the same file
stopped, says so in a comment, which a reader of the rendered page does not see:

    <!-- test: continues, stop-after=0.5 -->
    ```python
    for event in ws: ...
    ```

`stop-after` interrupts the program after so many seconds, as Ctrl+C would, and that is its success.
`needs=locust` names a module that not every Python can have: without it the block is not there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.helpers.echo_server import EchoServer

__all__ = ["Snippet", "SnippetRunner", "snippets_in"]

ROOT = Path(__file__).parent.parent.parent
PROGRAM = Path(__file__).with_name("snippet_main.py")
# Seconds for any snippet, the start of its process included.
DEADLINE = 60

OPENING = re.compile(r"(?P<indent> *)```python\s*$")
MARKER = re.compile(r"\s*<!-- test: (?P<words>.*) -->\s*$")
URL = re.compile(
    r"(?P<scheme>wss?)://(?P<host>(?:[\w*]+(?:[:%][^@\s]*)?@)?(?:[\w-]+\.)*example\.org)(?![\w.:-])"
)


class Snippet(NamedTuple):
    """Python source out of a file, on the lines on which it stands there."""

    name: str
    line: int
    source: str
    stop_after: float | None = None


def snippets_in(text: str, name: str) -> Iterator[Snippet]:
    """Yield the Python blocks of a Markdown text."""
    lines = text.splitlines()
    source = [""] * len(lines)
    words: list[str] = []
    indent: int | None = None
    start = 0
    for number, line in enumerate(lines):
        if indent is not None and line.strip() == "```":
            if all(find_spec(module) for module in needs_of(words)):
                yield Snippet(name, start, "\n".join(source[:number]), stop_after_of(words))
            indent, words = None, []
        elif indent is not None:
            source[number] = line[indent:]
        elif opening := OPENING.match(line):
            indent, start = len(opening["indent"]), number + 1
            if "continues" not in words:
                source = [""] * len(lines)
        elif marker := MARKER.match(line):
            words = [word.strip() for word in marker["words"].split(",")]
        elif line.strip():
            words = []


def stop_after_of(words: list[str]) -> float | None:
    """Read the words of a marker; ValueError for one that is not known."""
    stop_after = None
    for word in words:
        key, _, value = word.partition("=")
        if key == "stop-after":
            stop_after = float(value)
        elif key != "needs" and word != "continues":
            raise ValueError(f"unknown word in a test marker: {word!r}")
    return stop_after


def needs_of(words: list[str]) -> list[str]:
    """Return the modules that a block cannot do without."""
    return [word.removeprefix("needs=") for word in words if word.startswith("needs=")]


class SnippetRunner:
    """Runs snippets against two servers: `plain` for ws://, `secure` for wss://.

    The certificate of `secure` must be for *.example.org, by the authority in `cafile`.
    """

    def __init__(self, plain: EchoServer, secure: EchoServer, cafile: Path) -> None:
        self._ports = {"ws": plain.port, "wss": secure.port}
        self._cafile = cafile

    def run(self, snippet: Snippet, directory: Path) -> str:
        """Run it in `directory`; return its output, or raise AssertionError with it."""
        setting = {
            "name": snippet.name,
            "cafile": str(self._cafile),
            "stop_after": snippet.stop_after,
        }
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning", str(PROGRAM), json.dumps(setting)],
            input=URL.sub(self._with_port, snippet.source),
            cwd=directory,
            env=self._environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE,
            check=False,
        )
        where = f"{snippet.name}, line {snippet.line}"
        assert done.returncode == 0, f"{where}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    def _with_port(self, found: re.Match[str]) -> str:
        return f"{found[0]}:{self._ports[found['scheme']]}"

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return kept | {"PYTHONPATH": str(ROOT)}
