"""One server for each peer, compression and wire, for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.certificates import Certificates
from tests.interop.peers import PEERS, PeerServer


@pytest.fixture(scope="session", params=[peer.name for peer in PEERS])
def server(
    request: pytest.FixtureRequest, compress: bool, wire: str, certificates: Certificates
) -> Iterator[PeerServer]:
    """A peer's server."""
    peer = next(peer for peer in PEERS if peer.name == request.param)
    certfile = certificates.server_file() if wire == "tls" else None
    with PeerServer(peer, certfile, compress) as server:
        yield server


@pytest.fixture(scope="session", params=[False, True], ids=["plain", "compressed"])
def compress(request: pytest.FixtureRequest) -> bool:
    """Whether both sides want permessage-deflate."""
    is_wanted: bool = request.param
    return is_wanted


@pytest.fixture(scope="session", params=["tcp", "tls"])
def wire(request: pytest.FixtureRequest) -> str:
    """Plain TCP and TLS, one after the other."""
    name: str = request.param
    return name
