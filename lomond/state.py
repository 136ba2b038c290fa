"""What a WebSocket knows of one connection: new for each, never carried over."""

from __future__ import annotations

from typing import Any

from lomond.protocol.client import ClientProtocol
from lomond.protocol.handshake import UpgradeRequest
from lomond.tls import TLSOptions
from lomond.tracing import Tracer


class State:
    """One connection of a WebSocket, from `connect()` on.

    A session keeps the state that it was made with, so a second `connect()` cannot mix two
    connections up.
    """

    __slots__ = ("foreign_close_time", "protocol", "request", "sender", "session", "tls", "tracer")

    def __init__(
        self, request: UpgradeRequest, tls: TLSOptions | None, tracer: Tracer | None
    ) -> None:
        self.request = request
        self.tls = tls
        self.tracer = tracer
        self.session: Any = None
        """The session object, of whatever class; None before `connect()`."""
        self.sender: Any = None
        """The session if it is one of ours, which sends by itself; None otherwise."""
        self.protocol: ClientProtocol | None = None
        """The protocol's machine; None until the session runs."""
        self.foreign_close_time: float | None = None
        """When a foreign session sent our Close frame, by its own clock."""

    @property
    def key(self) -> bytes:
        """Return the value of Sec-WebSocket-Key."""
        return self.request.key

    @property
    def closing(self) -> bool:
        """Tell whether we have sent a Close frame and are not closed yet."""
        return self.protocol is not None and self.protocol.is_closing

    @property
    def closed(self) -> bool:
        """Tell whether the connection is over."""
        return self.protocol is not None and self.protocol.is_closed

    @property
    def sent_close_time(self) -> float | None:
        """Return when our Close frame was sent, in seconds since `Ready`; None before."""
        protocol = self.protocol
        if protocol is None or self.foreign_close_time is not None:
            return self.foreign_close_time
        sent, ready = protocol.ending.sent_close_time, protocol.ready_time
        return None if sent is None or ready is None else sent - ready
