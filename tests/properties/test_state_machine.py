"""Calls of the application, bytes of the peer and deadlines in any order keep to the state table.

The model below is the table again, in other words: whatever it says of a state, the client must
say too, and every connection comes to exactly one end.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from lomond.errors import WebSocketClosed, WebSocketClosing, WebSocketUnavailable
from lomond.protocol.deflate import DeflateOffer
from tests.helpers.examples import examples
from tests.helpers.protocol import (
    ANSWER,
    connecting_client,
    ending_of,
    frames_sent,
    tell_all,
)

# With so small a window, what the client sends is never compressed.
DEFLATE_ANSWER = (
    ANSWER[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8\r\n\r\n"
)
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"

# What the peer may send, and what the client makes of it.
MESSAGES = {
    b"\x81\x02hi": ("text", "hi"),
    b"\x82\x01\x00": ("binary", b"\x00"),
    b"\x01\x01a\x80\x01b": ("text", "ab"),
    b"\xc2\x03\x4b\x04\x00": ("binary", b"a"),
    b"\x89\x01!": ("ping", b"!"),
    b"\x8a\x00": ("pong", b""),
}
CLOSES = {b"\x88\x00": (None, ""), b"\x88\x05\x03\xe9bye": (1001, "bye")}
VIOLATIONS = {
    b"\x83\x00": ("protocol_error", "reserved opcode (3)", False),
    b"\x88\x02\x03\xed": ("protocol_error", "reserved close code (1005)", False),
}
BEHIND_THE_ANSWER = [*MESSAGES, *CLOSES]
FRAMES = [*MESSAGES, *CLOSES, *VIOLATIONS]

FIRST_BYTES = {"text": 0x81, "binary": 0x82, "ping": 0x89, "pong": 0x8A}
REFUSED_SENDS = {
    "connecting": WebSocketUnavailable,
    "close_sent": WebSocketClosing,
    "close_answered": WebSocketClosing,
    "closed": WebSocketClosed,
}
SENDING = {"open", "close_received"}
RECEIVING = {"open", "close_sent"}


class Conversation(RuleBasedStateMachine):
    """One connection, in the state that the table gives it."""

    @initialize(close_timeout=st.sampled_from([None, 0.5, 10.0]))
    def begin(self, close_timeout: float | None) -> None:
        self.client = connecting_client(
            deadline=30.0, deflate=DeflateOffer(), close_timeout=close_timeout, ping_timeout=60.0
        )
        self.close_timeout = close_timeout or float("inf")
        self.now = 0.0
        self.state = "connecting"
        self.is_finished = False
        # What the peer has sent and the client has not handed out, and when time is up.
        self.pending: list[bytes] = []
        self.limit = 30.0
        self.last_received = 0.0
        # What ended it: graceful, and which kind.
        self.end: tuple[bool, str] | None = None
        # What was sent, but for pings of the client's own.
        self.sent: list[tuple[int, bytes]] = []

    # ---- the model ---------------------------------------------------------------------------

    def settle(self, graceful: bool, kind: str) -> None:
        """Note the first cause of an end."""
        self.end = self.end or (graceful, kind)

    def finish(self) -> None:
        """Be in the last state for good."""
        self.state = "closed"
        self.is_finished = True

    def linger(self) -> None:
        """Leave it to the peer to end TCP, for a second at most."""
        self.limit = self.now + min(1.0, self.close_timeout)

    def hand_out(self) -> list[tuple[object, ...]]:
        """Return the batch that comes next, up to what changes the state."""
        if self.state not in RECEIVING:
            self.pending.clear()
            return []
        batch: list[tuple[object, ...]] = []
        while self.pending and self.pending[0] in MESSAGES:
            message = MESSAGES[self.pending.pop(0)]
            if message[0] == "ping" and self.state == "open":
                self.sent.append((0x8A, b"!"))
            batch.append(message)
        if batch or not self.pending:
            return batch
        last, state = self.pending[0], self.state
        self.pending.clear()
        if last in VIOLATIONS:
            return self.fail(last, state)
        if state == "close_sent":
            self.settle(True, "closed")
            self.state = "closed"
            self.linger()
            return [("closed", *CLOSES[last])]
        self.state = "close_received"
        self.peer_close = last[2:]
        return [("closing", *CLOSES[last])]

    def fail(self, violation: bytes, state: str) -> list[tuple[object, ...]]:
        """End by a violation, with a Close if none was sent."""
        event = VIOLATIONS[violation]
        if state == "open":
            self.sent.append((0x88, b"\x03\xea" + event[1].encode()))
        self.settle(False, "protocol")
        self.state = "closed"
        self.linger()
        return [event]

    def answer_close(self, payload: bytes) -> None:
        """Finish the closing handshake that the peer began."""
        self.sent.append((0x88, payload))
        self.settle(True, "closed")
        self.state = "close_answered"
        self.linger()

    # ---- the peer ----------------------------------------------------------------------------

    @precondition(lambda self: self.state == "connecting")
    @rule(behind=st.lists(st.sampled_from(BEHIND_THE_ANSWER), max_size=2))
    def agree(self, behind: list[bytes]) -> None:
        told = tell_all(self.client.receive(DEFLATE_ANSWER + b"".join(behind), 0.0, self.now))
        assert [event[0] for event in told] == ["ready", "poll"]
        self.state = "open"
        self.limit = float("inf")
        self.last_received = self.now
        self.pending = behind
        assert self.client.has_more == bool(behind)

    @precondition(lambda self: self.state == "connecting")
    @rule()
    def refuse(self) -> None:
        told = tell_all(self.client.receive(REFUSAL, 0.0, self.now))
        assert [event[0] for event in told] == ["rejected"]
        self.settle(False, "rejected")
        self.finish()

    @precondition(lambda self: self.state != "connecting" and not self.client.has_more)
    @rule(frames=st.lists(st.sampled_from(FRAMES), max_size=4))
    def receive(self, frames: list[bytes]) -> None:
        self.pending += frames
        self.last_received = self.now
        told = tell_all(self.client.receive(b"".join(frames), 0.0, self.now))
        assert told == self.hand_out()

    @rule()
    def receive_more(self) -> None:
        assert tell_all(self.client.receive_more(self.now)) == self.hand_out()

    @precondition(lambda self: not self.client.has_more)
    @rule()
    def end_of_stream(self) -> None:
        assert self.client.end_of_stream() == []
        self.settle(False, "eof")
        self.finish()

    # ---- the application ---------------------------------------------------------------------

    @rule(kind=st.sampled_from(["text", "binary", "ping", "pong"]))
    def send(self, kind: str) -> None:
        send = getattr(self.client, f"send_{kind}")
        content = "hi" if kind == "text" else b"hi"
        if self.state in SENDING:
            send(content)
            self.sent.append((FIRST_BYTES[kind], b"hi"))
        else:
            with pytest.raises(REFUSED_SENDS[self.state]):
                send(content)

    @rule()
    def close(self) -> None:
        self.client.close(1000, b"enough", self.now)
        if self.state == "connecting":
            self.settle(False, "closed")
            self.finish()
        elif self.state == "open":
            self.sent.append((0x88, b"\x03\xe8enough"))
            self.state = "close_sent"
            self.limit = self.now + self.close_timeout
        elif self.state == "close_received":
            self.answer_close(b"\x03\xe8enough")

    @rule()
    def acknowledge_close(self) -> None:
        self.client.acknowledge_close(self.now)
        if self.state == "close_received":
            self.answer_close(self.peer_close)

    @rule()
    def force(self) -> None:
        self.client.abort("disconnected; forced", "forced")
        self.settle(False, "forced")
        self.finish()

    # ---- the clock ---------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 5.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        told = [event for event in tell_all(self.client.tick(self.now)) if event != ("poll",)]
        if self.is_finished:
            assert told == []
        elif self.now >= self.limit:
            assert told == []
            kinds = {"connecting": "timeout", "close_sent": "close_timeout"}
            self.settle(False, kinds.get(self.state, "never"))
            self.finish()
        elif self.state in SENDING and self.now - self.last_received >= 60.0:
            assert told == [("unresponsive",)]
            self.settle(False, "ping_timeout")
            self.finish()
        else:
            assert told == []

    # ---- what always holds -------------------------------------------------------------------

    @invariant()
    def questions_are_answered_as_the_table_says(self) -> None:
        client = self.client
        assert client.can_send_data == (self.state in SENDING)
        assert client.is_closing == (self.state in {"close_sent", "close_answered"})
        assert client.is_closed == (self.state == "closed")
        assert client.is_finished == self.is_finished
        assert client.next_due <= self.limit or self.is_finished

    @invariant()
    def frames_are_those_of_the_table(self) -> None:
        expected, self.sent = self.sent, []
        if self.state != "connecting":
            # Pings of the client's own come when they are due.
            assert [frame for frame in frames_sent(self.client) if frame != (0x89, b"")] == expected

    @invariant()
    def end_is_the_first_cause(self) -> None:
        if self.is_finished:
            end = ending_of(self.client)
            assert (end.graceful, end.kind) == self.end
            assert self.client.next_due == float("inf")
        else:
            assert self.client.ending.kind == (self.end[1] if self.end else None)

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        while self.client.has_more:
            self.receive_more()
        self.end_of_stream()
        self.end_is_the_first_cause()


TestConversation = Conversation.TestCase
TestConversation.settings = settings(examples(80), stateful_step_count=20)
