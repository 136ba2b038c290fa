"""What was judged of one module: a file that a run adds to, and the next one goes on from.

Its first line is a digest of the module and of the tool; where that has changed, all is judged
again. Behind it stands a line for each verdict, with a digest of the tests that it rests on: the
one file that killed a mutant, or all of them, and what they import. Where those have changed, this
mutant is judged again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.mutation.survivors import Change


def digest_files(files: Iterable[Path], also: str = "") -> str:
    """Return a text that is another one for other content."""
    digest = hashlib.sha256(also.encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


_IMPORT = re.compile(r"^from (tests(?:\.\w+)+) import ", re.MULTILINE)


def with_imports(test: Path, root: Path) -> list[Path]:
    """Return a test file and what it imports from `tests`, directly or not."""

    def visit(file: Path) -> Iterator[Path]:
        yield file
        for module in _IMPORT.findall(file.read_text(encoding="utf-8")):
            imported = root.joinpath(*module.split(".")).with_suffix(".py")
            if imported not in seen:
                seen.add(imported)
                yield from visit(imported)

    seen: set[Path] = set()
    return list(visit(test))


class Session:
    """The verdicts on the mutants of one module, each kept as soon as it is known.

    A mutant is known by its number, which stands for the same one as long as the module is the
    same.
    """

    def __init__(self, path: Path, module: str, tests: Iterable[str]) -> None:
        """Go on from what the file has as far as it rests on `tests`, or begin it anew.

        `module` and `tests` are digests.
        """
        self._path = path
        self.verdicts: dict[int, str] = {}
        valid = set(tests)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines[:1] == [module]:
            for line in lines[1:]:
                number, verdict, basis, _ = json.loads(line)
                if basis in valid:
                    self.verdicts[number] = verdict
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{module}\n", encoding="utf-8")

    def keep(self, number: int, verdict: str, basis: str, change: Change) -> None:
        """Write down a verdict; what was changed is there for people to read."""
        self.verdicts[number] = verdict
        line = json.dumps([number, verdict, basis, str(change)], ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
