"""The client's side of one connection: bytes and a clock reading in, events and bytes out.

Rules of this file:

1. What the peer and the clock do to a connection is here; its state, and what the application
   does, is in `connection`. Nothing else changes a state.
2. Nothing here reads a clock, waits, or touches a socket; `now` is always a monotonic reading
   in seconds, `received_time` always wall clock: events that bytes brought carry it, the others
   (Poll, Unresponsive) take the time at which they are made.
3. The peer speaks in events and never raises.

A batch of events ends before a Close frame or a violation, even if that was received with it:
otherwise an application that closes on a message would be answering a Close it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from math import inf
from random import random as draw

from lomond import events
from lomond.errors import CriticalProtocolError, Kind, PayloadTooLarge, ProtocolError
from lomond.protocol.answer import Accepted, AnswerReader, Refused
from lomond.protocol.connection import (
    CLOSE_RECEIVED,
    CLOSE_SENT,
    CLOSED,
    CONNECTING,
    OPEN,
    Connection,
)
from lomond.protocol.deflate import Deflater, Inflater
from lomond.protocol.ending import NO_STATUS_RECEIVED
from lomond.protocol.frames import build_close_payload, parse_close_payload
from lomond.protocol.handshake import UpgradeRequest
from lomond.protocol.inbound import InboundStream, Violation
from lomond.protocol.opcodes import WHOLE_PING
from lomond.protocol.outgoing import Outgoing
from lomond.protocol.settings import Settings

# How long the body of a refusal may keep the refusal itself waiting.
REFUSAL_BODY_WAIT = 1.0
# How long a peer has for its Pong, however late the Ping was, before its silence counts.
ANSWER_WAIT = 2.0
NO_EXTENSIONS: Set[str] = frozenset()


class ClientProtocol(Connection):
    """Speak the client's side of RFC 6455 over one connection.

    Order of calls: `open` once the transport is connected; `receive` with what was read, then
    `receive_more` while `has_more`; `tick` when `next_due` has come and what has arrived was read;
    `acknowledge_close` after the application has seen the last batch; `end_of_stream` at the
    end. After every call write what `outgoing` holds. `is_finished` ends it, and
    `ending` then tells how.
    """

    __slots__ = (
        "_answer",
        "_asked_since",
        "_inbound",
        "_last_received",
        "_random",
        "_received_time",
        "bytes_missing",
        "bytes_received",
        "extensions",
        "ready_time",
        "request",
        "subprotocol",
    )

    def __init__(
        self,
        request: UpgradeRequest,
        settings: Settings,
        outgoing: Outgoing | None = None,
        random: Callable[[], float] = draw,
    ) -> None:
        """Be ready to `open`; `random` gives numbers in [0, 1) for the phase of pings."""
        super().__init__(settings, Outgoing() if outgoing is None else outgoing)
        self.request = request
        self._random = random
        # Set until the upgrade is answered.
        self._answer: AnswerReader | None = AnswerReader(request)
        # Set once the upgrade was agreed on.
        self._inbound: InboundStream | None = None
        self.subprotocol: str | None = None
        self.extensions: Set[str] = NO_EXTENSIONS
        self.ready_time: float | None = None
        self._last_received = 0.0
        # When the first Ping behind the last byte was sent; before that byte, if none was.
        self._asked_since = 0.0
        self._received_time = 0.0
        self.bytes_received = 0
        self.bytes_missing = 0
        """How much of the data frame under way is still to come."""

    # ---- questions ------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Tell whether the upgrade was agreed on, ever."""
        return self._inbound is not None

    @property
    def messages_received(self) -> int:
        """Return how many text and binary messages have come."""
        return 0 if self._inbound is None else self._inbound.messages

    @property
    def bytes_unfinished(self) -> int:
        """Return how much has come of what is not complete."""
        return 0 if self._inbound is None else self._inbound.bytes_unfinished

    # ---- steps of the loop: they return events and never raise ---------------------------

    def open(self, deadline: float) -> None:
        """Queue the upgrade request; its answer has to be there by `deadline`."""
        self.heartbeat.set_limit(deadline)
        self.outgoing.add_raw(self.request.build())

    def receive(self, data: bytes, received_time: float, now: float) -> list[events.Event]:
        """Take bytes from the peer; return what they mean to the application.

        Any bytes are accepted: a violation ends the list with a `ProtocolError` event and the
        connection with it. The list is bounded, see `has_more`. Afterwards `outgoing` may hold
        pongs or a Close frame.
        """
        self._last_received = now
        self._received_time = received_time
        self.bytes_received += len(data)
        inbound = self._inbound
        if inbound is None:
            return self._receive_answer(data, received_time, now)
        if self._state != OPEN and self._state != CLOSE_SENT:
            # RFC 6455 §1.4: what comes behind the peer's Close frame is discarded.
            return []
        inbound.feed(data, received_time)
        batch = inbound.read()
        self.has_more = inbound.has_more
        self.bytes_missing = inbound.bytes_missing
        return batch if inbound.end is None else self._conclude(inbound.end, batch, now)

    def receive_more(self, now: float) -> list[events.Event]:
        """Go on with what was received: the next events, perhaps none."""
        inbound = self._inbound
        if inbound is None or (self._state != OPEN and self._state != CLOSE_SENT):
            self.has_more = False
            return []
        batch = inbound.read()
        self.has_more = inbound.has_more
        self.bytes_missing = inbound.bytes_missing
        return batch if inbound.end is None else self._conclude(inbound.end, batch, now)

    def _conclude(
        self, end: bytes | Violation, batch: list[events.Event], now: float
    ) -> list[events.Event]:
        """Return the last batch of messages, and next time what the end of the stream means."""
        self.has_more = bool(batch)
        if batch:
            return batch
        try:
            if isinstance(end, bytes):
                return self._receive_close(end, now)
            return self._fail(end, now)
        except (ProtocolError, CriticalProtocolError) as error:
            return self._fail(error, now)

    def tick(self, now: float) -> list[events.Event]:
        """Do what is due, time-outs included; call it once what has arrived was read."""
        batch = self.beat(now)
        if self.heartbeat.is_over_limit(now):
            return batch + self._exceed_limit()
        silence = self.heartbeat.measure_silence(now, self._last_received)
        if silence is None or self._was_asked_late(now):
            return batch
        timeout = self._settings.ping_timeout
        self.abort(f"disconnected; exceeded {timeout:.0f}s ping timeout", "ping_timeout")
        return [*batch, events.Unresponsive(silence=silence)]

    def beat(self, now: float) -> list[events.Event]:
        """Do what is due of polls and pings only; for between two events."""
        if now < self.heartbeat.next_due:
            return []
        if self.heartbeat.take_ping(now):
            self._send_automatic_ping(now)
        return [events.Poll()] if self.heartbeat.take_poll(now) else []

    def end_of_stream(
        self,
        reason: str = "socket fail; connection lost",
        kind: Kind = "eof",
        error: BaseException | None = None,
        *,
        retryable: bool = True,
    ) -> list[events.Event]:
        """Take note that the peer has ended the stream, and all it sent was received."""
        if self.is_finished:
            return []
        refused = self._answer.conclude() if self._answer is not None else None
        if refused is not None:
            return self._refuse(refused)
        self.abort(reason, kind, error, retryable=retryable)
        return []

    # ---- the answer to the upgrade --------------------------------------------------------

    def _receive_answer(self, data: bytes, received_time: float, now: float) -> list[events.Event]:
        if self._answer is None or self._state != CONNECTING:
            return []
        try:
            answer = self._answer.feed(data)
        except CriticalProtocolError as error:
            self._settle(f"disconnected; {error}", "limit", error=error)
            self._finish()
            return [events.ProtocolError(str(error), True, received_time)]
        if isinstance(answer, Accepted):
            return self._accept(answer, received_time, now)
        if answer is not None:
            return self._refuse(answer)
        if self._answer.is_refused:
            self.heartbeat.shorten_limit(now + REFUSAL_BODY_WAIT)
        return []

    def _accept(self, accepted: Accepted, received_time: float, now: float) -> list[events.Event]:
        settings, agreement = self._settings, accepted.agreement
        inflater = None
        if agreement.deflate is not None:
            inflater = Inflater(agreement.deflate)
            self.outgoing.deflater = Deflater(agreement.deflate)
        self.subprotocol = agreement.protocol
        if agreement.extensions:
            self.extensions = agreement.extensions
        self._answer = None
        self._inbound = InboundStream(
            settings.max_message_size,
            settings.max_fragments,
            inflater,
            self.outgoing if settings.auto_pong else None,
        )
        self._inbound.feed(accepted.rest, received_time)
        self.has_more = bool(accepted.rest)
        self._state = OPEN
        self.ready_time = now
        self.heartbeat.start(now)
        if self.heartbeat.take_ping(now, (1 + self._random()) / 2):
            self._send_automatic_ping(now)
        ready = events.Ready(
            accepted.response, self.subprotocol, agreement.extensions, received_time
        )
        return [ready, events.Poll(received_time)]

    def _refuse(self, refused: Refused) -> list[events.Event]:
        retryable = refused.is_retryable
        self._settle("closed", "rejected", retryable=retryable)
        self._finish()
        time = self._received_time
        return [events.Rejected(refused.response, refused.reason, time, retryable=retryable)]

    # ---- the ways to an end ---------------------------------------------------------------

    def _receive_close(self, payload: bytes, now: float) -> list[events.Event]:
        code, reason = parse_close_payload(payload)
        self.ending.peer_code = NO_STATUS_RECEIVED if code is None else code
        self.ending.peer_reason = reason
        if self._state == CLOSE_SENT:
            self._settle("closed", "closed", graceful=True)
            self._state = CLOSED
            self._linger(now)
            return [events.Closed(code, reason, self._received_time)]
        self._state = CLOSE_RECEIVED
        self.awaits_acknowledgement = True
        self.ending.closed_by = "server"
        return [events.Closing(code, reason, self._received_time)]

    def _fail(self, error: Violation, now: float) -> list[events.Event]:
        """End with the Close frame that the violation calls for (RFC 6455 §7.1.7)."""
        kind: Kind = "limit" if isinstance(error, PayloadTooLarge) else "protocol"
        self._settle(f"disconnected; {error}", kind, error=error)
        if self._state == OPEN:
            self.ending.closed_by = "client"
            self._send_close(build_close_payload(error.close_code, str(error).encode()), now)
        self._state = CLOSED
        self._linger(now)
        is_critical = isinstance(error, CriticalProtocolError)
        return [events.ProtocolError(str(error), is_critical, self._received_time)]

    def _exceed_limit(self) -> list[events.Event]:
        if self._answer is not None and self._answer.is_refused:
            return self.end_of_stream()
        if self._state == CONNECTING:
            self.abort("disconnected; no answer to the opening handshake in time", "timeout")
        elif self._state == CLOSE_SENT and self.ending.sent_close_time is not None:
            # Not always `close_timeout`: who closes may have given it less.
            allowed = round(self.heartbeat.limit_due - self.ending.sent_close_time, 3)
            self.abort(
                f"disconnected; server didn't respond to close packet within {allowed}s",
                "close_timeout",
            )
        else:
            self._finish()
        return []

    def _finish(self) -> None:
        super()._finish()
        # Whoever keeps the WebSocket, or waits to connect again, would keep it all as well.
        if self._inbound is not None:
            self._inbound.drop()

    def _was_asked_late(self, now: float) -> bool:
        """Tell whether the peer may still answer a Ping that a slow application held up."""
        rate, timeout = self._settings.ping_rate or inf, self._settings.ping_timeout or inf
        # In time, a Ping follows `ping_rate` behind the last byte at the latest: this is past.
        due = self._asked_since + min(ANSWER_WAIT, timeout - rate)
        if rate >= timeout or now >= due:
            return False
        self.heartbeat.await_answer(due)
        return True

    def _send_automatic_ping(self, now: float) -> None:
        if self._asked_since < self._last_received:
            self._asked_since = now
        # While the kernel takes nothing, one more Ping in the queue tells nothing more.
        if not self.outgoing.is_congested:
            self.outgoing.add(WHOLE_PING, b"")
