"""What all tests have at hand: certificates, servers, both session classes, a guard against leaks.

Tests over real sockets carry the marker `loopback`: by their folder, or because they ask for one
of the servers below.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import pytest
import trustme
from hypothesis import settings

from tests.helpers.certificates import Certificates
from tests.helpers.echo_server import EchoServer
from tests.helpers.snippets import SnippetRunner

if TYPE_CHECKING:
    from lomond.session import WebsocketSession

ROOT = Path(__file__).parent
SOCKET_FOLDERS = {
    "loopback",
    "hostile",
    "gevent_sessions",
    "conformance",
    "interop",
    "locust_stats",
    "locust_user",
}
SERVERS = {"echo_server", "tls_echo_server", "snippet_runner"}
SUBPROTOCOLS = ("chat", "superchat")
# A hub, its resolver's threads and lazily imported modules open a few for good.
SPARE_DESCRIPTORS = 16
# What a test has ended may take this long, in seconds, to be gone.
PATIENCE = 5.0

# A slow machine is no failure, and what CI finds must be found again.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
# For a run between two edits (`--hypothesis-profile=quick`): `make check` tries them all.
settings.register_profile("quick", settings.get_profile("project"), max_examples=25)
settings.load_profile("project")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the tests over real sockets where none of them is asked for."""
    is_left_out = config.option.markexpr == "not loopback" and collection_path.parent == ROOT
    return True if is_left_out and collection_path.name in SOCKET_FOLDERS else None


def pytest_collection_finish() -> None:
    """Keep the collector from all that was made until here: it is much, and is there to stay."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests over real sockets, so that `-m` can choose."""
    for item in items:
        folder = item.path.relative_to(ROOT).parts[0]
        if folder in SOCKET_FOLDERS or SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.loopback)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority, and certificates good and bad."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def echo_server() -> Iterator[EchoServer]:
    """A server on plain TCP, with compression for those who offer it, for the whole run."""
    with EchoServer(subprotocols=SUBPROTOCOLS) as server:
        yield server


@pytest.fixture(scope="session")
def tls_echo_server(certificates: Certificates) -> Iterator[EchoServer]:
    """The same on TLS; a client trusts it with `certificates.ca_file`."""
    with EchoServer(certfile=certificates.server_file(), subprotocols=SUBPROTOCOLS) as server:
        yield server


@pytest.fixture(scope="session")
def snippet_runner(
    echo_server: EchoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SnippetRunner]:
    """Runs code as a user would who finds example.org on this machine."""
    directory = tmp_path_factory.mktemp("example.org")
    cafile, certfile = directory / "ca.pem", directory / "server.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(cafile))
    leaf = authority.issue_cert("example.org", "*.example.org")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(certfile))
    with EchoServer(certfile=certfile, subprotocols=SUBPROTOCOLS) as secure:
        yield SnippetRunner(echo_server, secure, cafile)


@pytest.fixture(params=["blocking", "gevent"])
def session_class(request: pytest.FixtureRequest) -> type[WebsocketSession]:
    """Both session classes, one after the other: a conversation must be the same with either."""
    if request.param == "gevent":
        from lomond_gevent import GeventSession

        return GeventSession
    from lomond.session import WebsocketSession

    return WebsocketSession


class Held(NamedTuple):
    """What this process holds of the system."""

    threads: set[threading.Thread]
    connections: set[Any]
    descriptors: int

    @classmethod
    def now(cls) -> Held:
        """Look."""
        process = psutil.Process()
        # gevent's pool has threads that threading only learns of when they log or warn.
        threads = {t for t in threading.enumerate() if not isinstance(t, threading._DummyThread)}
        return cls(threads, set(process.net_connections(kind="inet")), process.num_fds())

    def left_since(self, before: Held) -> list[str]:
        """Name what was not there before."""
        left = [f"thread {thread.name}" for thread in self.threads - before.threads]
        left += [
            f"connection {c.laddr} to {c.raddr}" for c in self.connections - before.connections
        ]
        more = self.descriptors - before.descriptors
        return left + ([f"{more} descriptors"] if more > SPARE_DESCRIPTORS else [])


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test over real sockets that leaves a thread, a connection or descriptors behind."""
    if request.node.get_closest_marker("loopback") is None:
        yield
        return
    before = Held.now()
    yield
    give_up = time.monotonic() + PATIENCE
    while left := Held.now().left_since(before):
        assert time.monotonic() < give_up, f"left behind: {', '.join(left)}"
        settle()


def settle() -> None:
    """Let what was dropped be collected, and what the hub still has to do be done."""
    import gevent

    gc.collect()
    gevent.sleep(0.01)
