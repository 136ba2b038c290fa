"""What the protocol wants to send, handed to a session that somebody else wrote.

Such a session frames, masks and writes by itself. What it reads, and when, is in `foreign`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from lomond.errors import TransportFail, WebSocketUnavailable
from lomond.protocol.opcodes import OPCODE_BITS, RSV1, WHOLE_CLOSE
from lomond.protocol.outgoing import Outgoing


class ForeignSession(Protocol):
    """What a WebSocket calls on its session."""

    @property
    def session_time(self) -> float:
        """Return the seconds since the connection was ready; 0.0 before."""

    def run(self, **options: Any) -> Any:
        """Return what `WebSocket.connect` returns: as a rule, an iterator of events."""

    def send(self, opcode: int, payload: bytes) -> object:
        """Send a frame."""

    def send_compressed(self, opcode: int, payload: bytes) -> object:
        """Send a frame with RSV1 set; the payload is compressed already."""

    def close(self) -> object:
        """Close the socket; idempotent, never raises."""

    def force_disconnect(self) -> object:
        """End the connection at once."""


class HandedOver(Outgoing):
    """Give each frame to a foreign session in the moment that it is made."""

    __slots__ = ("_get_session", "_order")

    def __init__(self, get_session: Callable[[], ForeignSession | None]) -> None:
        """Ask for the session at each frame: it comes and goes with each connection."""
        super().__init__()
        self._get_session = get_session
        # Held while a message is made and sent: compressed ones share one context, so they
        # must arrive in the order in which they were made.
        self._order = threading.RLock()

    def add_message(self, first: int, payload: bytes, compress: bool) -> None:
        """Send a whole message, one after the other."""
        with self._order:
            super().add_message(first, payload, compress)

    def add(self, first: int, payload: bytes) -> None:
        """Send the frame, or raise what the session raises."""
        try:
            self._send(first, payload)
        except (WebSocketUnavailable, TransportFail):
            # The Close frame is the last word anyway: the session will find out by reading.
            if first != WHOLE_CLOSE:
                raise

    def _send(self, first: int, payload: bytes) -> None:
        session = self._get_session()
        if session is None:
            raise WebSocketUnavailable("not connected: wait for the Ready event before sending")
        send = session.send_compressed if first & RSV1 else session.send
        send(first & OPCODE_BITS, payload)
