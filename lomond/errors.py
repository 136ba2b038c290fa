"""Every exception that this library raises.

    WebSocketError
    ├── HandshakeError                       the answer to our upgrade request is wrong
    │   └── CompressionParameterError        … in what it says about permessage-deflate
    ├── ProtocolError           close 1002   the peer broke a rule
    │   └── PayloadTooLarge     close 1009   a message is longer than we accept
    ├── CriticalProtocolError   close 1007   the peer sent what cannot be understood
    ├── ConnectFail                          no connection: DNS, TCP, proxy or TLS
    ├── TransportFail                        the socket failed while sending
    ├── FrameBuildError                      the caller asked for an impossible frame
    └── WebSocketUnavailable                 the caller sent at the wrong time
        ├── WebSocketClosing
        └── WebSocketClosed

The last three branches reach the caller of a `send_` method. The others become events (see
`lomond.events`) before they could leave `connect()`: what the network or the peer does never
raises. Wrong arguments are `TypeError` and `ValueError`. `OSError`, `ssl.SSLError`,
`zlib.error` and their like are translated where they appear, not here.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

Phase: TypeAlias = Literal["dns", "tcp", "proxy", "tls", "handshake", "open", "closing"]
"""How far a connection had come when it ended."""

Kind: TypeAlias = Literal[
    "dns",
    "refused",
    "unreachable",
    "reset",
    "eof",
    "timeout",
    "tls",
    "proxy",
    "rejected",
    "protocol",
    "limit",
    "ping_timeout",
    "close_timeout",
    "send_timeout",
    "resources",
    "closed",
    "forced",
]
"""What ended a connection."""


class WebSocketError(Exception):
    """Base of all errors of this library.

    `msg` is formatted with `str.format` only where further arguments are given, so that
    finished text may contain braces. `str(error)` is the resulting text. The error can be
    pickled.
    """

    # The code of the Close frame that answers this error; None: no Close frame answers it.
    close_code: ClassVar[int | None] = None

    def __init__(self, msg: str, *args: object, **kwargs: object) -> None:
        # Only the finished text becomes an argument of the exception: unpickling calls
        # cls(*self.args), and must not format a second time.
        super().__init__(msg.format(*args, **kwargs) if args or kwargs else msg)


class HandshakeError(WebSocketError):
    """The server did not answer the upgrade request as RFC 6455 §4.1 demands."""


class CompressionParameterError(HandshakeError):
    """The server's permessage-deflate parameters are not acceptable (RFC 7692 §7.1)."""


class ProtocolError(WebSocketError):
    """The peer broke a rule of the protocol."""

    close_code = 1002


class PayloadTooLarge(ProtocolError):
    """A frame or message is longer than RFC 6455 §5.2 or the configured limits allow."""

    close_code = 1009


class CriticalProtocolError(WebSocketError):
    """The peer sent data that has no meaning: text not UTF-8, corrupt compression, no HTTP.

    Not a `ProtocolError`: the two are caught apart.
    """

    close_code = 1007


class ConnectFail(WebSocketError):
    """No connection to the server could be made.

    `phase` and `kind` are the words of the `ConnectFail` event, `error` is the exception
    behind it or None. `retryable` is False where a repetition would fail in the same way.
    """

    def __init__(
        self,
        msg: str,
        *args: object,
        phase: Phase = "tcp",
        kind: Kind = "unreachable",
        error: BaseException | None = None,
        retryable: bool = True,
        **kwargs: object,
    ) -> None:
        super().__init__(msg, *args, **kwargs)
        self.phase: Phase = phase
        self.kind: Kind = kind
        self.error = error
        self.retryable = retryable


class TransportFail(WebSocketError):
    """The socket failed, or took too long, while sending."""


class FrameBuildError(WebSocketError):
    """The caller asked for a frame that RFC 6455 §5 does not permit."""


class WebSocketUnavailable(WebSocketError):
    """The WebSocket cannot send: not connected, or not ready yet."""


class WebSocketClosing(WebSocketUnavailable):
    """The closing handshake has begun: no more data may be sent."""


class WebSocketClosed(WebSocketUnavailable):
    """The WebSocket is closed."""
