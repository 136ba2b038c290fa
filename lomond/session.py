"""The loop of a connection: connect, read, yield what happened, close.

`WebsocketSession` runs it on blocking threads. The loop is written once: another world has
other class attributes, not another loop. Who may read and write when is in `exchange`, what
the bytes mean in `lomond.protocol`.
"""

from __future__ import annotations

import threading
import time as _time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from math import inf
from time import monotonic, time
from typing import Any, ClassVar

from lomond import events
from lomond.blocking import BlockingTransport
from lomond.errors import ConnectFail, Kind, WebSocketUnavailable
from lomond.exchange import EXIT_TIMEOUT, GOING_AWAY, Exchange
from lomond.foreign import SansIO
from lomond.outbox import Gate
from lomond.protocol.client import ClientProtocol
from lomond.protocol.settings import Settings
from lomond.tls import is_verified
from lomond.transport import ExitEvent, Transport


class WebsocketSession:
    """Run a WebSocket's connection, in the thread that iterates over its events.

    Sending and closing work from any thread.
    """

    transport_class: ClassVar[type[Transport]] = BlockingTransport
    """How this world connects, reads, writes and waits."""
    exchange_class: ClassVar[type[Exchange]] = Exchange
    """How senders of this world meet."""

    def __init__(self, websocket: SansIO) -> None:
        """Serve one connection of `websocket`; nothing is opened yet."""
        self.websocket = websocket
        self._state = websocket.state
        self._exchange: Exchange | None = None
        self._exit_event: ExitEvent | None = None
        # Set by whoever ends the connection, before they look for an exchange: one that is
        # made in this very moment finds it set.
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<ws-session {self.websocket.safe_url!r}>"

    # ---- the world ------------------------------------------------------------------------

    @staticmethod
    def make_lock() -> AbstractContextManager[Any]:
        """Make the lock that steps of the protocol run under."""
        return threading.RLock()

    @staticmethod
    def make_gate() -> Gate:
        """Make what a sender waits on for its turn."""
        return threading.Event()

    @staticmethod
    def sleep(seconds: float, exit_event: ExitEvent | None) -> bool:
        """Sleep, for `persist`; return whether `exit_event` was set, which ends the sleep."""
        if exit_event is None:
            # Looked up when it is used, as in `lomond.blocking`: it may be patched by then.
            _time.sleep(seconds)
            return False
        return bool(exit_event.wait(seconds))

    # ---- what the application learns --------------------------------------------------------

    @property
    def session_time(self) -> float:
        """Return the seconds since `Ready`; 0.0 before."""
        ready_time = None if self._exchange is None else self._exchange.protocol.ready_time
        return 0.0 if ready_time is None else monotonic() - ready_time

    @property
    def messages_received(self) -> int:
        """Return how many text and binary messages have come."""
        return 0 if self._exchange is None else self._exchange.protocol.messages_received

    @property
    def messages_sent(self) -> int:
        """Return how many text and binary messages were sent."""
        return 0 if self._exchange is None else self._exchange.protocol.outgoing.messages

    @property
    def bytes_received(self) -> int:
        """Return how many bytes have come, the answer to the upgrade and headers included."""
        return 0 if self._exchange is None else self._exchange.protocol.bytes_received

    @property
    def bytes_sent(self) -> int:
        """Return how many bytes were sent, the upgrade request and headers included."""
        return 0 if self._exchange is None else self._exchange.protocol.outgoing.bytes_queued

    # ---- what the application does ----------------------------------------------------------

    def send_text(self, text: str, compress: bool = True) -> None:
        """Send a text message; return when the kernel has all of it."""
        exchange = self._exchange or self._get_exchange()
        exchange.send(exchange.protocol.send_text, text, compress)

    def send_binary(self, data: bytes, compress: bool = True) -> None:
        """Send a binary message; return when the kernel has all of it."""
        exchange = self._exchange or self._get_exchange()
        exchange.send(exchange.protocol.send_binary, data, compress)

    def send_ping(self, data: bytes) -> None:
        """Send a Ping."""
        exchange = self._get_exchange()
        exchange.send(exchange.protocol.send_ping, data)

    def send_pong(self, data: bytes) -> None:
        """Send a Pong."""
        exchange = self._get_exchange()
        exchange.send(exchange.protocol.send_pong, data)

    def begin_close(self, code: int | None, reason: bytes) -> None:
        """Begin the closing handshake, or give up connecting; return at once."""
        self._is_closed = True
        if self._exchange is not None:
            self._exchange.begin_close(code, reason)

    def close(self) -> None:
        """End the connection without a closing handshake; the loop ends with `Disconnected`."""
        self._end("closed", "closed")

    def force_disconnect(self) -> None:
        """End the connection at once, as one that was lost."""
        self._end("disconnected; forced by the application", "forced")

    def _end(self, reason: str, kind: Kind) -> None:
        self._is_closed = True
        if self._exchange is not None:
            self._exchange.abort(reason, kind)

    def _get_exchange(self) -> Exchange:
        if self._exchange is None:
            raise WebSocketUnavailable("not connected: wait for the Ready event before sending")
        return self._exchange

    # ---- the loop ---------------------------------------------------------------------------

    def run(
        self,
        poll: float = 5.0,
        ping_rate: float | None = 30.0,
        ping_timeout: float | None = None,
        auto_pong: bool = True,
        close_timeout: float | None = None,
        *,
        open_timeout: float | None = 30.0,
        send_timeout: float | None = 30.0,
        exit_event: ExitEvent | None = None,
    ) -> Iterator[events.Event]:
        """Return the events of one connection, made as they are asked for.

        See `WebSocket.connect` for the arguments. Raises TypeError or ValueError here and now
        for those that make no sense.
        """
        settings = self.websocket.make_settings(
            poll=poll,
            ping_rate=ping_rate,
            ping_timeout=ping_timeout,
            auto_pong=auto_pong,
            open_timeout=open_timeout,
            close_timeout=close_timeout,
            send_timeout=send_timeout,
        )
        self._exit_event = exit_event
        return self._run(settings)

    def _run(self, settings: Settings) -> Iterator[events.Event]:
        exchange = _make_exchange(self, settings)
        protocol, heartbeat = exchange.protocol, exchange.protocol.heartbeat
        exit_event, tracer = self._exit_event, self._state.tracer
        try:
            yield events.Connecting(self.websocket.safe_url)
            first = self._connect(exchange, settings.open_timeout or inf)
            is_connected = isinstance(first, events.Connected)
            yield self._trace([first])[0]
            # What is kept here is kept for as long as the connection is idle.
            del first
            event: events.Event | None = None
            while not (protocol.is_finished and exchange.has_ended):
                if exit_event is not None and exit_event.is_set():
                    exchange.begin_close(GOING_AWAY, b"", EXIT_TIMEOUT)
                batch = exchange.read()
                if protocol.is_finished:
                    # Before the last are seen: who connects anew on `Rejected` has one socket.
                    exchange.leave()
                if tracer is not None:
                    self._trace(batch)
                for event in batch:
                    yield event
                    if monotonic() >= heartbeat.next_due:
                        if not exchange.is_abandoned:
                            yield from exchange.step(protocol.beat, monotonic())
                        if exchange.is_abandoned:
                            break
                if protocol.awaits_acknowledgement and _has_closing(batch):
                    exchange.step(protocol.acknowledge_close, monotonic())
                event = None
                del batch
            exchange.leave()
            if is_connected:
                yield self._trace([protocol.ending.tell(time())])[0]
        finally:
            # Left by break, an exception, a kill or the collector: at once, without a word.
            exchange.leave()

    def _connect(
        self, exchange: Exchange, open_timeout: float
    ) -> events.Connected | events.ConnectFail:
        """Connect, and send the upgrade request."""
        websocket, transport = self.websocket, exchange.transport
        deadline = monotonic() + open_timeout
        try:
            route = websocket.choose_route(self._state.tls)
            transport.connect(route, deadline)
            if self._state.tracer is not None and transport.channel is not None:
                transport.channel = self._state.tracer.watch(transport.channel, route.tls)
            exchange.open(deadline)
        except ConnectFail as error:
            exchange.abort("closed", error.kind)
            exchange.leave()
            return events.ConnectFail(
                str(error),
                phase=error.phase,
                kind=error.kind,
                error=error.error,
                retryable=error.retryable,
            )
        return events.Connected(
            websocket.safe_url,
            proxy=None if route.proxy is None else route.proxy.redacted,
            verified=None if route.tls is None else is_verified(route.tls),
            timings=transport.take_timings(),
        )

    def _trace(self, batch: list[events.Event]) -> list[events.Event]:
        tracer = self._state.tracer
        if tracer is not None:
            tracer.note_events(batch)
            tracer.emit()
        return batch


def _make_exchange(session: WebsocketSession, settings: Settings) -> Exchange:
    protocol = ClientProtocol(session._state.request, settings)
    session._state.protocol = protocol
    transport = session.transport_class(session._exit_event)
    transport.interval = settings.poll
    exchange = session.exchange_class(
        protocol, transport, settings.send_timeout, session.make_lock(), session.make_gate
    )
    session._exchange = exchange
    if session._is_closed:
        exchange.abort("closed", "closed")
    return exchange


def _has_closing(batch: list[events.Event]) -> bool:
    return any(isinstance(event, events.Closing) for event in batch)
