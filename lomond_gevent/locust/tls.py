"""One TLS context for all users of a process.

A context with certificate authorities takes 30 ms of CPU and 750 KiB. Those that follow from
options are shared by `lomond.tls` already; here are the ones that a user's function makes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from ssl import SSLContext


@cache
def shared_context(factory: Callable[[], SSLContext]) -> SSLContext:
    """Return what a function makes: called once in a process, when the first user connects."""
    return factory()
