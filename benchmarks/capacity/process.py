"""What this process has used until now."""

from __future__ import annotations

import os
import time
from pathlib import Path

STATM = Path("/proc/self/statm")


class Usage:
    """CPU and clock in seconds, resident memory in bytes, at the moment when it is made."""

    def __init__(self) -> None:
        self.cpu = time.process_time()
        self.time = time.monotonic()
        self.memory = int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
