"""Every block of Python in the documentation runs as it stands. See `tests/helpers/snippets.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.snippets import Snippet, SnippetRunner, snippets_in

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

CONNECT = """
import socket, ssl
def connect(url, scheme, host, port):
    tcp = socket.create_connection((host, port), timeout=5)
    context = ssl.create_default_context()
    return context.wrap_socket(tcp, server_hostname=host) if scheme == "wss" else tcp
def exchange(url):
    scheme, rest = url.split("://")
    host, port = rest.split("/")[0].split(":")
    with connect(url, scheme, host, int(port)) as stream:
        stream.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        print(stream.recv(65536).splitlines()[0].decode())
"""


def documented_snippets() -> Iterator[Snippet]:
    """Yield the blocks of all documents that exist."""
    for path in DOCUMENTS:
        if path.exists():
            yield from snippets_in(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


@pytest.mark.parametrize(
    "snippet", [pytest.param(s, id=f"{s.name}:{s.line}") for s in documented_snippets()]
)
def test_a_block_of_the_documentation_runs(
    snippet: Snippet, snippet_runner: SnippetRunner, tmp_path: Path
) -> None:
    snippet_runner.run(snippet, tmp_path)


def test_the_readme_shows_code() -> None:
    shown = {snippet.name for snippet in documented_snippets()}

    assert README.name in shown or not README.exists()


def test_blocks_keep_their_lines_and_their_markers() -> None:
    text = """
        <!-- test: stop-after=0.5 -->
        ```python
        a = 1
        ```
        ```
        no python
        ```
          - <!-- prose -->

          ```python
          b = 2
          ```
        <!-- test: continues -->

        ```python
        c = 3
        ```
    """.replace("\n        ", "\n")

    found = list(snippets_in(text, "x.md"))

    assert [(s.line, s.stop_after) for s in found] == [(3, 0.5), (11, None), (16, None)]
    assert [s.source.split() for s in found[:2]] == [["a", "=", "1"], ["b", "=", "2"]]
    assert found[2].source.splitlines()[11:] == ["b = 2", "", "", "", "", "c = 3"]


def test_an_unknown_word_in_a_marker_is_an_error() -> None:
    text = "<!-- test: stop_after=1 -->\n```python\n```\n"

    with pytest.raises(ValueError, match="stop_after=1"):
        list(snippets_in(text, "x.md"))


@pytest.mark.parametrize("url", ["ws://example.org/feed", "wss://echo.example.org/"])
def test_names_under_example_org_reach_the_test_servers(
    url: str, snippet_runner: SnippetRunner, tmp_path: Path
) -> None:
    snippet = Snippet("x.md", 1, f"{CONNECT}exchange({url!r})")

    assert snippet_runner.run(snippet, tmp_path).startswith("HTTP/1.1 426")


def test_a_block_that_would_run_for_ever_is_stopped(
    snippet_runner: SnippetRunner, tmp_path: Path
) -> None:
    snippet = Snippet("x.md", 1, "print('begun', flush=True)\nwhile True: pass", stop_after=0.2)

    assert snippet_runner.run(snippet, tmp_path) == "begun\n"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("\n\nraise RuntimeError('no')", 'File "x.md", line 3'),
        ("import socket; socket.getaddrinfo('example.com', 80)", "no names but example.org"),
        ("from lomond.events import ConnectFail; ConnectFail('lost')", "a connection failed"),
    ],
)
def test_a_block_that_fails_fails_its_test(
    source: str, complaint: str, snippet_runner: SnippetRunner, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        snippet_runner.run(Snippet("x.md", 1, source), tmp_path)
