"""The same server for three clients without I/O: ours, and those of `wsproto` and `websockets`.

The two are used as their documentation has it. A stream becomes a list of steps, the same for all
of them: ("text", str), ("binary", bytes), ("ping", bytes), ("pong", bytes), and last of all one of
("open",), ("closed", code, reason) for the server's Close, or ("failed", code, text) where the
server broke a rule.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1
from typing import Any

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri
from wsproto import ConnectionType, WSConnection
from wsproto import events as wsproto_events
from wsproto.connection import ConnectionState
from wsproto.extensions import PerMessageDeflate

from tests.helpers.frames import parse_client_frames
from tests.helpers.protocol import deliver, frames_sent, ready_client

__all__ = ["MAX_SIZE", "Step", "ask_lomond", "ask_websockets", "ask_wsproto"]

# Of one message, where a client knows a limit.
MAX_SIZE = 80_000

Step = tuple[Any, ...]

_NO_STATUS_RECEIVED = 1005
_KEY = re.compile(rb"Sec-WebSocket-Key: *([^\r]+)", re.IGNORECASE)


def ask_lomond(stream: bytes, deflate: str | None = None) -> list[Step]:
    """Let our client receive a stream; `deflate` are the parameters of the server's answer."""
    client = ready_client(deflate=deflate, max_message_size=MAX_SIZE)
    *steps, last = deliver(client, stream) or [("open",)]
    if last[0] == "closing":
        return [*steps, ("closed", last[1] or _NO_STATUS_RECEIVED, last[2])]
    if last[0] == "protocol_error":
        _, close = frames_sent(client)[-1]
        return [*steps, ("failed", int.from_bytes(close[:2], "big"), last[1])]
    return [*steps, last] if last == ("open",) else [*steps, last, ("open",)]


def ask_wsproto(stream: bytes, deflate: str | None = None) -> list[Step]:
    """Let the client of wsproto do the same."""
    client = WSConnection(ConnectionType.CLIENT)
    extensions = [] if deflate is None else [PerMessageDeflate()]
    request = client.send(wsproto_events.Request("localhost", "/", extensions))
    key = _KEY.search(request)
    assert key is not None
    client.receive_data(_answer(key[1], deflate))
    (accepted,) = client.events()
    assert isinstance(accepted, wsproto_events.AcceptConnection)
    client.receive_data(stream)
    steps: list[Step] = []
    pieces: list[Any] = []
    for event in client.events():
        if isinstance(event, wsproto_events.Message):
            pieces.append(event.data)
            if event.message_finished:
                is_text = isinstance(event, wsproto_events.TextMessage)
                steps.append(("text", "".join(pieces)) if is_text else ("binary", b"".join(pieces)))
                pieces = []
        elif isinstance(event, wsproto_events.CloseConnection):
            # What the server did wrong is told by the same event, but leaves the state alone.
            is_close = client.state is ConnectionState.REMOTE_CLOSING
            name = "closed" if is_close else "failed"
            return [*steps, (name, int(event.code), event.reason or "")]
        else:
            name = "ping" if isinstance(event, wsproto_events.Ping) else "pong"
            steps.append((name, bytes(event.payload)))
    return [*steps, ("open",)]


def ask_websockets(stream: bytes, deflate: str | None = None) -> list[Step]:
    """Let the client of websockets do the same."""
    factories = None if deflate is None else [ClientPerMessageDeflateFactory()]
    client = ClientProtocol(parse_uri("ws://localhost/"), extensions=factories, max_size=MAX_SIZE)
    request = client.connect()
    client.send_request(request)
    client.data_to_send()
    client.receive_data(_answer(request.headers["Sec-WebSocket-Key"].encode(), deflate))
    client.events_received()
    assert client.handshake_exc is None
    client.receive_data(stream)
    steps = _steps_of_frames(client.events_received())
    sent = parse_client_frames(b"".join(client.data_to_send()))
    if steps and steps[-1][0] == "closed":
        return steps
    if sent and sent[-1][0] == 0x88:
        close = sent[-1][1]
        return [*steps, ("failed", int.from_bytes(close[:2], "big"), close[2:].decode())]
    return [*steps, ("open",)]


def _steps_of_frames(frames: list[Any]) -> list[Step]:
    """Join the fragments, which this client leaves to its caller, as well as UTF-8."""
    steps: list[Step] = []
    pieces: list[bytes] = []
    is_text = False
    for frame in frames:
        assert isinstance(frame, Frame)
        if frame.opcode is Opcode.CLOSE:
            code = int.from_bytes(frame.data[:2], "big") or _NO_STATUS_RECEIVED
            steps.append(("closed", code, bytes(frame.data[2:]).decode()))
        elif frame.opcode in (Opcode.PING, Opcode.PONG):
            steps.append((frame.opcode.name.lower(), bytes(frame.data)))
        else:
            is_text = frame.opcode is Opcode.TEXT or (is_text and frame.opcode is Opcode.CONT)
            pieces.append(bytes(frame.data))
            if frame.fin:
                data = b"".join(pieces)
                pieces = []
                steps.append(
                    ("text", data.decode(errors="replace")) if is_text else ("binary", data)
                )
    return steps


def _answer(key: bytes, deflate: str | None) -> bytes:
    """Return the answer to the upgrade (RFC 6455 §4.2.2)."""
    accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept,
    ]
    if deflate is not None:
        lines.append(b"Sec-WebSocket-Extensions: permessage-deflate" + deflate.encode())
    return b"\r\n".join([*lines, b"", b""])
