"""From a name to a channel: look-up, TCP, the proxy's tunnel and TLS, under one deadline.

"ConnectFail at once, last errno per address." Several addresses are tried one after the other, each
with its share of the time that is left. Whoever cancels gets kind "closed", whatever the socket
says then.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lomond.dialing import Address, Dialer
from lomond.errors import ConnectFail
from lomond.proxies import Proxy
from lomond.route import Route
from lomond.tls import TLSOptions
from lomond.transport import look_up_literal
from tests.helpers.certificates import Certificates
from tests.helpers.fake_transport import Clock
from tests.helpers.tls_server import ServerEnd

PROXY = Proxy("http", "proxy.example", 3128)
OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
WAITING = errno.EINPROGRESS


def address(host: str = "192.0.2.1") -> Address:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (host, 80))


class FakeSocket:
    """A socket that tells these statuses one after the other, and then reads this.

    0 means connected; a `late` socket is not, though it says so, and a `fast` one is, though it
    says that it is under way.
    """

    def __init__(
        self,
        *statuses: int,
        reads: Iterable[Any] = (),
        late: bool = False,
        fast: bool = False,
    ) -> None:
        self.statuses = deque(statuses or [0])
        self.status = 0
        self.reads: deque[Any] = deque(reads)
        self.sent = b""
        self.options: list[tuple[int, int, int]] = []
        self.is_late = late
        self.is_fast = fast

    def connect_ex(self, target: Any) -> int:
        self.status = self.statuses.popleft()
        return self.status

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        self.status = self.statuses.popleft()
        return self.status

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)

    def getpeername(self) -> None:
        if self.status and not self.is_fast:
            raise OSError(errno.ENOTCONN, "not connected")
        if self.is_late:
            self.is_late = False
            self.statuses.append(0)
            raise OSError(errno.ENOTCONN, "not connected")

    def recv(self, size: int) -> bytes:
        read = self.reads.popleft() if self.reads else BlockingIOError()
        if isinstance(read, OSError):
            raise read
        return read(self.sent) if callable(read) else read

    def send(self, data: bytes) -> int:
        self.sent += bytes(data)
        return len(data)


class FakeWaiter:
    """What dialing asks of a transport; time passes only in `wait`."""

    def __init__(self, *sockets: FakeSocket | OSError, clock: Clock, addresses: Any = None) -> None:
        self.clock = clock
        self.sockets = deque(sockets)
        self.addresses = [address()] * len(sockets) if addresses is None else addresses
        self.is_cancelled = False
        self.waits: list[tuple[float, bool, bool]] = []
        self.calls: list[Any] = []
        # How long each wait takes, or what happens in it; all the time there is, by default.
        self.plan: deque[float | Callable[[], object]] = deque()

    def look_up(self, host: str, port: int, deadline: float) -> list[Address]:
        self.calls.append((host, port, deadline))
        if isinstance(self.addresses, OSError):
            raise self.addresses
        return list(self.addresses)

    def attach(self, target: Address) -> Any:
        self.calls.append(target[4][0])
        made = self.sockets.popleft()
        if isinstance(made, OSError):
            raise made
        return made

    def detach(self) -> None:
        self.calls.append("detach")

    def wait(self, deadline: float, readable: bool = True, writable: bool = False) -> None:
        self.waits.append((deadline, readable, writable))
        step = self.plan.popleft() if self.plan else deadline - self.clock.now
        if callable(step):
            step()
        else:
            self.clock.now += step


class Dial:
    """One attempt: how it went, and what it did."""

    def __init__(
        self,
        *sockets: FakeSocket | OSError,
        deadline: float = 30.0,
        proxy: Proxy | None = None,
        tls: TLSOptions | None = None,
        plan: Iterable[float | Callable[[], object]] = (),
        addresses: Any = None,
        clock: Clock,
    ) -> None:
        self.waiter = FakeWaiter(*sockets, clock=clock, addresses=addresses)
        self.waiter.plan.extend(plan)
        route = Route("server.example", 80, tls, proxy, "me")
        self.dialer = Dialer(self.waiter, route, deadline)

    def succeed(self) -> Any:
        return self.dialer.dial()

    def fail(self) -> ConnectFail:
        with pytest.raises(ConnectFail) as raised:
            self.dialer.dial()
        return raised.value

    def cancel(self) -> None:
        self.waiter.is_cancelled = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("lomond.dialing.monotonic", clock)
    return clock


# ---- look-up and TCP ----------------------------------------------------------------------------


def test_a_connection_that_is_made_at_once_waits_for_nothing(clock: Clock) -> None:
    made = FakeSocket(0, reads=[b"hello"])
    dial = Dial(made, clock=clock)

    channel = dial.succeed()

    assert channel.receive() == b"hello"
    assert dial.waiter.calls == [("server.example", 80, 30.0), "192.0.2.1"]
    assert dial.waiter.waits == []
    assert made.options == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


def test_a_connection_under_way_is_waited_for(clock: Clock) -> None:
    dial = Dial(FakeSocket(WAITING, 0), plan=[0.5], clock=clock)

    dial.succeed()

    assert dial.waiter.waits == [(30.0, False, True)]
    assert dial.dialer.timings == {"dns": 0.0, "tcp": 0.5}


def test_a_connection_that_is_there_at_once_is_not_waited_for(clock: Clock) -> None:
    dial = Dial(FakeSocket(WAITING, fast=True), clock=clock)

    dial.succeed()

    assert dial.waiter.waits == []


def test_a_wake_before_the_connection_is_made_means_nothing(clock: Clock) -> None:
    dial = Dial(FakeSocket(WAITING, 0, late=True), plan=[0.5, 0.5], clock=clock)

    dial.succeed()

    assert len(dial.waiter.waits) == 2


@pytest.mark.parametrize("statuses", [[errno.ECONNREFUSED], [WAITING, errno.ECONNREFUSED]])
def test_a_refusal_fails_at_once_and_names_the_address(clock: Clock, statuses: list[int]) -> None:
    dial = Dial(FakeSocket(*statuses), plan=[0.1], clock=clock)

    failure = dial.fail()

    assert "Connection refused (192.0.2.1:80)" in str(failure)
    assert (failure.phase, failure.kind, failure.retryable) == ("tcp", "refused", True)
    assert isinstance(failure.error, ConnectionRefusedError)
    assert dial.waiter.calls[-1] == "detach"


def test_an_ipv6_address_is_shown_in_brackets(clock: Clock) -> None:
    refused = FakeSocket(errno.ENETUNREACH)

    failure = Dial(refused, addresses=[address("2001:db8::1")], clock=clock).fail()

    assert str(failure).endswith("([2001:db8::1]:80)")
    assert failure.kind == "unreachable"


def test_a_name_that_does_not_exist_fails(clock: Clock) -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    failure = Dial(addresses=error, clock=clock).fail()

    assert str(failure) == f"unable to connect; {error}"
    assert (failure.phase, failure.kind) == ("dns", "dns")


def test_a_look_up_that_takes_too_long_fails(clock: Clock) -> None:
    failure = Dial(addresses=TimeoutError(), clock=clock).fail()

    text = "unable to connect; time ran out (open_timeout) in phase dns"
    assert (str(failure), failure.phase, failure.kind) == (text, "dns", "timeout")


def test_a_server_that_does_not_answer_fails_at_the_deadline(clock: Clock) -> None:
    dial = Dial(FakeSocket(WAITING, WAITING), clock=clock)

    failure = dial.fail()

    text = "unable to connect; time ran out (open_timeout) in phase tcp"
    assert (str(failure), failure.phase, failure.kind) == (text, "tcp", "timeout")
    assert clock.now == 30.0


def test_a_time_out_of_the_kernels_own_is_told_as_it_is(clock: Clock) -> None:
    failure = Dial(FakeSocket(WAITING, errno.ETIMEDOUT), plan=[1.0], clock=clock).fail()

    assert "Connection timed out (192.0.2.1:80)" in str(failure)
    assert failure.kind == "timeout"


def test_a_socket_that_cannot_be_made_is_a_lack_of_resources(clock: Clock) -> None:
    failure = Dial(OSError(errno.EMFILE, "Too many open files"), clock=clock).fail()

    assert failure.kind == "resources"
    assert "raise its limit (ulimit -n)" in str(failure)


# ---- several addresses --------------------------------------------------------------------------


def test_the_next_address_is_tried_where_one_fails(clock: Clock) -> None:
    addresses = [address("2001:db8::1"), address("192.0.2.2")]
    dial = Dial(FakeSocket(errno.ENETUNREACH), FakeSocket(0), addresses=addresses, clock=clock)

    dial.succeed()

    assert dial.waiter.calls[1:] == ["2001:db8::1", "detach", "192.0.2.2"]


def test_each_address_has_its_share_of_the_time_that_is_left(clock: Clock) -> None:
    silent = [FakeSocket(WAITING, WAITING) for _ in range(3)]

    dial = Dial(*silent, clock=clock)
    dial.fail()

    assert [deadline for deadline, _, _ in dial.waiter.waits] == [10.0, 20.0, 30.0]


def test_time_that_one_address_did_not_take_is_left_to_the_others(clock: Clock) -> None:
    sockets = [FakeSocket(errno.ECONNREFUSED), FakeSocket(WAITING, WAITING), FakeSocket(0)]

    dial = Dial(*sockets, clock=clock)
    dial.succeed()

    assert [deadline for deadline, _, _ in dial.waiter.waits] == [15.0]


def test_without_a_deadline_every_address_has_all_the_time(clock: Clock) -> None:
    dial = Dial(
        FakeSocket(WAITING, errno.ETIMEDOUT),
        FakeSocket(0),
        deadline=float("inf"),
        plan=[130.0],
        clock=clock,
    )

    dial.succeed()

    assert dial.waiter.waits == [(float("inf"), False, True)]


def test_the_errors_of_all_addresses_are_told(clock: Clock) -> None:
    sockets = [
        FakeSocket(errno.ENETUNREACH),
        FakeSocket(WAITING, 0),
        FakeSocket(errno.ECONNREFUSED),
    ]
    sockets[1].statuses[1] = WAITING
    addresses = [address(host) for host in ("2001:db8::1", "192.0.2.1", "192.0.2.2")]

    failure = Dial(*sockets, addresses=addresses, clock=clock).fail()

    assert "Network is unreachable ([2001:db8::1]:80); timed out; " in str(failure)
    assert "Connection refused (192.0.2.2:80)" in str(failure)
    assert failure.kind == "refused"


def test_where_time_ran_out_at_the_last_address_that_is_told(clock: Clock) -> None:
    failure = Dial(FakeSocket(errno.ECONNREFUSED), FakeSocket(WAITING, WAITING), clock=clock).fail()

    assert failure.kind == "timeout"


# ---- cancelling ---------------------------------------------------------------------------------


def is_cancellation(failure: ConnectFail, phase: str) -> bool:
    text = "closed before the connection was made"
    return (str(failure), failure.phase, failure.kind) == (text, phase, "closed")


def test_nothing_is_looked_up_once_it_is_cancelled(clock: Clock) -> None:
    dial = Dial(FakeSocket(0), clock=clock)
    dial.cancel()

    assert is_cancellation(dial.fail(), "dns")
    assert dial.waiter.calls == []


def test_a_look_up_that_is_cancelled_is_no_time_out(clock: Clock) -> None:
    dial = Dial(addresses=[address()], clock=clock)
    waiter: Any = dial.waiter

    def cancel(*_: Any) -> None:
        dial.cancel()
        raise TimeoutError

    waiter.look_up = cancel

    assert is_cancellation(dial.fail(), "dns")


def test_cancelling_while_connecting_tries_no_other_address(clock: Clock) -> None:
    dial = Dial(FakeSocket(WAITING, WAITING), FakeSocket(0), clock=clock)
    dial.waiter.plan.append(dial.cancel)

    assert is_cancellation(dial.fail(), "tcp")
    assert len(dial.waiter.sockets) == 1


def test_cancelling_after_the_last_phase_counts_too(clock: Clock) -> None:
    made = FakeSocket(0)
    dial = Dial(made, clock=clock)
    made.setsockopt = lambda *_: dial.cancel()

    assert is_cancellation(dial.fail(), "tcp")


def test_what_a_cancelled_socket_says_is_not_told(clock: Clock) -> None:
    dial = Dial(FakeSocket(WAITING, errno.ECONNABORTED), clock=clock)
    dial.waiter.plan.append(dial.cancel)

    assert is_cancellation(dial.fail(), "tcp")


def test_the_end_of_a_cancelled_stream_is_no_fault_of_the_proxy(clock: Clock) -> None:
    made = FakeSocket(0)
    dial = Dial(made, proxy=PROXY, clock=clock)
    dial.waiter.plan.append(lambda: (dial.cancel(), made.reads.append(b"")))

    assert is_cancellation(dial.fail(), "proxy")


def test_the_end_of_a_cancelled_stream_is_no_fault_of_tls(
    clock: Clock, certificates: Certificates
) -> None:
    made = FakeSocket(0)
    dial = Dial(made, tls=TLSOptions(cafile=certificates.ca_file), clock=clock)
    dial.waiter.plan.append(lambda: (dial.cancel(), made.reads.append(b"")))

    assert is_cancellation(dial.fail(), "tls")


# ---- a proxy ------------------------------------------------------------------------------------


def test_the_proxy_is_looked_up_and_asked_for_a_tunnel(clock: Clock) -> None:
    made = FakeSocket(0, reads=[OPEN])
    dial = Dial(made, proxy=PROXY, clock=clock)

    dial.succeed()

    assert dial.waiter.calls[0] == ("proxy.example", 3128, 30.0)
    assert made.sent.startswith(
        b"CONNECT server.example:80 HTTP/1.1\r\nHost: server.example:80\r\n"
    )
    assert b"User-Agent: me\r\n" in made.sent
    assert b"Authorization" not in made.sent
    assert set(dial.dialer.timings) == {"dns", "tcp", "proxy"}


@pytest.mark.parametrize("password", ["secret", None])
def test_the_proxy_gets_the_credentials(clock: Clock, password: str | None) -> None:
    made = FakeSocket(0, reads=[OPEN])

    Dial(made, proxy=Proxy("http", "proxy", 1, "user", password), clock=clock).succeed()

    encoded = b"dXNlcjpzZWNyZXQ=" if password else b"dXNlcjo="
    assert b"Proxy-Authorization: Basic " + encoded + b"\r\n" in made.sent


def test_what_comes_behind_the_answer_of_the_proxy_is_not_lost(clock: Clock) -> None:
    made = FakeSocket(0, reads=[OPEN[:10], OPEN[10:] + b"early"])

    channel = Dial(made, proxy=PROXY, clock=clock).succeed()

    assert (channel.is_ready, channel.receive()) == (True, b"early")


def test_a_proxy_that_refuses_fails(clock: Clock) -> None:
    made = FakeSocket(0, reads=[b"HTTP/1.1 403 Forbidden\r\n\r\n"])

    failure = Dial(made, proxy=PROXY, clock=clock).fail()

    assert (failure.phase, failure.kind, failure.retryable) == ("proxy", "proxy", False)
    assert "403" in str(failure)


def test_a_proxy_that_hangs_up_fails(clock: Clock) -> None:
    failure = Dial(FakeSocket(0, reads=[b""]), proxy=PROXY, clock=clock).fail()

    assert str(failure) == (
        "unable to connect to proxy; it ended the connection without an answer to CONNECT"
    )
    assert (failure.phase, failure.kind) == ("proxy", "proxy")


def test_a_proxy_that_is_silent_or_drips_fails_at_the_deadline(clock: Clock) -> None:
    made = FakeSocket(0)
    drip: list[float | Callable[[], object]] = [
        lambda: (made.reads.append(b"H"), setattr(clock, "now", clock.now + 20.0))
    ]
    made.reads.append(BlockingIOError())

    failure = Dial(made, proxy=PROXY, plan=drip, clock=clock).fail()

    assert str(failure) == (
        "unable to connect to proxy; time ran out (open_timeout) in phase proxy"
    )
    assert (failure.kind, clock.now) == ("timeout", 30.0)


def test_a_proxy_that_cannot_be_reached_is_named_as_the_one(clock: Clock) -> None:
    failure = Dial(FakeSocket(errno.ECONNREFUSED), proxy=PROXY, clock=clock).fail()

    assert str(failure).startswith("unable to connect to proxy; [Errno ")
    assert (failure.phase, failure.kind) == ("tcp", "refused")


def test_a_request_that_the_kernel_takes_in_parts_is_sent_whole(clock: Clock) -> None:
    made = FakeSocket(0, reads=[BlockingIOError(), OPEN])
    rooms = deque([10])
    send = made.send
    made.send = lambda data: send(data[: rooms.popleft()] if rooms else data)

    dial = Dial(made, proxy=PROXY, plan=[0.1], clock=clock)
    dial.succeed()

    assert dial.waiter.waits[0] == (30.0, True, True)
    assert made.sent.endswith(b"\r\n\r\n")


# ---- TLS ----------------------------------------------------------------------------------------


def serve(context: ssl.SSLContext) -> Callable[[bytes], bytes]:
    """Answer as a TLS server, as one of a socket's reads, over and over."""
    server, seen = ServerEnd(context), 0

    def answer(sent: bytes) -> bytes:
        nonlocal seen
        server.receive(sent[seen:])
        seen = len(sent)
        return server.take_outgoing()

    return answer


def test_tls_is_spoken_where_the_route_says_so(clock: Clock, certificates: Certificates) -> None:
    answer = serve(certificates.server_context())
    made = FakeSocket(0, reads=[BlockingIOError(), answer])
    options = TLSOptions(cafile=certificates.ca_file, server_hostname="localhost")
    dial = Dial(made, tls=options, plan=[0.25], clock=clock)

    channel = dial.succeed()

    assert dial.waiter.waits == [(30.0, True, False)]
    assert dial.dialer.timings == {"dns": 0.0, "tcp": 0.0, "tls": 0.25}
    assert channel.send(b"hello") == 5


def test_a_certificate_for_another_host_is_refused(
    clock: Clock, certificates: Certificates
) -> None:
    made = FakeSocket(0, reads=[BlockingIOError(), serve(certificates.server_context())])
    options = TLSOptions(cafile=certificates.ca_file)

    failure = Dial(made, tls=options, plan=[0.1], clock=clock).fail()

    assert (failure.phase, failure.kind, failure.retryable) == ("tls", "tls", False)
    assert "is for another host" in str(failure)


def test_a_server_that_is_silent_in_tls_fails_at_the_deadline(
    clock: Clock, certificates: Certificates
) -> None:
    options = TLSOptions(cafile=certificates.ca_file)

    failure = Dial(FakeSocket(0), tls=options, clock=clock).fail()

    assert (failure.phase, failure.kind, clock.now) == ("tls", "timeout", 30.0)


def test_a_file_of_authorities_that_is_missing_is_a_failure(clock: Clock) -> None:
    options = TLSOptions(cafile="/missing/ca.pem")

    failure = Dial(FakeSocket(0), tls=options, clock=clock).fail()

    assert (failure.phase, failure.kind, failure.retryable) == ("tls", "tls", False)
    assert "/missing/ca.pem" in str(failure)


def test_tls_through_a_tunnel_is_with_the_server(clock: Clock, certificates: Certificates) -> None:
    answer, begin = serve(certificates.server_context()), b"\r\n\r\n"
    made = FakeSocket(
        0, reads=[OPEN, BlockingIOError(), lambda sent: answer(sent.partition(begin)[2])]
    )
    options = TLSOptions(cafile=certificates.ca_file, server_hostname="localhost")

    Dial(made, proxy=PROXY, tls=options, plan=[0.1], clock=clock).succeed()

    assert made.sent.startswith(b"CONNECT server.example:80 ")


def test_an_https_proxy_is_spoken_to_over_tls_and_verified(
    clock: Clock, certificates: Certificates
) -> None:
    made = FakeSocket(0, reads=[BlockingIOError(), serve(certificates.server_context())])
    proxy = Proxy("https", "localhost", 3128)

    failure = Dial(made, proxy=proxy, plan=[0.1], clock=clock).fail()

    # The authority of this test is none of certifi's.
    assert (failure.phase, failure.kind) == ("proxy", "tls")
    assert b"CONNECT" not in made.sent


# ---- addresses ----------------------------------------------------------------------------------


class PinnedNames:
    """The standard library's resolver, patched to know names of its own."""

    def __init__(self) -> None:
        self.calls = 0
        self.pins = {"pinned": "127.0.0.1"}

    def __call__(self, host: str, *args: Any) -> Any:
        self.calls += 1
        return socket.getaddrinfo(self.pins.get(host, host), *args)


def test_an_address_is_looked_up_once() -> None:
    resolver = PinnedNames()

    first, second = (look_up_literal(resolver, "127.0.0.1", 80) for _ in range(2))

    assert first == second
    assert first[0][4] == ("127.0.0.1", 80)
    assert resolver.calls == 1


def test_a_name_that_somebody_has_pinned_is_looked_up_each_time() -> None:
    resolver = PinnedNames()
    look_up_literal(resolver, "pinned", 80)
    resolver.pins["pinned"] = "127.0.0.2"

    assert look_up_literal(resolver, "pinned", 80)[0][4] == ("127.0.0.2", 80)
