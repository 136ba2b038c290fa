"""The accelerator is optional: whoever has no compiler gets everything else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lomond.protocol import compiled

pytest.importorskip("setuptools", reason="newer environments come without setuptools")

ROOT = Path(__file__).parents[2]


def build(folder: Path, **environ: str) -> list[str]:
    """Build as an installation does; return the names of the modules that were compiled."""
    command = ["setup.py", "-q", "build", "--build-base", str(folder), "--build-lib", str(folder)]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "lomond" / "protocol" / "_accelerator.pyi").exists()
    return [path.name.split(".")[0] for path in folder.rglob("lomond/**/*.so")]


@pytest.mark.skipif(compiled.accelerator is None, reason="nothing was compiled here before")
def test_with_a_compiler_the_accelerator_is_built(tmp_path: Path) -> None:
    assert "_accelerator" in build(tmp_path)


def test_without_a_compiler_all_but_the_accelerator_is_built(tmp_path: Path) -> None:
    assert build(tmp_path, CC=str(tmp_path / "no-such-compiler")) == []
