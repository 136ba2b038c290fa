"""What a run was made on and with: no names of hosts or people, and no paths."""

from __future__ import annotations

import hashlib
import os
import platform
import runpy
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def describe_run() -> dict[str, Any]:
    """Return what is the same for all rounds of a run that begins now."""
    return {
        "suite": fingerprint_suite(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "cpu": read_cpu_model(),
        "load": round(os.getloadavg()[0], 1),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "version": f"lomond-gevent {read_version()}",
    }


def read_version() -> str:
    """Return the version of this tree."""
    version = runpy.run_path(str(HERE.parent / "lomond" / "_version.py"))["__version__"]
    return str(version)


def fingerprint_suite() -> str:
    """Return a digest of all that decides about what is measured, this project's code apart."""
    digest = hashlib.sha256()
    for pattern in ("clients/*.py", "peers/*.txt", "server.py", "works.py"):
        for path in sorted(HERE.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def read_cpu_model() -> str:
    """Return the processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
