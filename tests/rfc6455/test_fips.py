"""RFC 6455 §4.2.2 needs SHA-1, which a FIPS build of OpenSSL refuses for all that is security.

§10.8: "The WebSocket handshake described in this document doesn't depend on any security
properties of SHA-1, such as collision resistance".
"""

from __future__ import annotations

import hashlib

import pytest

from lomond.protocol import handshake


def test_an_accept_can_be_checked_where_sha_1_is_not_for_security(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sha1(data: bytes, *, usedforsecurity: bool = True) -> object:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return hashlib.sha1(data, usedforsecurity=False)

    monkeypatch.setattr(handshake, "sha1", sha1)
    accept = handshake.accept_for(b"dGhlIHNhbXBsZSBub25jZQ==")
    assert accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
