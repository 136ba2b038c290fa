"""The process that fuzzes one target: `python -m tests.fuzz.fuzzer TARGET`, options of libFuzzer.

`run` starts it; nothing else imports atheris.
"""

from __future__ import annotations

import sys

import atheris

# A second reading of the grammar shows what a regular expression tells apart only within.
with atheris.instrument_imports(include=["lomond", "tests.fuzz.targets.extensions"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name, *options = sys.argv[1:]
    # With this, libFuzzer starts itself again where it merges.
    command = f"{sys.executable} -m tests.fuzz.fuzzer {name}"
    atheris.Setup([command, *options], TARGETS[name])
    atheris.Fuzz()
