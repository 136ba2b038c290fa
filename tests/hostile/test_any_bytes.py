"""`connect()` never raises for what a peer does: any bytes end in exactly one terminal event.

Chance says what the server sends, and when: before TLS, instead of the answer to the upgrade,
instead of frames, and whether it ends by FIN or RST. A seed of the list is one such server.
"""

from __future__ import annotations

import contextlib
from random import Random

import pytest

from lomond import WebSocket
from lomond.session import WebsocketSession
from tests.helpers.conversation import converse, ending_of, open_sockets_to
from tests.helpers.frames import server_frame
from tests.helpers.scripted_server import Peer, ScriptedServer

PHASES = ["tls", "proxy", "upgrade", "headers", "frames", "compressed"]
EXPECTED = {"tls": "tls", "proxy": "proxy", "upgrade": "handshake", "headers": "handshake"}
TIMES = 12


def noise(chance: Random) -> bytes:
    """Return a few bytes, or frames with wrong heads and any payload."""
    if chance.random() < 0.5:
        return chance.randbytes(chance.choice([1, 10, 300, 20_000]))
    sizes = [chance.choice([0, 1, 125, 126, 3000]) for _ in range(5)]
    heads = [chance.choice([0x81, 0x82, 0x88, 0x89, 0xC1, chance.randrange(256)]) for _ in sizes]
    return b"".join(
        server_frame(head, chance.randbytes(size)) for head, size in zip(heads, sizes, strict=True)
    )


def misbehave(peer: Peer, phase: str) -> None:
    """Be the server that the number of this connection stands for."""
    chance = Random(f"{phase} {peer.number}")
    # The client may hang up at any time, which is what it should do.
    with contextlib.suppress(ConnectionError, AssertionError):
        if phase != "tls":
            peer.read_request()
        if phase == "headers":
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        elif phase in ("frames", "compressed"):
            extensions = ["Sec-WebSocket-Extensions: permessage-deflate"]
            peer.accept_upgrade(*extensions if phase == "compressed" else [])
        peer.send(noise(chance))
        if chance.random() < 0.3:
            peer.reset()


@pytest.mark.parametrize("phase", PHASES)
def test_any_bytes_end_in_one_terminal_event(
    session_class: type[WebsocketSession], phase: str
) -> None:
    with ScriptedServer(lambda peer: misbehave(peer, phase)) as server:
        url = server.url.replace("ws:", "wss:") if phase == "tls" else server.url
        proxies = {"http": f"http://127.0.0.1:{server.port}"} if phase == "proxy" else {}
        websocket = WebSocket(url, proxies=proxies, compress=phase == "compressed")
        for _ in range(TIMES):
            end = ending_of(converse(websocket.connect(session_class, open_timeout=5)))
            assert open_sockets_to(server) == []
            assert end.reason
            # A reset may come before the connection was looked at.
            assert (end.phase in ("tcp", "tls")) == (phase == "tls")
    assert len(server.peers) == TIMES
