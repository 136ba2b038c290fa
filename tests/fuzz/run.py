"""Fuzz the targets, one after the other: `python -m tests.fuzz.run --seconds 60 [target …]`.

Every target gets this many seconds, in a process of its own. What it finds worth keeping goes to
`.cache/fuzz/corpus/<target>`, where the next run goes on from; an input that broke a promise goes
to `.cache/fuzz/crashes/<target>`. With `--merge`, what is worth keeping is brought into the
repository's corpus instead: the fewest and shortest files that reach as much code.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
CACHE = Path(__file__).parents[2] / ".cache" / "fuzz"
TARGETS = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())

# In seconds and MiB: what one input may take. Both are far from what any of them needs.
TIMEOUT = 10
MEMORY = 1024
MAX_LENGTH = {"answer": 20_000}


def main() -> int:
    """Fuzz what the command line asks for; return 1 if there was a crash."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--merge", action="store_true", help="take into the repository what is new")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets).difference(TARGETS):
        parser.error(f"there is no target {', '.join(unknown)}")
    targets = arguments.targets or TARGETS
    crashes = [
        name
        for name in targets
        if not (merge(name) if arguments.merge else fuzz(name, arguments.seconds))
    ]
    if crashes:
        print(f"crashes: {', '.join(crashes)}", file=sys.stderr)
    return 1 if crashes else 0


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target and print what came of it; return whether there was no crash."""
    found, crashes = CACHE / "corpus" / name, CACHE / "crashes" / name
    found.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    output, passed = run(
        name,
        f"-max_total_time={seconds}",
        f"-artifact_prefix={crashes}/",
        f"-max_len={MAX_LENGTH.get(name, 4096)}",
        "-print_final_stats=1",
        str(found),
        str(CORPUS / name),
    )
    inputs = re.search(r"number_of_executed_units: *(\d+)", output)
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", output) or [("?",) * 3]
    print(
        f"{name}: {inputs[1] if inputs else '?'} inputs in {seconds} s, "
        "{} branches and {} features reached by {} of them".format(*reached[-1]),
        flush=True,
    )
    if not passed:
        print(f"{output[-4000:]}\n{name}: see {crashes}", file=sys.stderr)
    return passed


def merge(name: str) -> bool:
    """Bring what was found into the repository's corpus; return whether there was no crash."""
    known = set((CORPUS / name).iterdir())
    output, passed = run(name, "-merge=1", str(CORPUS / name), str(CACHE / "corpus" / name))
    new = set((CORPUS / name).iterdir()) - known
    print(f"{name}: {len(new)} files are new, {sum(each.stat().st_size for each in new)} bytes")
    if not passed:
        print(output[-4000:], file=sys.stderr)
    return passed


def run(name: str, *options: str) -> tuple[str, bool]:
    """Run the fuzzer in a process of its own; return what it said, and whether it was content."""
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", name]
    limits = [f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}"]
    fuzzer = subprocess.run(
        [*command, *limits, *options],
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    return fuzzer.stdout, fuzzer.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
