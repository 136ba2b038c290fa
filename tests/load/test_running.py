"""What is settled between the command and the clients: the server, its way, its authorities."""

from __future__ import annotations

from pathlib import Path

import pytest

from lomond_gevent.load import Plan, PlanError, run

pytestmark = pytest.mark.loopback


def test_the_embedded_server_is_not_asked_for_at_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    result = run(Plan(clients=1, duration=0.1))

    assert result.errors == {}
    assert result.plan.proxy is None


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if text is not None:
        file.write_text(text)

    with pytest.raises(PlanError, match=r"cafile .*authorities\.pem cannot be read"):
        run(Plan(url="wss://127.0.0.1:9/", cafile=str(file)))
