"""The object that an application holds: `connect()`, sending, closing.

Nothing here touches a socket. A session drives the connection (`lomond.session`, or any other
class that keeps the contract in `lomond.handover`), the rules of RFC 6455 are in
`lomond.protocol`, the options in `lomond.options`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

from lomond.arguments import (
    check_close_code,
    check_close_reason,
    check_control_data,
    check_data,
    check_exit_event,
    check_session_class,
    check_text,
)
from lomond.errors import WebSocketUnavailable
from lomond.events import Event
from lomond.foreign import SansIO
from lomond.protocol.client import ClientProtocol
from lomond.session import WebsocketSession
from lomond.transport import ExitEvent

log = logging.getLogger("lomond")

_UNSET: Any = object()


class WebSocket(SansIO):
    """A WebSocket client, which can connect any number of times.

    Iterating over it connects, and yields events (`lomond.events`) until the connection has
    ended. All methods may be called from any thread.
    """

    def __repr__(self) -> str:
        return f"WebSocket('{self.safe_url}')"

    # ---- connecting -------------------------------------------------------------------------

    def connect(
        self,
        session_class: Callable[[WebSocket], Any] = WebsocketSession,
        poll: float = 5.0,
        ping_rate: float | None = 30.0,
        auto_pong: bool = True,
        *,
        ping_timeout: float | None = None,
        close_timeout: float | None = 30.0,
        open_timeout: float | None = _UNSET,
        send_timeout: float | None = _UNSET,
        exit_event: ExitEvent | None = _UNSET,
    ) -> Iterator[Event]:
        """Connect, and return an iterator of events; each step of it waits for the next.

        A connection that this object has already is ended. All times are in seconds; 0 or None
        switches a time-out off.

        Args:
            session_class: what drives the connection: `lomond.session.WebsocketSession` in
                threads, `lomond_gevent.GeventSession` in greenlets, or one of your own.
            poll: how often to generate `Poll` events; the first may come a 64th of it later,
                for connections poll together.
            ping_rate: how often to send a Ping, 0 for never.
            auto_pong: answer the server's pings, as RFC 6455 §5.5.2 demands.
            ping_timeout: how long the server may be silent, before `Unresponsive` and
                `Disconnected`. Any byte counts. Twice the `ping_rate` is a good value.
            close_timeout: how long to wait for the server's Close frame.
            open_timeout: how long look-up, TCP, proxy, TLS and upgrade may take together; 30 by
                default.
            send_timeout: how long a message may take until the kernel has all of it; 30 by
                default. Then its sender gets TransportFail, and the connection ends.
            exit_event: an event that ends the connection when it is set, with close code 1001.

        Raises:
            TypeError, ValueError: an argument is wrong, or contradicts another.
        """
        check_session_class(session_class)
        options: dict[str, Any] = {
            "poll": poll,
            "ping_rate": ping_rate,
            "ping_timeout": ping_timeout,
            "auto_pong": auto_pong,
            "close_timeout": close_timeout,
        }
        # A session class that was written for Lomond knows these five only.
        newer = {"open_timeout": open_timeout, "send_timeout": send_timeout}
        options |= {name: value for name, value in newer.items() if value is not _UNSET}
        self.make_settings(**options)
        if exit_event is not _UNSET:
            options["exit_event"] = check_exit_event(exit_event)
        state = self.make_state()
        # All arguments are good: only now may the last connection end.
        if self.state.session is not None:
            self.state.session.close()
        self.state = state
        if self.state.tracer is not None:
            self.state.tracer.note("connect_start", **options)
            self.state.tracer.emit()
        state.session = session = session_class(self)
        if isinstance(session, WebsocketSession):
            state.sender = session
        return cast("Iterator[Event]", session.run(**options))

    def __iter__(self) -> Iterator[Event]:
        return self.connect()

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.state.session is not None:
            self.state.session.close()

    # ---- sending ----------------------------------------------------------------------------

    def send_text(self, text: str, compress: bool = True) -> None:
        """Send a text message; return when the kernel has taken all of it.

        Args:
            text: what to send.
            compress: False to send this message as it is, where compression was agreed on.

        Raises:
            TypeError: `text` is not str.
            UnicodeEncodeError: `text` has a lone surrogate, which UTF-8 does not know.
            WebSocketUnavailable: not ready yet; WebSocketClosing, WebSocketClosed: too late.
            TransportFail: the socket failed, or `send_timeout` ran out.
        """
        if type(text) is not str:
            text = check_text(text)
        (self.state.sender or self._get_sender()).send_text(text, compress)
        if self.state.tracer is not None:
            self._trace("send_text", length=len(text), compressed=compress)

    def send_binary(self, data: bytes | bytearray | memoryview, compress: bool = True) -> None:
        """Send a binary message; see `send_text`.

        Raises:
            TypeError: `data` is not bytes, bytearray or memoryview.
        """
        if type(data) is not bytes:
            data = check_data(data)
        (self.state.sender or self._get_sender()).send_binary(data, compress)
        if self.state.tracer is not None:
            self._trace("send_binary", length=len(data), compressed=compress)

    def send_json(self, _obj: Any = _UNSET, **kwargs: Any) -> None:
        """Send an object, or the keyword arguments as one, as JSON in a text message.

        Raises:
            ValueError: both were given, or `json.dumps` cannot serialise it.
            TypeError: `json.dumps` cannot serialise it.
        """
        if _obj is not _UNSET and kwargs:
            raise ValueError("send_json takes one object or keyword arguments, not both")
        self.send_text(json.dumps(kwargs if _obj is _UNSET else _obj))

    def send_ping(self, data: bytes = b"") -> None:
        """Send a Ping; the server answers with a Pong of the same data (RFC 6455 §5.5.2).

        Raises:
            TypeError: `data` is not bytes.
            ValueError: `data` is longer than 125 bytes.
        """
        data = check_control_data(data, "ping")
        self._get_sender().send_ping(data)
        if self.state.tracer is not None:
            self._trace("send_ping", length=len(data))

    def send_pong(self, data: bytes) -> None:
        """Send a Pong, in answer to a Ping or for its own sake (RFC 6455 §5.5.3).

        Raises:
            TypeError: `data` is not bytes.
            ValueError: `data` is longer than 125 bytes.
        """
        data = check_control_data(data, "pong")
        self._get_sender().send_pong(data)
        if self.state.tracer is not None:
            self._trace("send_pong", length=len(data))

    # ---- closing ----------------------------------------------------------------------------

    def close(self, code: int | None = None, reason: str | bytes | None = None) -> None:
        """Begin the closing handshake (RFC 6455 §7.1.2), and return at once.

        Nothing more can be sent then; what the server sends is received until it answers with
        `Closed`, and `Disconnected` follows. Does nothing where there is nothing to close.

        Args:
            code: a close code, `lomond.status.Status` or 3000 to 4999; None for 1000.
            reason: what the server may log; cut at a character to 123 bytes of UTF-8. None for
                "goodbye".

        Raises:
            TypeError: an argument is of the wrong type.
            ValueError: the code may not be sent (RFC 6455 §7.4), or the reason is not UTF-8.
        """
        code = 1000 if code is None else check_close_code(code)
        encoded = b"goodbye" if reason is None else check_close_reason(reason)
        state = self.state
        if state.closed:
            log.debug("%r already closed", self)
        elif isinstance(state.session, WebsocketSession):
            state.session.begin_close(code, encoded)
        elif state.session is not None:
            self.close_foreign(code, encoded)
        if state.tracer is not None:
            self._trace("close_requested", code=code, reason=encoded.decode())

    def force_disconnect(self) -> None:
        """End the connection at once, as one that was lost: `Disconnected` follows."""
        if self.state.session is not None:
            self.state.session.force_disconnect()

    # ---- questions --------------------------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """Tell whether the closing handshake has begun: no more messages may be sent."""
        return self.state.closing

    @property
    def is_closed(self) -> bool:
        """Tell whether the connection is over."""
        return self.state.closed

    @property
    def is_active(self) -> bool:
        """Tell whether the WebSocket is neither closing nor closed."""
        return not self.state.closing and not self.state.closed

    @property
    def sent_close_time(self) -> float | None:
        """Return when our Close frame was sent, in seconds since `Ready`; None before."""
        return self.state.sent_close_time

    @property
    def subprotocol(self) -> str | None:
        """Return the sub-protocol that the server chose; None without one (RFC 6455 §1.9)."""
        protocol = self.state.protocol
        return None if protocol is None else protocol.subprotocol

    @property
    def supports_compression(self) -> bool:
        """Tell whether permessage-deflate was agreed on (RFC 7692)."""
        protocol = self.state.protocol
        return protocol is not None and protocol.outgoing.deflater is not None

    @property
    def session(self) -> Any:
        """Return what drives the connection: counters, times; None before `connect`."""
        return self.state.session

    # ---- the way to whoever sends -----------------------------------------------------------

    def _get_sender(self) -> WebsocketSession | ClientProtocol:
        if self.state.sender is not None:
            return cast("WebsocketSession", self.state.sender)
        if self.state.session is None:
            raise WebSocketUnavailable("not connected: wait for the Ready event before sending")
        return self.get_foreign_protocol()

    def _trace(self, stage: str, **fields: Any) -> None:
        tracer = self.state.tracer
        if tracer is not None:
            tracer.note(stage, **fields)
            tracer.emit()
