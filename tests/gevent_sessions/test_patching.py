"""It works with nothing monkey-patched, and just as well where an application has patched.

Patched early means before anything else was imported; late means after these packages were, and
after the application had made its TLS context of the standard kind.
"""

from __future__ import annotations

import pytest

from tests.gevent_sessions.children import PATCHED, run_program
from tests.helpers.certificates import Certificates
from tests.helpers.echo_server import EchoServer

CONVERSATION = {"connecting", "connected", "ready", "poll", "pong", "text", "closed"}


@pytest.mark.parametrize(
    ("started_by", "arguments"),
    [
        pytest.param((), ["GeventSession"], id="unpatched"),
        pytest.param(PATCHED, ["GeventSession"], id="early"),
        pytest.param(PATCHED, ["WebsocketSession"], id="early, blocking session"),
        pytest.param((), ["GeventSession", "--patch-late"], id="late"),
        pytest.param((), ["WebsocketSession", "--patch-late"], id="late, blocking session"),
    ],
)
def test_clients_converse_side_by_side_over_tcp_and_tls(
    echo_server: EchoServer,
    tls_echo_server: EchoServer,
    certificates: Certificates,
    started_by: tuple[str, ...],
    arguments: list[str],
) -> None:
    urls = echo_server.url, tls_echo_server.url
    arguments = [*arguments, certificates.ca_file, *urls]
    result = run_program("conversation", *arguments, started_by=started_by)
    for names in result["events"]:
        assert names[-1] == "disconnected"
        assert set(names) == CONVERSATION | {"disconnected"}
    # 0.2 s of polls have gone by, in which a hub that was stopped would not have ticked.
    assert result["ticks"] >= 10


@pytest.mark.parametrize("started_by", [(), PATCHED], ids=["unpatched", "patched"])
def test_importing_makes_nothing(started_by: tuple[str, ...]) -> None:
    made = run_program("imported", started_by=started_by)
    assert made == {"hub": "None", "greenlets": 0, "threads": 0, "descriptors": 0}
