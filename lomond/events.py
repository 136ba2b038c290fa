"""What a connection tells the application: one small class for each kind of event.

An application tells events apart with `isinstance`, by `event.name` or with `match`
(`case Text(text):` binds in the order of the constructor), and ignores those it does not know:
later versions may add some.

Events carry values and decide nothing. What the peer's bytes mean is in `lomond.protocol`, what
becomes of the connection in `lomond.session`; whoever makes an event redacts the URLs in it.

Every class has slots; `received_time` (None means now) is the last positional argument of every
constructor. Those of the hot path (`Text`, `Binary`, `Ping`, `Pong`) set it themselves instead of
calling `super().__init__`: 165 ns for a `Text` against 330. A frozen dataclass would take 430.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import time
from typing import Any, ClassVar, Literal, TypeAlias

from lomond.errors import Kind, Phase
from lomond.response import Response, escape_unprintable

ClosedBy: TypeAlias = Literal["client", "server"]

_FREE_TEXT = frozenset({"url", "proxy", "reason", "error"})
_SHOWN = 24  # characters of a text, or bytes of binary data, in a repr


class Event:
    """Base of all events.

    name: what kind of event this is, the same for all events of a class.
    received_time: when it happened, in seconds since the epoch (wall clock).
    """

    __slots__ = ("received_time",)
    __match_args__: ClassVar[tuple[str, ...]] = ()
    name: ClassVar[str]

    def __init__(self, received_time: float | None = None) -> None:
        self.received_time = time() if received_time is None else received_time

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self._show(name)}" for name in self.__match_args__)
        return f"{type(self).__name__}({shown})"

    def _show(self, name: str) -> str:
        """Show one attribute; those of free text between plain quotation marks."""
        value = getattr(self, name)
        return f"'{escape_unprintable(str(value))}'" if name in _FREE_TEXT else repr(value)


class Connecting(Event):
    """Generated when a connection is about to be made.

    url: the URL to connect to, a password in it hidden.
    """

    __slots__ = ("url",)
    __match_args__ = ("url",)
    name = "connecting"

    def __init__(self, url: str, received_time: float | None = None) -> None:
        super().__init__(received_time)
        self.url = url


class Connected(Event):
    """Generated when a server was reached, before it has agreed to speak WebSocket.

    url: the URL connected to, a password in it hidden.
    proxy: the URL of the proxy in between, a password in it hidden; None without one.
    verified: whether the server's certificate was verified; None without TLS.
    timings: seconds spent in each phase of connecting ("dns", "tcp", "proxy", "tls").
    """

    __slots__ = ("proxy", "timings", "url", "verified")
    __match_args__ = ("url", "proxy")
    name = "connected"

    def __init__(
        self,
        url: str,
        proxy: str | None = None,
        received_time: float | None = None,
        *,
        verified: bool | None = None,
        timings: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(received_time)
        self.url = url
        self.proxy = proxy
        self.verified = verified
        self.timings: Mapping[str, float] = {} if timings is None else timings

    def __repr__(self) -> str:
        return f"Connected(url={self._show('url')})" if self.proxy is None else super().__repr__()


class Ready(Event):
    """Generated when the server has agreed to speak WebSocket: from now on messages may be sent.

    response: the server's answer.
    protocol: the sub-protocol that the server chose, or None.
    extensions: the names of the extensions in use.
    """

    __slots__ = ("extensions", "protocol", "response")
    __match_args__ = ("response", "protocol", "extensions")
    name = "ready"

    def __init__(
        self,
        response: Response,
        protocol: str | None,
        extensions: set[str],
        received_time: float | None = None,
    ) -> None:
        super().__init__(received_time)
        self.response = response
        self.protocol = protocol
        self.extensions = extensions


class Rejected(Event):
    """Generated when the server's answer to the upgrade request is not acceptable.

    response: the server's answer, with up to 64 KiB of its body.
    reason: what is wrong with it, in words.
    retryable: False where asking again would be answered in the same way.
    """

    __slots__ = ("reason", "response", "retryable")
    __match_args__ = ("response", "reason")
    name = "rejected"

    def __init__(
        self,
        response: Response,
        reason: str,
        received_time: float | None = None,
        *,
        retryable: bool = True,
    ) -> None:
        super().__init__(received_time)
        self.response = response
        self.reason = reason
        self.retryable = retryable


class Poll(Event):
    """Generated when the connection has become ready, and then every `poll` seconds."""

    __slots__ = ()
    name = "poll"


class Text(Event):
    """Generated when a text message was received.

    text: the message.
    json: the message decoded as JSON, when first asked for.
    """

    # `_json` is set when first asked for. No value stands for "not yet": null is JSON, and a
    # marker object would lose its identity in a pickle.
    __slots__ = ("_json", "text")
    __match_args__ = ("text",)
    name = "text"

    def __init__(self, text: str, received_time: float | None = None) -> None:
        self.text = text
        self.received_time = time() if received_time is None else received_time

    @property
    def json(self) -> Any:
        """The message decoded as JSON; raises ValueError where it is not JSON."""
        try:
            return self._json
        except AttributeError:
            pass  # not yet decoded
        try:
            self._json: Any = json.loads(self.text)
        except RecursionError:
            # A few thousand brackets from the peer must not get past `except ValueError`.
            raise ValueError("JSON is nested too deeply") from None
        return self._json

    def __repr__(self) -> str:
        return f"Text(text={_shorten(self.text, 'chars')})"


class _Payload(Event):
    __slots__ = ("data",)
    __match_args__ = ("data",)

    def __init__(self, data: bytes, received_time: float | None = None) -> None:
        self.data = data
        self.received_time = time() if received_time is None else received_time


class Binary(_Payload):
    """Generated when a binary message was received.

    data: the message.
    """

    __slots__ = ()
    name = "binary"

    def __repr__(self) -> str:
        return f"Binary(data={_shorten(self.data, 'bytes')})"


class Ping(_Payload):
    """Generated when a ping was received; unless `auto_pong` is off, it has been answered.

    data: its payload, at most 125 bytes.
    """

    __slots__ = ()
    name = "ping"


class Pong(_Payload):
    """Generated when a pong was received.

    data: its payload, at most 125 bytes.
    """

    __slots__ = ()
    name = "pong"


class _CloseFrame(Event):
    __slots__ = ("code", "reason")
    __match_args__ = ("code", "reason")

    def __init__(self, code: int | None, reason: str, received_time: float | None = None) -> None:
        super().__init__(received_time)
        self.code = code
        self.reason = reason


class Closing(_CloseFrame):
    """Generated when the server begins to close; messages may be sent while this is handled.

    code: the server's close code, None where it gave none.
    reason: the server's explanation, possibly empty.
    """

    __slots__ = ()
    name = "closing"


class Closed(_CloseFrame):
    """Generated when the server has answered our `close()`; nothing can be sent any more.

    code: the close code that the server returned, None where it gave none.
    reason: the server's explanation, possibly empty.
    """

    __slots__ = ()
    name = "closed"


class ProtocolError(Event):
    """Generated when the server broke a rule of the protocol; `Disconnected` follows.

    error: which rule and how, in words.
    critical: True where what it sent could not be understood at all.
    """

    __slots__ = ("critical", "error")
    __match_args__ = ("error", "critical")
    name = "protocol_error"

    def __init__(self, error: str, critical: bool, received_time: float | None = None) -> None:
        super().__init__(received_time)
        self.error = error
        self.critical = critical


class Unresponsive(Event):
    """Generated when nothing was received for `ping_timeout` seconds; `Disconnected` follows.

    silence: seconds since anything was received.
    """

    __slots__ = ("silence",)
    name = "unresponsive"

    def __init__(self, received_time: float | None = None, *, silence: float = 0.0) -> None:
        super().__init__(received_time)
        self.silence = silence


class UnknownMessage(Event):
    """Kept for programs that name it: an unknown opcode is a `ProtocolError` (RFC 6455 §5.2).

    message: the message.
    """

    __slots__ = ("message",)
    __match_args__ = ("message",)
    name = "unknown"

    def __init__(self, message: object, received_time: float | None = None) -> None:
        super().__init__(received_time)
        self.message = message

    def __repr__(self) -> str:
        return "UnknownMessage()"


class _End(Event):
    __slots__ = ("error", "kind", "phase", "reason", "retryable")
    __match_args__ = ("reason",)

    def __init__(
        self,
        reason: str,
        received_time: float | None = None,
        *,
        phase: Phase = "tcp",
        kind: Kind = "unreachable",
        error: BaseException | None = None,
        retryable: bool = True,
    ) -> None:
        super().__init__(received_time)
        self.reason = reason
        self.phase = phase
        self.kind = kind
        self.error = error
        self.retryable = retryable


class ConnectFail(_End):
    """Generated when no connection could be made; the last event of its run.

    reason: what happened, in words.
    phase, kind: how far the attempt came and what ended it, words of `lomond.errors`.
    error: the exception behind it, or None.
    retryable: False where trying again would fail in the same way.
    """

    __slots__ = ()
    name = "connect_fail"


class Disconnected(_End):
    """Generated when the connection has ended and its socket is closed; the last event of its run.

    reason: what happened, in words.
    graceful: True where both sides had sent their Close frames; otherwise data may be lost.
    phase, kind: how far the connection was and what ended it, words of `lomond.errors`.
    error: the exception behind it, or None.
    retryable: False where connecting again would end in the same way.
    code: the close code of the connection: the server's, 1005 where it gave none, 1006 where no
        Close frame came (RFC 6455 §7.1.5).
    closed_by: who sent the first Close frame, "client" or "server"; None where neither did.
    bytes_lost: how many bytes of an unfinished frame or message were dropped.
    """

    __slots__ = ("bytes_lost", "closed_by", "code", "graceful")
    __match_args__ = ("reason", "graceful")
    name = "disconnected"

    def __init__(
        self,
        reason: str = "closed",
        graceful: bool = False,
        received_time: float | None = None,
        *,
        phase: Phase = "open",
        kind: Kind = "closed",
        error: BaseException | None = None,
        retryable: bool = True,
        code: int | None = None,
        closed_by: ClosedBy | None = None,
        bytes_lost: int = 0,
    ) -> None:
        super().__init__(
            reason, received_time, phase=phase, kind=kind, error=error, retryable=retryable
        )
        self.graceful = graceful
        self.code = code
        self.closed_by = closed_by
        self.bytes_lost = bytes_lost


class BackOff(Event):
    """Generated when a persistent connection has to wait before it tries again.

    delay: seconds until the next attempt.
    """

    __slots__ = ("delay",)
    __match_args__ = ("delay",)
    name = "back_off"

    def __init__(self, delay: float, received_time: float | None = None) -> None:
        super().__init__(received_time)
        self.delay = delay

    def __repr__(self) -> str:
        return f"BackOff(delay={self.delay:.1f})"


def _shorten(value: str | bytes, unit: str) -> str:
    """Show the beginning of `value`, and how much there is besides."""
    rest = len(value) - _SHOWN
    return repr(value) if rest <= 0 else f"{value[:_SHOWN]!r} + {rest} {unit}"
