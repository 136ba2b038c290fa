"""Where a connection leads, and by which way."""

from __future__ import annotations

from dataclasses import dataclass

from lomond.proxies import Proxy
from lomond.tls import TLSOptions


@dataclass(frozen=True, slots=True)
class Route:
    """What a transport has to know to connect; `agent` is what a proxy gets to see of us."""

    host: str
    port: int
    tls: TLSOptions | None
    """How to speak TLS with the server, None for ws://."""
    proxy: Proxy | None
    agent: str
