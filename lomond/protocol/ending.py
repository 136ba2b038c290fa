"""How a connection ended: settled once, by the first cause, told by `Disconnected`."""

from __future__ import annotations

from lomond.errors import Kind, Phase
from lomond.events import ClosedBy, Disconnected

# RFC 6455 §7.4.1: codes that stand for the lack of one, and are never sent.
NO_STATUS_RECEIVED = 1005
ABNORMAL_CLOSURE = 1006


class Ending:
    """Collect what is known of the end of a connection."""

    __slots__ = ("_disconnected", "closed_by", "peer_code", "peer_reason", "sent_close_time")

    def __init__(self) -> None:
        self.closed_by: ClosedBy | None = None
        """Who began to close."""
        self.peer_code: int | None = None
        """The code of the peer's Close frame, 1005 for one without; None before it comes."""
        self.peer_reason = ""
        self.sent_close_time: float | None = None
        """When our Close frame was queued, in monotonic seconds."""
        self._disconnected: Disconnected | None = None

    def settle(
        self,
        phase: Phase,
        reason: str,
        kind: Kind,
        *,
        graceful: bool = False,
        error: BaseException | None = None,
        retryable: bool = True,
        bytes_lost: int = 0,
    ) -> None:
        """Say how the connection ends; only the first word counts."""
        if self._disconnected is None:
            if error is not None:
                # Its frames would keep the connection alive as long as the event.
                error = error.with_traceback(None)
            self._disconnected = Disconnected(
                reason,
                graceful,
                phase=phase,
                kind=kind,
                error=error,
                retryable=retryable,
                bytes_lost=bytes_lost,
            )

    @property
    def kind(self) -> Kind | None:
        """Return what ends the connection; None while it goes on."""
        return None if self._disconnected is None else self._disconnected.kind

    def tell(self, received_time: float) -> Disconnected:
        """Return the event, made now that the socket is closed."""
        told = self._disconnected
        assert told is not None, "a connection that is finished was settled"
        told.received_time = received_time
        told.code = ABNORMAL_CLOSURE if self.peer_code is None else self.peer_code
        told.closed_by = self.closed_by
        return told
