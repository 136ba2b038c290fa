"""`python -m lomond_gevent.load` is `lomond-load`."""

from __future__ import annotations

import sys

from lomond_gevent.load.cli import main

if __name__ == "__main__":
    sys.exit(main())
