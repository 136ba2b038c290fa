"""Certificates for tests: one authority, and servers with a valid or a faulty certificate.

Making an authority and a key takes milliseconds; one `Certificates` serves a whole run.
Everything is also a PEM file, for servers in a process of their own.
"""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Literal

import trustme

Kind = Literal["valid", "expired", "wrong_host", "no_name", "unknown_authority", "self_signed"]
"""What is wrong with a server's certificate, as a client that trusts `ca_file` sees it."""

HOSTS = ("localhost", "127.0.0.1", "::1")
_LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)


class Certificates:
    """The PEM files of an authority, of servers and of a client, written to `directory`.

    `ca_file` is what a client trusts. `client_file` holds a client's certificate and key,
    which `client_certfile` and `client_keyfile` hold one by one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._authority = trustme.CA()
        self._stranger = trustme.CA()
        self.ca_file = self._write("ca.pem", self._authority.cert_pem)
        client = self._authority.issue_cert("client@example.org")
        self.client_file = self._write("client.pem", client.private_key_and_cert_chain_pem)
        self.client_certfile = self._write("client.crt", *client.cert_chain_pems)
        self.client_keyfile = self._write("client.key", client.private_key_pem)
        self._server_files: dict[Kind, str] = {}

    def server_file(self, kind: Kind = "valid") -> str:
        """Return the path of a PEM file with the server's key and certificate chain."""
        if kind not in self._server_files:
            blobs = self._make_server(kind)
            self._server_files[kind] = self._write(f"server-{kind}.pem", *blobs)
        return self._server_files[kind]

    def server_context(
        self, kind: Kind = "valid", *, wants_client_certificate: bool = False
    ) -> ssl.SSLContext:
        """Return a new context for a server on the loopback; change it as you like."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server_file(kind))
        if wants_client_certificate:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a new context that trusts the authority, as a user would make it."""
        return ssl.create_default_context(cafile=self.ca_file)

    def _make_server(self, kind: Kind) -> list[trustme.Blob]:
        if kind == "self_signed":
            return [self._stranger.private_key_pem, self._stranger.cert_pem]
        if kind == "unknown_authority":
            leaf = self._stranger.issue_cert(*HOSTS)
        elif kind == "expired":
            leaf = self._authority.issue_cert(
                *HOSTS, not_before=_LONG_AGO, not_after=_LONG_AGO + datetime.timedelta(days=1)
            )
        elif kind == "wrong_host":
            leaf = self._authority.issue_cert("other.example", "192.0.2.1")
        elif kind == "no_name":
            leaf = self._authority.issue_cert(common_name="localhost")
        else:
            leaf = self._authority.issue_cert(*HOSTS)
        return [leaf.private_key_and_cert_chain_pem]

    def _write(self, name: str, *blobs: trustme.Blob) -> str:
        path = self._directory / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        return str(path)
