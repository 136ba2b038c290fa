"""One connection's state, and all that an application may do to it.

A closing handshake has more states than the RFC's CLOSING, because it matters who began and
whether the application has seen it yet:

| state          | means                      | bytes in                            | may send |
|----------------|----------------------------|-------------------------------------|----------|
| CONNECTING     | answer incomplete          | `Ready` → OPEN, `Rejected` → CLOSED | no       |
| OPEN           |                            | messages; Close → CLOSE_RECEIVED    | yes      |
| CLOSE_SENT     | we began                   | messages; Close → CLOSED            | no       |
| CLOSE_RECEIVED | the application is looking | ignored                             | yes      |
|                | at their `Closing`         |                                     |          |
| CLOSE_ANSWERED | both Close frames are sent | ignored                             | no       |
| CLOSED         | final; may linger a moment | ignored                             | no       |

`close()` leads from CONNECTING to CLOSED, from OPEN to CLOSE_SENT, from CLOSE_RECEIVED to
CLOSE_ANSWERED, and nowhere from the others. The end of the stream leads from anywhere to CLOSED,
gracefully only from CLOSE_ANSWERED. A violation leads to CLOSED by way of `ProtocolError`. How a
connection ended is settled once, by the first cause, in `ending`.

A batch of events ends before a Close frame or a violation, even if that was received with it:
otherwise an application that closes on a message would be answering a Close it has not seen.
"""

from __future__ import annotations

from math import inf

from lomond.errors import Kind, Phase, WebSocketClosed, WebSocketClosing, WebSocketUnavailable
from lomond.protocol.ending import NO_STATUS_RECEIVED, Ending
from lomond.protocol.frames import build_close_payload
from lomond.protocol.heartbeat import Heartbeat
from lomond.protocol.opcodes import WHOLE_BINARY, WHOLE_PING, WHOLE_PONG, WHOLE_TEXT
from lomond.protocol.outgoing import Outgoing
from lomond.protocol.settings import Settings

CONNECTING, OPEN, CLOSE_SENT, CLOSE_RECEIVED, CLOSE_ANSWERED, CLOSED = range(6)

# RFC 6455 §7.1.1: the server ends TCP first, so that TIME_WAIT falls to it. It gets this long.
LINGER = 1.0


class Connection:
    """Keep the state of one connection, send for the application, and end in order.

    What the peer and the clock do to it is in `client.ClientProtocol`. The steps of the caller
    raise for the caller's mistakes, and then change nothing.
    """

    __slots__ = (
        "_settings",
        "_state",
        "awaits_acknowledgement",
        "ending",
        "has_more",
        "heartbeat",
        "is_finished",
        "outgoing",
    )

    def __init__(self, settings: Settings, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        # Not only when it is needed: two threads would make one each.
        self.ending = Ending()
        self.is_finished = False
        """Set when nothing more is to be read, written or waited for."""
        self.has_more = False
        """Set while more can be received without further bytes."""
        self.awaits_acknowledgement = False
        """Set while the peer's Close frame is to be answered once the application saw it."""
        self._state = CONNECTING
        self._settings = settings
        self.heartbeat = Heartbeat(settings.poll, settings.ping_rate, settings.ping_timeout)
        """Its `next_due` is asked for at every event: here, and not by way of `next_due` below."""

    # ---- questions ----------------------------------------------------------------------

    @property
    def can_send_data(self) -> bool:
        """Tell whether messages and pings may be sent."""
        return self._state in (OPEN, CLOSE_RECEIVED)

    @property
    def is_closing(self) -> bool:
        """Tell whether we have sent a Close frame and are not closed yet."""
        return self._state in (CLOSE_SENT, CLOSE_ANSWERED)

    @property
    def is_closed(self) -> bool:
        """Tell whether the connection is over, but for the socket."""
        return self._state == CLOSED

    @property
    def bytes_unfinished(self) -> int:
        """Return how much has come of what is not complete; none on this side."""
        return 0

    @property
    def next_due(self) -> float:
        """Return when `tick` or `beat` should be called at the latest."""
        return self.heartbeat.next_due

    @property
    def phase(self) -> Phase:
        """Return "handshake", "open" or "closing"."""
        if self._state == CONNECTING:
            return "handshake"
        return "open" if self._state == OPEN else "closing"

    # ---- steps of the caller: they raise for the caller's mistakes ------------------------

    def send_text(self, text: str, compress: bool = True) -> None:
        """Queue a text message; UnicodeEncodeError for a lone surrogate."""
        if self._state != OPEN:
            self._check_can_send()
        self.outgoing.add_message(WHOLE_TEXT, text.encode(), compress)

    def send_binary(self, data: bytes, compress: bool = True) -> None:
        """Queue a binary message."""
        if self._state != OPEN:
            self._check_can_send()
        self.outgoing.add_message(WHOLE_BINARY, data, compress)

    def send_ping(self, data: bytes) -> None:
        """Queue a Ping of at most 125 bytes."""
        self._check_can_send()
        self.outgoing.add(WHOLE_PING, data)

    def send_pong(self, data: bytes) -> None:
        """Queue a Pong of at most 125 bytes, asked for or not (RFC 6455 §5.5.3)."""
        self._check_can_send()
        self.outgoing.add(WHOLE_PONG, data)

    def close(
        self, code: int | None, reason: bytes, now: float, timeout: float | None = None
    ) -> None:
        """Begin the closing handshake, or answer the peer's, or give up connecting.

        The peer's answer is awaited for `timeout` seconds, by default for `close_timeout`.
        FrameBuildError for a code that may not be sent.
        """
        payload = build_close_payload(code, reason)
        if self._state == CONNECTING:
            self.abort("closed", "closed")
        elif self._state == OPEN:
            self._state = CLOSE_SENT
            self.ending.closed_by = "client"
            self._send_close(payload, now)
            self.heartbeat.set_limit(now + (timeout or self._settings.close_timeout or inf))
        elif self._state == CLOSE_RECEIVED:
            self._answer_close(payload, now)
        elif self._state == CLOSE_SENT and timeout is not None:
            self.heartbeat.shorten_limit(now + timeout)

    def acknowledge_close(self, now: float) -> None:
        """Answer the peer's Close frame, now that the application has seen `Closing`."""
        if self._state == CLOSE_RECEIVED:
            # RFC 6455 §5.5.1: "the endpoint typically echos the status code it received"
            code = self.ending.peer_code
            reason = self.ending.peer_reason.encode()
            payload = build_close_payload(None if code == NO_STATUS_RECEIVED else code, reason)
            self._answer_close(payload, now)

    def abort(
        self,
        reason: str,
        kind: Kind,
        error: BaseException | None = None,
        *,
        retryable: bool = True,
    ) -> None:
        """End at once, without another word to the peer; an end that is settled stays."""
        self._settle(reason, kind, error=error, retryable=retryable)
        self._finish()

    # ---- the way to an end ----------------------------------------------------------------

    def _answer_close(self, payload: bytes, now: float) -> None:
        self._send_close(payload, now)
        self._settle("closed", "closed", graceful=True)
        self._state = CLOSE_ANSWERED
        self.awaits_acknowledgement = False
        self._linger(now)

    def _send_close(self, payload: bytes, now: float) -> None:
        self.heartbeat.stop_pings()
        self.ending.sent_close_time = now
        self.outgoing.add_close(payload)

    def _settle(
        self,
        reason: str,
        kind: Kind,
        *,
        graceful: bool = False,
        error: BaseException | None = None,
        retryable: bool = True,
    ) -> None:
        self.ending.settle(
            self.phase,
            reason,
            kind,
            graceful=graceful,
            error=error,
            retryable=retryable,
            bytes_lost=self.bytes_unfinished,
        )

    def _linger(self, now: float) -> None:
        # Behind the last word of both, a poll would only be in the way of `Disconnected`.
        self.heartbeat.stop()
        self.heartbeat.set_limit(now + min(LINGER, self._settings.close_timeout or inf))

    def _finish(self) -> None:
        self._state = CLOSED
        self.heartbeat.stop()
        self.has_more = self.awaits_acknowledgement = False
        self.is_finished = True

    def _check_can_send(self) -> None:
        if self._state == CONNECTING:
            raise WebSocketUnavailable("not connected: wait for the Ready event before sending")
        if self._state == CLOSED:
            raise WebSocketClosed("data not sent: the websocket is closed")
        if not self.can_send_data:
            raise WebSocketClosing("data not sent: the websocket is closing")
