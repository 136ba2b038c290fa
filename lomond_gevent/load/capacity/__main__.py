"""`python -m lomond_gevent.load.capacity`."""

from __future__ import annotations

import sys

from lomond_gevent.load.capacity.command import main

if __name__ == "__main__":
    sys.exit(main())
