"""All ways in which a connection can end, for whoever has to live through each of them.

`serve` is the script of the servers: the path of the request says what becomes of it. `WAYS` has a
function for each way, which makes one connection to them and returns when it is over.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lomond import WebSocket, events
from lomond.errors import WebSocketError
from tests.helpers.conversation import world_of
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer

__all__ = ["NOWHERE", "WAYS", "Places", "serve"]

# A name that the resolver must not know.
NOWHERE = "nowhere.test"

GOODBYE = server_frame(0x88, close_payload(1000, "bye"))
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
MIB = 1 << 20
BOMB = zlib.compress(bytes(8 * MIB), 9)[2:-4]

# ---- servers ---------------------------------------------------------------------------------


def close(peer: Peer) -> None:
    """Say something, close, and read the answer."""
    peer.accept_upgrade()
    peer.send(server_frame(0x81, b"hi") + GOODBYE)
    peer.read_frame()


def answer_close(peer: Peer) -> None:
    """Answer all messages in kind, and the Close frame too."""
    peer.accept_upgrade()
    while (frame := peer.read_frame())[0] != 0x88:
        peer.send(server_frame(*frame))
    peer.send(server_frame(*frame))


def answer_compressed(peer: Peer) -> None:
    """Agree on compression, and send all messages back as they came: the windows are the same."""
    peer.accept_upgrade(DEFLATE)
    while (frame := peer.read_frame())[0] != 0x88:
        peer.send(server_frame(*frame))
    peer.send(server_frame(*frame))


def reset_at_close(peer: Peer) -> None:
    """Answer a Close frame by a RST."""
    peer.accept_upgrade()
    read_close(peer)
    peer.reset()


def read_close(peer: Peer) -> None:
    """Read up to the Close frame of the client, who then waits for the end."""
    while peer.read_frame()[0] != 0x88:
        continue


def explode(peer: Peer) -> None:
    """Send eight mebibytes in eight KiB."""
    peer.accept_upgrade(DEFLATE)
    peer.send(server_frame(0xC2, BOMB))
    read_close(peer)


def opened_and(*steps: Any) -> Callable[[Peer], None]:
    """Return a script that accepts the upgrade and takes these steps; bytes are sent."""

    def script(peer: Peer) -> None:
        peer.accept_upgrade()
        for step in steps:
            peer.send(step) if isinstance(step, bytes) else step(peer)

    return script


def answering(answer: bytes, *steps: Callable[[Peer], object]) -> Callable[[Peer], None]:
    """Return a script that answers the request like this."""

    def script(peer: Peer) -> None:
        peer.send(answer)
        for step in steps:
            step(peer)

    return script


SCRIPTS: dict[str, Callable[[Peer], object]] = {
    "echo": answer_close,
    "compressed": answer_compressed,
    "close": close,
    "fin": opened_and(server_frame(0x81, b"hi")),
    "rst": opened_and(server_frame(0x81, b"hi"), Peer.reset),
    "half-frame": opened_and(b"\x82\x7e\x10\x00half"),
    "half-record": lambda peer: (peer.accept_upgrade(), peer.send_raw(b"\x17\x03\x03\x01\x00x")),
    "violation": opened_and(b"\x83\x00", read_close),
    "bad-utf8": opened_and(b"\x81\x01\xff", read_close),
    "too-long": opened_and(b"\x82\x7f" + struct.pack("!Q", 2**40), read_close),
    "bomb": explode,
    "hold": opened_and(Peer.read_until_end),
    "deaf": opened_and(lambda peer: peer.hold(0.3), Peer.reset),
    "rst-at-close": reset_at_close,
    "refuse": answering(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"),
    "refuse-half": answering(b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\nno"),
    "redirect": answering(b"HTTP/1.1 302 X\r\nLocation: /fin\r\nContent-Length: 0\r\n\r\n"),
    "no-accept": answering(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "garbage": answering(b"\x00\xff" * 100),
    "long-head": answering(b"HTTP/1.1 101 X\r\nA: " + b"b" * 20_000),
    "silence": Peer.read_until_end,
    "fin-at-upgrade": answering(b"HTTP/1.1 101 Sw"),
    "rst-at-upgrade": answering(b"HTTP/1.1 101 Sw", Peer.reset),
}


def serve(peer: Peer) -> None:
    """Do what the request asks for."""
    # Clients hang up in the middle of everything.
    with contextlib.suppress(ConnectionError, AssertionError, TimeoutError):
        data = b""
        while b"\r\n\r\n" not in data:
            data += (more := peer.receive())
            if data[:1] == b"\x16" or not more:
                peer.reset()  # TLS where there is none, or nothing.
                return
        if data.startswith(b"CONNECT"):
            peer.send(b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n")
            return
        peer.request = data
        SCRIPTS[data.split(b" ", 2)[1].decode().strip("/")](peer)


# ---- clients ---------------------------------------------------------------------------------


class Places(NamedTuple):
    """Where the servers are, and what runs the connection."""

    session_class: Any
    plain: str  # the URLs end with a slash
    secure: str
    refused: str  # nobody listens there
    cafile: str

    def websocket(self, url: str, **options: Any) -> WebSocket:
        """Make a client."""
        if url.startswith("wss:"):
            options = {"ssl_cafile": self.cafile} | options
        return WebSocket(url, **{"proxies": {}, "max_message_size": MIB} | options)

    def connect(self, websocket: WebSocket, **options: Any) -> Iterator[events.Event]:
        """Connect it."""
        return websocket.connect(self.session_class, **{"ping_rate": 0} | options)


Way = Callable[[Places], object]
Action = Callable[[WebSocket], object]


def run(places: Places, url: str, at: Any = (), action: Action | None = None, **times: Any) -> None:
    """Connect, do something at each event of a class, and read on up to the end."""
    websocket = places.websocket(url, compress="bomb" in url)
    seen: events.Event | None = None
    for event in places.connect(websocket, **times):
        if action is not None and isinstance(event, at):
            action(websocket)
        seen = event
    assert isinstance(seen, (events.ConnectFail, events.Disconnected)), seen


def send_in_vain(websocket: WebSocket) -> None:
    """Send more than all buffers hold."""
    with contextlib.suppress(WebSocketError):
        websocket.send_binary(bytes(8 * MIB))


class Left(Exception):
    """Raised in a handler."""


def leave(places: Places, at: type[events.Event], by: str) -> None:
    """Leave the loop at an event."""
    websocket = places.websocket(places.plain + "hold")
    with contextlib.suppress(Left), websocket if by == "with" else contextlib.nullcontext():
        stream: Any = places.connect(websocket)
        for event in stream:
            if not isinstance(event, at):
                continue
            if by == "raise":
                raise Left
            if by == "close":
                stream.close()
            break
    if by == "cycle":
        stream = [stream]
        stream.append(stream)


def connect_twice(places: Places) -> None:
    """Connect within the loop of the connection before."""
    websocket = places.websocket(places.plain + "hold")
    for event in places.connect(websocket):
        if isinstance(event, events.Ready):
            for inner in places.connect(websocket):
                if isinstance(inner, events.Ready):
                    websocket.force_disconnect()


def from_elsewhere(places: Places, action: Action) -> None:
    """End it from beside the loop."""
    world = world_of(places.session_class)
    websocket = places.websocket(places.plain + "hold")
    task: Any = None
    for event in places.connect(websocket, close_timeout=0.05):
        if isinstance(event, events.Ready):
            task = world.spawn(action, websocket)
    task.result()


def killed(places: Places) -> None:
    """Be killed while waiting."""
    world = world_of(places.session_class)
    is_ready = world.make_event()

    def loop() -> None:
        for event in places.connect(places.websocket(places.plain + "hold"), poll=0.02):
            if isinstance(event, events.Ready):
                is_ready.set()

    task = world.spawn(loop)
    is_ready.wait(20)
    task.interrupt()
    # What `interrupt` raises is no Exception.
    with contextlib.suppress(BaseException):
        task.result()


def at_path(path: str, **options: Any) -> dict[str, Way]:
    """Return two ways, over TCP and over TLS, that end as the server of this path has it."""
    return {
        f"{path} over {name}": lambda places, field=name: run(
            places, getattr(places, field) + path, **options
        )
        for name in ("plain", "secure")
    }


WAYS: dict[str, Way] = {
    "nobody listens": lambda places: run(places, places.refused),
    "no such name": lambda places: run(places, f"ws://{NOWHERE}/"),
    "no TLS": lambda places: run(places, places.plain.replace("ws:", "wss:")),
    "no trust": lambda places: [*places.connect(places.websocket(places.secure, ssl_cafile=None))],
    "proxy refuses": lambda places: [
        *places.connect(
            places.websocket("ws://far.test/", proxies={"http": "http" + places.plain[2:]})
        )
    ],
    "never begun": lambda places: places.connect(places.websocket(places.plain + "hold")),
    "with": lambda places: leave(places, events.Ready, "with"),
    "connect twice": connect_twice,
    "killed": killed,
    "closed from elsewhere": lambda places: from_elsewhere(places, WebSocket.close),
    "forced from elsewhere": lambda places: from_elsewhere(places, WebSocket.force_disconnect),
    "send_timeout": lambda places: run(
        places, places.plain + "deaf", events.Ready, send_in_vain, send_timeout=0.05
    ),
    "ping_timeout": lambda places: run(places, places.plain + "hold", ping_timeout=0.05),
    "open_timeout": lambda places: run(places, places.secure + "silence", open_timeout=0.1),
    "close_timeout": lambda places: run(
        places, places.plain + "hold", events.Ready, WebSocket.close, close_timeout=0.05
    ),
    **{
        f"{by} at {kind.__name__}": lambda places, kind=kind, by=by: leave(places, kind, by)
        for kind in (events.Connecting, events.Connected, events.Ready)
        for by in ("break", "raise", "close", "cycle")
    },
    **{
        f"{name} at {kind.__name__}": lambda places, kind=kind, action=action: run(
            places, places.plain + "hold", kind, action, close_timeout=0.05
        )
        for kind in (events.Connecting, events.Connected, events.Ready)
        for name, action in (("close", WebSocket.close), ("force", WebSocket.force_disconnect))
    },
    **at_path("echo", at=events.Ready, action=WebSocket.close),
    **at_path("compressed", at=events.Ready, action=WebSocket.close),
    **at_path("rst-at-close", at=events.Ready, action=WebSocket.close),
    **{
        name: way
        for path in SCRIPTS
        if path not in ("echo", "compressed", "rst-at-close", "hold", "deaf", "silence")
        for name, way in at_path(path).items()
    },
}
