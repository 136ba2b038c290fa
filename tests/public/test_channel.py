"""Bytes over a connected socket, in the clear or through TLS, without ever waiting.

"None = nothing yet, b"" = the end." End of stream without close_notify is an ordinary end. What
arrived before a fault comes before it. After every call what TLS has to say is passed on (RFC 8446
§6: alerts), also when the handshake has failed.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from typing import Any

import pytest

from lomond.channel import LONG_RECEIVE_SIZE, RECEIVE_SIZE, SocketChannel, TLSChannel
from tests.helpers.certificates import Certificates
from tests.helpers.fake_transport import FakeChannel
from tests.helpers.tls_server import ServerEnd

RESET = ConnectionResetError(104, "Connection reset by peer")
BROKEN = BrokenPipeError(32, "Broken pipe")
NOT_A_RECORD = b"\x17\x03\x03\x00\x05hello"


class FakeSocket:
    """A non-blocking socket, as far as a channel knows it."""

    def __init__(self, *results: Any) -> None:
        self.results = deque(results)
        self.calls: list[tuple[Any, ...]] = []

    def recv(self, size: int) -> bytes:
        return self._next("recv", size)

    def send(self, data: bytes) -> int:
        return self._next("send", bytes(data))

    def _next(self, *call: Any) -> Any:
        self.calls.append(call)
        result = self.results.popleft()
        if isinstance(result, OSError):
            raise result
        return result


def channel_on(*results: Any) -> tuple[SocketChannel, FakeSocket]:
    fake: Any = FakeSocket(*results)
    return SocketChannel(fake), fake


# ---- in the clear -------------------------------------------------------------------------------


def test_a_read_returns_what_is_there() -> None:
    channel, fake = channel_on(b"hello")

    assert channel.receive() == b"hello"
    assert fake.calls == [("recv", RECEIVE_SIZE)]


def test_a_long_frame_is_read_in_larger_pieces() -> None:
    channel, fake = channel_on(b"hello", b"hello")

    channel.receive(missing=RECEIVE_SIZE - 1)
    channel.receive(missing=RECEIVE_SIZE)

    assert fake.calls == [("recv", RECEIVE_SIZE), ("recv", LONG_RECEIVE_SIZE)]


def test_nothing_yet_is_none_and_the_end_is_no_bytes() -> None:
    channel, _ = channel_on(BlockingIOError(), b"")

    assert channel.receive() is None
    assert channel.receive() == b""


def test_an_error_of_the_socket_is_raised() -> None:
    channel, _ = channel_on(RESET, BROKEN)

    with pytest.raises(ConnectionResetError):
        channel.receive()
    with pytest.raises(BrokenPipeError):
        channel.send(b"x")


def test_a_write_tells_how_much_was_taken() -> None:
    channel, fake = channel_on(3, BlockingIOError())

    assert channel.send(b"hello") == 3
    assert channel.send(memoryview(b"hello")[3:]) == 0
    assert fake.calls == [("send", b"hello"), ("send", b"lo")]


def test_a_socket_keeps_nothing_back() -> None:
    channel, fake = channel_on()

    assert channel.flush() is True
    channel.close()
    assert fake.calls == []


def test_what_was_read_too_far_is_read_again_before_anything_else() -> None:
    channel, _ = channel_on(b"later")

    channel.unread(b"rest")

    assert channel.is_ready is True
    assert (channel.receive(), channel.is_ready) == (b"rest", False)
    assert channel.receive() == b"later"


def test_putting_nothing_back_is_not_the_end() -> None:
    channel, _ = channel_on(BlockingIOError())

    channel.unread(b"")

    assert channel.is_ready is False
    assert channel.receive() is None


def test_a_real_socket_reads_and_writes_without_waiting() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        channel = SocketChannel(ours)

        assert channel.receive() is None
        assert channel.send(b"hi") == 2
        assert theirs.recv(9) == b"hi"
        theirs.close()
        assert channel.receive() == b""


# ---- through TLS --------------------------------------------------------------------------------


class Line:
    """A TLS channel, the channel below it, and the server's end."""

    def __init__(self, certificates: Certificates, host: str = "localhost") -> None:
        self.below = FakeChannel()
        self.server = ServerEnd(certificates.server_context())
        self.channel = TLSChannel(self.below, certificates.client_context(), host)

    def shake_hands(self) -> Line:
        while not self.channel.handshake():
            self.answer()
        self.answer()
        assert self.channel.receive() is None
        return self

    def answer(self) -> bytes:
        """Have the server read what was sent, and answer; return the plaintext."""
        plaintext = self.server.receive(bytes(self.below.sent))
        self.below.sent.clear()
        answer = self.server.take_outgoing()
        if answer:
            self.below.reads.append(answer)
        return plaintext

    def deliver(self, *reads: Any) -> None:
        self.below.reads.extend(reads)


@pytest.fixture
def line(certificates: Certificates) -> Line:
    return Line(certificates).shake_hands()


def test_both_sides_understand_each_other(line: Line) -> None:
    assert line.channel.send(b"question") == 8
    assert line.answer() == b"question"
    line.deliver(line.server.send(b"answer"))

    assert line.channel.receive() == b"answer"
    assert line.channel.receive() is None


def test_a_part_of_a_record_is_nothing_yet(line: Line) -> None:
    record = line.server.send(b"hello")
    line.deliver(record[:7], record[7:])

    assert line.channel.receive() is None
    assert line.channel.receive() == b"hello"


def test_all_that_one_read_brings_is_returned_at_once(line: Line) -> None:
    line.deliver(b"".join(line.server.send(b"x" * 16_000) for _ in range(9)))

    data = line.channel.receive()

    assert data == b"x" * 144_000
    assert line.channel.is_ready is False


@pytest.mark.parametrize("with_close_notify", [True, False])
def test_the_end_is_the_end_with_and_without_close_notify(
    line: Line, with_close_notify: bool
) -> None:
    line.deliver(line.server.say_goodbye() if with_close_notify else b"")

    assert line.channel.receive() == b""
    assert line.channel.receive() == b""


def test_data_and_the_end_in_one_read_come_one_after_the_other(line: Line) -> None:
    line.deliver(line.server.send(b"last") + line.server.say_goodbye())

    assert (line.channel.receive(), line.channel.is_ready) == (b"last", True)
    assert line.channel.receive() == b""


def test_data_before_a_fault_of_tls_comes_before_it(line: Line) -> None:
    line.deliver(line.server.send(b"good") + NOT_A_RECORD)

    assert (line.channel.receive(), line.channel.is_ready) == (b"good", True)
    for _ in range(2):
        with pytest.raises(ssl.SSLError):
            line.channel.receive()


def test_a_fault_of_tls_is_told_to_the_server(line: Line) -> None:
    line.deliver(NOT_A_RECORD)

    with pytest.raises(ssl.SSLError):
        line.channel.receive()

    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        line.answer()


def test_an_error_of_the_layer_below_is_raised(line: Line) -> None:
    line.deliver(line.server.send(b"good"), RESET)

    assert line.channel.receive() == b"good"
    with pytest.raises(ConnectionResetError):
        line.channel.receive()


def test_what_was_read_is_not_lost_where_an_answer_cannot_be_written(line: Line) -> None:
    line.deliver(line.server.send(b"good") + NOT_A_RECORD)
    line.below.takes.append(BROKEN)

    assert line.channel.receive() == b"good"


def test_what_the_layer_below_does_not_take_is_kept_and_comes_first(line: Line) -> None:
    line.below.room = 10
    assert line.channel.send(b"first") == 5
    assert line.channel.flush() is False
    assert line.channel.send(b"second") == 0

    line.below.room = 1 << 20
    assert line.channel.send(b"second") == 6

    assert line.channel.flush() is True
    assert line.answer() == b"firstsecond"


def test_a_long_message_is_encrypted_piece_by_piece(line: Line) -> None:
    data = memoryview(bytes(150_000))
    sizes = []

    while data:
        sizes.append(line.channel.send(data))
        data = data[sizes[-1] :]

    assert sizes == [65536, 65536, 18928]
    assert len(line.answer()) == 150_000


def test_what_was_decrypted_too_far_is_read_again(line: Line) -> None:
    line.deliver(line.server.send(b"later"))
    line.channel.unread(b"rest")

    assert line.channel.is_ready is True
    assert (line.channel.receive(), line.channel.is_ready) == (b"rest", False)
    assert line.channel.receive() == b"later"


def test_closing_says_goodbye_to_the_server(line: Line) -> None:
    line.channel.close()

    assert line.answer() == b""
    assert line.below.calls == ["close"]
    with pytest.raises(ssl.SSLError):
        line.channel.send(b"more")


def test_closing_never_raises(line: Line) -> None:
    line.below.takes.append(BROKEN)

    line.channel.close()

    assert line.below.calls == ["close"]


def test_tls_runs_over_tls(certificates: Certificates, line: Line) -> None:
    inner_server = ServerEnd(certificates.server_context())
    inner = TLSChannel(line.channel, certificates.client_context(), "localhost")

    while not inner.handshake():
        inner_server.receive(line.answer())
        line.deliver(line.server.send(inner_server.take_outgoing()))
    inner.send(b"through both")

    assert inner_server.receive(line.answer()) == b"through both"


# ---- a handshake that fails ---------------------------------------------------------------------


def refuse(line: Line) -> ssl.SSLError:
    """Shake hands with a server whose certificate is for another host."""
    while True:
        try:
            assert not line.channel.handshake()
        except ssl.SSLError as error:
            return error
        line.answer()


def test_a_server_learns_why_the_handshake_failed(certificates: Certificates) -> None:
    line = Line(certificates, "other.example")

    assert isinstance(refuse(line), ssl.SSLCertVerificationError)
    with pytest.raises(ssl.SSLError, match=r"(?i)alert bad certificate|alert_bad_certificate"):
        line.answer()


def test_an_alert_that_cannot_be_written_does_not_hide_the_cause(
    certificates: Certificates,
) -> None:
    line = Line(certificates, "other.example")
    assert not line.channel.handshake()
    line.answer()
    line.below.takes.append(BROKEN)

    assert isinstance(refuse(line), ssl.SSLCertVerificationError)


def test_a_handshake_whose_bytes_cannot_be_written_fails(certificates: Certificates) -> None:
    line = Line(certificates)
    line.below.takes.append(BROKEN)

    with pytest.raises(BrokenPipeError):
        line.channel.handshake()


def test_a_stream_that_ends_within_the_handshake_is_an_error_of_tls(
    certificates: Certificates,
) -> None:
    line = Line(certificates)
    line.deliver(None, b"")
    assert not line.channel.handshake()

    with pytest.raises(ssl.SSLEOFError):
        line.channel.handshake()
