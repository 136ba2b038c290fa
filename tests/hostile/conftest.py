"""What the tests of hostile peers have at hand."""

from __future__ import annotations

import pytest

from tests.helpers.certificates import Certificates
from tests.helpers.conversation import Wire, make_wire


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
