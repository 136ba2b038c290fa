"""The arguments of the upgrade request: capitals are fine, and an error names the one at fault.

RFC 3986 §3.2.2: "the host subcomponent is case-insensitive"; it is sent as it was given.
"""

from __future__ import annotations

from typing import Any

import pytest

from lomond.protocol.handshake import UpgradeRequest

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize("host", ["Server.EXAMPLE.com:8443", "[FE80::ABCD%25Eth0]"])
def test_a_host_may_have_capitals(host: str) -> None:
    head = UpgradeRequest(host, "/", KEY).build()
    assert f"\r\nHost: {host}\r\n".encode() in head


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"agent": "a\nb"}, "^value of header User-Agent contains"),
        ({"authorization": "a\nb"}, "^value of header Authorization contains"),
        ({"headers": (("X-Trace", "a\nb"),)}, "^value of header X-Trace contains"),
        ({"protocols": ("a b",)}, "^sub-protocol must be a token"),
    ],
)
def test_an_error_names_the_argument(option: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        UpgradeRequest("h", "/", KEY, **option)
