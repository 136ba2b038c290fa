"""Records of what a connection does, for `WebSocket(trace=…)`.

A record is a dict with `stage`, `url` and the fields of its stage:

- connect_start: poll, ping_rate, ping_timeout, auto_pong, close_timeout
- tls_wrapped: verify, has_context, cafile
- socket_send, socket_recv: length
- handshake_ready: protocol, extensions; handshake_rejected: reason, status_code
- message_text, message_binary, message_ping, message_pong: length; message_close: code, reason
- send_text, send_binary: length, compressed (what was asked for); send_ping, send_pong: length
- close_requested: code, reason; disconnected
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from lomond import events
from lomond.channel import Channel
from lomond.tls import TLSOptions

log = logging.getLogger("lomond")

TraceCallback: TypeAlias = Callable[[dict[str, Any]], object]


class Tracer:
    """Collect records, and hand them to the callback outside of every lock.

    Records are made where things happen, which may be under a lock; a callback called there
    could send, and wait for itself.
    """

    __slots__ = ("_callback", "_records", "_url")

    def __init__(self, callback: TraceCallback | bool, url: str) -> None:
        """Trace to `callback`, or to the log at level DEBUG where it is just true."""
        self._callback = callback if callable(callback) else _log_record
        self._url = url
        self._records: deque[dict[str, Any]] = deque()

    def note(self, stage: str, **fields: Any) -> None:
        """Add one record."""
        self._records.append({"stage": stage, "url": self._url, **fields})

    def note_events(self, batch: Iterable[events.Event]) -> None:
        """Add a record for each event that has one."""
        for event in batch:
            match event:
                case events.Text(text):
                    self.note("message_text", length=len(text))
                case events.Binary(data):
                    self.note("message_binary", length=len(data))
                case events.Ping(data):
                    self.note("message_ping", length=len(data))
                case events.Pong(data):
                    self.note("message_pong", length=len(data))
                case events.Closing(code, reason) | events.Closed(code, reason):
                    self.note("message_close", code=code, reason=reason)
                case events.Ready(_, protocol, extensions):
                    self.note("handshake_ready", protocol=protocol, extensions=sorted(extensions))
                case events.Rejected(response, reason):
                    status_code = response.status_code
                    self.note("handshake_rejected", reason=reason, status_code=status_code)
                case events.Disconnected() | events.ConnectFail():
                    self.note("disconnected")
                case _:
                    continue

    def watch(self, channel: Channel, tls: TLSOptions | None) -> Channel:
        """Return `channel` with a note made of all that passes."""
        if tls is not None:
            cafile = None if tls.cafile is None else str(tls.cafile)
            has_context = tls.context is not None
            self.note("tls_wrapped", verify=tls.verify, has_context=has_context, cafile=cafile)
        return TracingChannel(channel, self)

    def emit(self) -> None:
        """Hand over what was collected; what the callback raises goes to the log."""
        while True:
            try:
                record = self._records.popleft()
            except IndexError:
                # Not asked before: another thread may hand over the last one meanwhile.
                return
            try:
                self._callback(record)
            except Exception:  # whatever a callback raises must not end the connection
                log.debug("trace callback failed", exc_info=True)


def _log_record(record: dict[str, Any]) -> None:
    log.debug("%s", record)


class TracingChannel:
    """A channel that notes how much passes it."""

    __slots__ = ("_channel", "_tracer")

    def __init__(self, channel: Channel, tracer: Tracer) -> None:
        self._channel = channel
        self._tracer = tracer

    @property
    def is_ready(self) -> bool:
        """Tell whether `receive` has something that the kernel knows nothing of."""
        return self._channel.is_ready

    def receive(self, missing: int = 0) -> bytes | None:
        """Read, and note it."""
        data = self._channel.receive(missing)
        if data is not None:
            self._tracer.note("socket_recv", length=len(data))
        return data

    def send(self, data: bytes | memoryview) -> int:
        """Write, and note it."""
        sent = self._channel.send(data)
        if sent:
            self._tracer.note("socket_send", length=sent)
        return sent

    def flush(self) -> bool:
        """Pass on what was taken."""
        return self._channel.flush()

    def unread(self, data: bytes) -> None:
        """Put back what was read too far."""
        self._channel.unread(data)

    def close(self) -> None:
        """Say goodbye."""
        self._channel.close()
