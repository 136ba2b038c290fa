"""Serving a session class that somebody else wrote, by the contract that Lomond documented.

Such a session frames, masks and writes by itself: what the protocol wants to send is handed
to it (see `handover`), and what it has read comes in by `WebSocket.feed`. It also keeps its own
time: no polls, pings or deadlines from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic, time

from lomond import events
from lomond.handover import HandedOver
from lomond.options import Options
from lomond.protocol.client import ClientProtocol
from lomond.protocol.deflate import Deflater
from lomond.protocol.handshake import check_extensions, check_response
from lomond.response import Response


class SansIO(Options):
    """A WebSocket without a socket: whoever has one feeds it, and writes what it is asked to."""

    def reset(self) -> None:
        """Forget the last connection, and begin anew; `connect` does it by itself."""
        self.state = self.make_state()

    def build_request(self) -> bytes:
        """Return the upgrade request (RFC 6455 §4.1)."""
        return self.state.request.build()

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[events.Event]:
        """Take bytes from the server; yield what they mean.

        The next step after `Closing` sends the answer to the server's Close frame. Nothing
        comes once the connection is closed. Polls and the answers to pings are the session's.
        """
        protocol = self.get_foreign_protocol()
        if protocol.is_closed:
            return
        batch = protocol.receive(bytes(data), time(), monotonic())
        while True:
            for event in batch:
                if isinstance(event, events.Poll):
                    continue
                yield from self._hand_out(event, protocol)
                if protocol.is_closed:
                    return
            if not protocol.has_more:
                return
            batch = protocol.receive_more(monotonic())

    def _hand_out(self, event: events.Event, protocol: ClientProtocol) -> Iterator[events.Event]:
        if isinstance(event, events.Rejected):
            self.on_disconnect()
        yield event
        if isinstance(event, events.Closing):
            protocol.acknowledge_close(monotonic())
        if isinstance(event, events.ProtocolError) and self.state.session is not None:
            self.state.session.force_disconnect()

    def on_response(self, response: Response) -> tuple[str | None, set[str]]:
        """Return the sub-protocol and the extensions that `response` agrees to.

        Raises HandshakeError, or CompressionParameterError, where it is not acceptable.
        """
        agreement = check_response(response, self.state.request)
        return agreement.protocol, agreement.extensions

    def process_extensions(self, extensions: list[str]) -> set[str]:
        """Return which of the server's extensions are in use, and begin to compress if asked to.

        Raises HandshakeError, or CompressionParameterError, where they are not acceptable.
        """
        if not extensions:
            return set()
        enabled, deflate = check_extensions(", ".join(extensions), self.state.request.form.deflate)
        if deflate is not None:
            self.get_foreign_protocol().outgoing.deflater = Deflater(deflate)
        return enabled

    def on_disconnect(self) -> None:
        """Take note that the connection is lost, and have the session close its socket."""
        if self.state.session is not None:
            self.state.session.close()
        self.get_foreign_protocol().abort("closed", "closed")

    def close_foreign(self, code: int, reason: bytes) -> None:
        """Have a foreign session send our Close frame."""
        state = self.state
        protocol = self.get_foreign_protocol()
        if protocol.ending.sent_close_time is None:
            protocol.close(code, reason, monotonic())
            if protocol.ending.sent_close_time is not None:
                state.foreign_close_time = state.session.session_time

    def get_foreign_protocol(self) -> ClientProtocol:
        """Return the machine that speaks through a foreign session, made when first needed."""
        state = self.state
        if state.protocol is None:
            settings = self.make_settings(auto_pong=False, ping_rate=0)
            outgoing = HandedOver(lambda: state.session)
            state.protocol = ClientProtocol(state.request, settings, outgoing)
        return state.protocol
