"""The protocol core at the states that tests begin with, and its events as plain tuples.

The bytes of the handshake are RFC 6455's own example (§1.3), written out by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lomond.events import Disconnected, Event, Ready, Rejected
from lomond.protocol.client import ClientProtocol
from lomond.protocol.deflate import DeflateOffer
from lomond.protocol.handshake import UpgradeRequest
from lomond.protocol.settings import Settings
from tests.helpers.frames import parse_client_frames

__all__ = [
    "ANSWER",
    "connecting_client",
    "deliver",
    "drain",
    "ending_of",
    "frames_sent",
    "ready_client",
    "tell",
    "tell_all",
]

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)


def connecting_client(
    deadline: float = 30.0,
    deflate: DeflateOffer | None = None,
    protocols: tuple[str, ...] = (),
    **settings: Any,
) -> ClientProtocol:
    """Make a client that has asked for the upgrade at 0.0; its "random" number is always 0.5."""
    request = UpgradeRequest(
        host="server.example.com",
        resource="/chat",
        key=b"dGhlIHNhbXBsZSBub25jZQ==",
        protocols=protocols,
        deflate=deflate,
    )
    client = ClientProtocol(request, Settings(**settings), random=lambda: 0.5)
    client.open(deadline)
    client.outgoing.take()
    return client


def ready_client(deflate: str | None = None, **settings: Any) -> ClientProtocol:
    """Make a client whose upgrade was agreed on at 0.0, and whose first ping was sent.

    `deflate` are the parameters of the server's answer to an offer without any, such as "".
    """
    client = connecting_client(deflate=None if deflate is None else DeflateOffer(), **settings)
    answer = ANSWER
    if deflate is not None:
        line = f"Sec-WebSocket-Extensions: permessage-deflate{deflate}\r\n\r\n"
        answer = answer[:-2] + line.encode()
    batch = client.receive(answer, 0.0, 0.0)
    if [event.name for event in batch] != ["ready", "poll"]:
        raise AssertionError(f"the client did not become ready: {batch}")
    client.outgoing.take()
    return client


def deliver(client: ClientProtocol, data: bytes, now: float = 0.0) -> list[tuple[object, ...]]:
    """Let the client receive bytes; return all that comes of them."""
    return tell_all(client.receive(data, 0.0, now)) + drain(client, now)


def drain(client: ClientProtocol, now: float = 0.0) -> list[tuple[object, ...]]:
    """Return what is left of the bytes that were received."""
    told = []
    while client.has_more:
        told += tell_all(client.receive_more(now))
    return told


def tell_all(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Turn events into tuples that can be compared."""
    return [tell(event) for event in events]


def tell(event: Event) -> tuple[object, ...]:
    """Turn an event into its name and its attributes, of a response only the status code."""
    if isinstance(event, Ready):
        return event.name, event.response.status_code, event.protocol, event.extensions
    if isinstance(event, Rejected):
        return event.name, event.response.status_code, event.reason
    return event.name, *(getattr(event, name) for name in event.__match_args__)


def frames_sent(client: ClientProtocol) -> list[tuple[int, bytes]]:
    """Take what is to be written, as first bytes and payloads."""
    return parse_client_frames(client.outgoing.take())


def ending_of(client: ClientProtocol) -> Disconnected:
    """Return how the connection of a client that is finished has ended."""
    if not client.is_finished:
        raise AssertionError("the connection has not ended")
    return client.ending.tell(0.0)
