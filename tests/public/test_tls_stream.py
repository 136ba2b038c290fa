"""A TLS connection without a socket: two ends in memory, the server's made here from OpenSSL.

RFC 8446 §6.1: "Each party MUST send a "close_notify" alert before closing its write side".
A WebSocket has an ending of its own (RFC 6455 §7.1), so a peer that leaves this out is no
fault.
"""

from __future__ import annotations

import os
import ssl

import pytest

from lomond.tls_stream import TLSStream
from tests.helpers.certificates import Certificates
from tests.helpers.tls_server import SLICE, ServerEnd, connect, read_all, shake_hands

MIB = 1024 * 1024


# -- conversations


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_both_ends_understand_each_other(certificates: Certificates, version: str) -> None:
    client, server = connect(certificates, version=version)
    client.write(b"question")
    assert server.receive(client.take_outgoing()) == b"question"
    client.feed(server.send(b"answer"))
    assert client.read() == b"answer"
    assert client.read() is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1"])
def test_a_certificate_is_valid_for_each_of_its_hosts(
    certificates: Certificates, host: str
) -> None:
    client, server = connect(certificates, host)
    client.feed(server.send(b"welcome"))
    assert client.read() == b"welcome"


def test_bytes_may_come_one_at_a_time(certificates: Certificates) -> None:
    client = TLSStream(certificates.client_context(), "localhost")
    server = ServerEnd(certificates.server_context())
    assert not client.handshake()
    server.receive(client.take_outgoing())
    answers = [feed_one(client, byte) for byte in server.take_outgoing()]
    assert answers[:-1] == [False] * (len(answers) - 1)
    # TLS 1.3: our side is done with the server's last byte.
    assert client.handshake()


def feed_one(client: TLSStream, byte: int) -> bool:
    client.feed(bytes([byte]))
    return client.handshake()


def test_half_a_record_says_nothing_until_the_rest_is_there(certificates: Certificates) -> None:
    client, server = connect(certificates)
    record = server.send(b"whole")
    client.feed(record[:7])
    assert client.read() is None
    client.feed(record[7:])
    assert client.read() == b"whole"


def test_the_start_of_a_next_record_does_not_hold_up_the_first(certificates: Certificates) -> None:
    client, server = connect(certificates)
    ciphertext = server.send(b"first") + server.send(b"second")
    client.feed(ciphertext[:-1])
    assert client.read() == b"first"
    assert client.read() is None
    client.feed(ciphertext[-1:])
    assert client.read() == b"second"


def test_records_that_came_together_are_read_together(certificates: Certificates) -> None:
    client, server = connect(certificates)
    client.feed(server.send(b"a"))
    client.feed(server.send(b"b") + server.send(b"c"))
    assert client.read() == b"abc"


def test_data_behind_the_handshake_in_one_packet_is_kept(certificates: Certificates) -> None:
    context = certificates.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where the server's Finished is the last
    client, server = TLSStream(certificates.client_context(), "localhost"), ServerEnd(context)
    for _ in range(2):
        assert not client.handshake()
        server.receive(client.take_outgoing())
        client.feed(server.take_outgoing())
    client.feed(server.send(b"early"))
    assert client.handshake()
    assert client.read() == b"early"


def test_one_read_returns_a_bounded_amount(certificates: Certificates) -> None:
    client, server = connect(certificates)
    payload = os.urandom(300_000)
    client.feed(server.send(payload))
    pieces = list(iter(client.read, None))
    assert b"".join(filter(None, pieces)) == payload
    assert max(len(piece or b"") for piece in pieces) < 64 * 1024 + SLICE


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, MIB])
def test_a_write_of_any_size_arrives_whole(certificates: Certificates, size: int) -> None:
    client, server = connect(certificates)
    payload = os.urandom(size)
    client.write(payload)
    assert server.receive(client.take_outgoing()) == payload


def test_writes_keep_their_order(certificates: Certificates) -> None:
    client, server = connect(certificates)
    pieces = [bytes([n]) * 1000 for n in range(100)]
    for piece in pieces:
        client.write(memoryview(piece))
    assert server.receive(client.take_outgoing()) == b"".join(pieces)


def test_what_was_taken_is_not_taken_twice(certificates: Certificates) -> None:
    client, server = connect(certificates)
    client.write(b"once")
    assert server.receive(client.take_outgoing()) == b"once"
    assert client.take_outgoing() == b""


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_buffer_may_be_used_again_after_it_was_fed(certificates: Certificates, size: int) -> None:
    client, server = connect(certificates)
    buffer = bytearray(server.send(b"x" * size))
    client.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert read_all(client) == b"x" * size


# -- the end


def test_close_notify_is_the_end_of_the_stream(certificates: Certificates) -> None:
    client, server = connect(certificates)
    client.feed(server.send(b"last words") + server.say_goodbye())
    assert client.read() == b"last words"
    assert client.read() == b""
    assert client.read() == b""


def test_an_end_without_close_notify_is_the_same_end(certificates: Certificates) -> None:
    client, server = connect(certificates)
    client.feed(server.send(b"last words"))
    client.feed_eof()
    assert client.read() == b"last words"
    assert client.read() == b""
    assert client.read() == b""


def test_an_end_within_a_record_is_the_same_end(certificates: Certificates) -> None:
    client, server = connect(certificates)
    client.feed(server.send(b"never whole")[:-1])
    client.feed_eof()
    assert client.read() == b""


def test_a_damaged_record_raises_after_what_came_before_it(certificates: Certificates) -> None:
    client, server = connect(certificates)
    damaged = bytearray(server.send(b"first") + server.send(b"second"))
    damaged[-1] ^= 1
    client.feed(damaged)
    assert client.read() == b"first"
    for _ in range(2):
        with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
            client.read()
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
        server.receive(client.take_outgoing())


def test_closing_says_goodbye_to_the_server(certificates: Certificates) -> None:
    client, server = connect(certificates)
    client.write(b"last words")
    client.close()
    assert server.receive(client.take_outgoing()) == b"last words"
    assert server.tls.read(1) == b""


def test_closing_with_unread_data_says_goodbye_too(certificates: Certificates) -> None:
    client, server = connect(certificates)
    client.feed(server.send(b"unread"))
    client.close()
    assert server.receive(client.take_outgoing()) == b""
    assert server.tls.read(1) == b""


def test_nothing_can_be_written_behind_a_goodbye(certificates: Certificates) -> None:
    client, _ = connect(certificates)
    client.close()
    with pytest.raises(ssl.SSLError, match="protocol is shutdown"):
        client.write(b"too late")


def test_closing_before_the_handshake_says_nothing(certificates: Certificates) -> None:
    client = TLSStream(certificates.client_context(), "localhost")
    client.close()
    assert client.take_outgoing() == b""


# -- TLS inside TLS


class TunnelEnd(ServerEnd):
    """A server that speaks TLS inside the TLS of a proxy, as the client sees the two."""

    def __init__(self, context: ssl.SSLContext, outer: TLSStream, proxy: ServerEnd) -> None:
        super().__init__(context)
        self._outer = outer
        self._proxy = proxy

    def receive(self, ciphertext: bytes) -> bytes:
        self._outer.write(ciphertext)
        return super().receive(self._proxy.receive(self._outer.take_outgoing()))

    def take_outgoing(self) -> bytes:
        self._outer.feed(self._proxy.send(super().take_outgoing()))
        return read_all(self._outer)


def test_tls_runs_inside_tls(certificates: Certificates) -> None:
    outer, proxy = connect(certificates, "127.0.0.1")
    inner = TLSStream(certificates.client_context(), "localhost")
    server = TunnelEnd(certificates.server_context(), outer, proxy)
    shake_hands(inner, server)
    payload = os.urandom(100_000)
    inner.write(payload)
    assert server.receive(inner.take_outgoing()) == payload
    inner.feed(server.send(payload))
    assert read_all(inner) == payload


# -- memory


def resident_set() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux's /proc")
def test_an_echo_of_1_mib_leaves_little_memory_behind(certificates: Certificates) -> None:
    pairs = [connect(certificates) for _ in range(40)]
    payload = os.urandom(MIB)
    echo(*pairs[0], payload)  # what the process itself grows by
    before = resident_set()
    for client, server in pairs[1:]:
        echo(client, server, payload)
    # Both ends together; slices of 64 KiB would keep 170 KiB, unsliced buffers 2 MiB.
    assert (resident_set() - before) / len(pairs[1:]) < 128 * 1024


def echo(client: TLSStream, server: ServerEnd, payload: bytes) -> None:
    client.write(payload)
    client.feed(server.send(server.receive(client.take_outgoing())))
    assert read_all(client) == payload
