"""One virtual environment for each peer, made when it is first needed.

A stamp in each says what was installed, so that it is made anew when the requirements change, and
gets this tree again when its code does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers import REQUIREMENTS, Peer

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "bench"

# What a distribution is not built from, or was made by building it.
NOT_BUILT_FROM = shutil.ignore_patterns(
    ".*", "*.egg-info", "__pycache__", "benchmarks", "build", "dist", "examples", "tests"
)


class InstallationError(Exception):
    """An environment could not be made; the text is what the installer said."""


def make_environment(requirements: str, home: str | None = None) -> Path:
    """Return the Python of an environment that holds what `peers/<requirements>.txt` lists.

    It is the folder `home` of the cache, by default of the same name.
    """
    listed = REQUIREMENTS / f"{requirements}.txt"
    folder = CACHE / (home or requirements)
    python = folder / "bin" / "python"
    wanted = f"{sys.version}\n{listed.read_text()}"
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {folder.name}", flush=True)
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _install(python, "-r", str(listed))
        stamp.write_text(wanted)
    return python


def make_peer_environment(peer: Peer, home: str | None = None) -> Path:
    """Return the Python of a peer's environment; this project's has the tree as it is now."""
    python = make_environment(peer.name, home)
    if peer.is_tree:
        folder = python.parent.parent
        stamp = folder / "installed-tree"
        wanted = fingerprint_tree()
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"installing this tree in {folder.name}", flush=True)
            install_tree(python, folder / "source", peer.environ)
            stamp.write_text(wanted)
    return python


def install_tree(python: Path, source: Path, environ: Mapping[str, str]) -> None:
    """Install this tree as it is now, as a user gets it.

    From a copy, for building leaves things behind, and would take up what it left before.
    """
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT, source, ignore=NOT_BUILT_FROM)
    options = ("--no-build-isolation", "--no-deps", "--force-reinstall")
    _install(python, *options, str(source), environ=environ)


def fingerprint_tree() -> str:
    """Return a digest of all that the distribution is built from."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(ROOT):
        ignored = NOT_BUILT_FROM(folder, [*folders, *files])
        folders[:] = sorted(set(folders) - ignored)
        for name in sorted(set(files) - ignored):
            path = Path(folder, name)
            if path.suffix != ".md":
                digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _install(python: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
    _run(str(python), "-m", "pip", "install", "-q", *arguments, environ=environ)


def _run(*command: str, environ: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InstallationError(f"{' '.join(command)} failed:\n{done.stdout}")
