"""What all conversations have at hand: the world of the session class, and two kinds of wire."""

from __future__ import annotations

import pytest

from lomond.session import WebsocketSession
from tests.helpers.certificates import Certificates
from tests.helpers.conversation import Wire, World, make_wire, world_of


@pytest.fixture
def world(session_class: type[WebsocketSession]) -> World:
    """Threads or greenlets, as the session class has them."""
    return world_of(session_class)


@pytest.fixture(params=["tcp", "tls"])
def wire(request: pytest.FixtureRequest, certificates: Certificates) -> Wire:
    """Plain TCP and TLS, one after the other."""
    return make_wire(request.param, certificates)


@pytest.fixture
def tcp(certificates: Certificates) -> Wire:
    """Plain TCP, where TLS would show nothing more."""
    return make_wire("tcp", certificates)


@pytest.fixture(autouse=True)
def no_proxy_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the proxies that this machine may use out of the way."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
