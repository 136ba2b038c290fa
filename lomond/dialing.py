"""From a name to a channel: look-up, TCP, the proxy's tunnel and TLS, under one deadline.

The order of the phases and the translation of their errors are here, once for every kind of
transport; how one waits is the transport's.
"""

from __future__ import annotations

import errno
import os
import socket as _socket
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol, TypeAlias, TypeVar

from lomond.channel import Channel, SocketChannel, TLSChannel
from lomond.errors import ConnectFail, Phase
from lomond.failures import connect_fail
from lomond.protocol.tunnel import TunnelReader, build_connect_request
from lomond.proxies import Proxy
from lomond.route import Route
from lomond.tls import TLSOptions, context_for

Address: TypeAlias = tuple[int, int, int, str, Any]
"""What `socket.getaddrinfo` gives: family, type, protocol, canonical name, socket address."""

_Result = TypeVar("_Result")

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


class Waiter(Protocol):
    """What dialing needs of a transport."""

    @property
    def is_cancelled(self) -> bool:
        """Tell whether the application has changed its mind."""

    def look_up(self, host: str, port: int, deadline: float) -> list[Address]:
        """Find the addresses of a host; TimeoutError at `deadline` or when cancelled."""

    def attach(self, address: Address) -> _socket.socket:
        """Make a non-blocking socket that `wait` watches from now on."""

    def detach(self) -> None:
        """Close that socket."""

    def wait(self, deadline: float, readable: bool = True, writable: bool = False) -> object:
        """Return when the socket is ready, at `deadline`, or when cancelled; or for nothing."""


class Dialer:
    """Make one connection.

    `dial` raises ConnectFail, for anything that the network or a peer does, and leaves the
    socket to the transport. `timings` then has the seconds spent in each phase.
    """

    def __init__(self, waiter: Waiter, route: Route, deadline: float) -> None:
        self.timings: dict[str, float] = {}
        self._waiter = waiter
        self._route = route
        self._deadline = deadline
        self._prefix = "unable to connect to proxy" if route.proxy else "unable to connect"

    def dial(self) -> Channel:
        """Go through the phases; return a channel to the server."""
        route, proxy = self._route, self._route.proxy
        first = (proxy.host, proxy.port) if proxy else (route.host, route.port)
        addresses = self._go_through("dns", self._waiter.look_up, *first, self._deadline)
        socket = self._go_through("tcp", self._connect_any, addresses)
        channel: Channel = SocketChannel(socket)
        if proxy is not None:
            channel = self._go_through("proxy", self._pass_proxy, channel, proxy)
            self._prefix = "unable to connect"
        if route.tls is not None:
            channel = self._go_through("tls", self._start_tls, channel, route.host, route.tls)
        if self._waiter.is_cancelled:
            raise self._give_up("tcp")
        return channel

    def _go_through(self, phase: Phase, act: Callable[..., _Result], *args: Any) -> _Result:
        if self._waiter.is_cancelled:
            raise self._give_up(phase)
        started = monotonic()
        try:
            result = act(*args)
        except (OSError, ConnectFail) as error:
            has_no_time = isinstance(error, TimeoutError) and error.errno is None
            # Whatever it looks like then: who cancels shuts the socket down.
            if has_no_time or self._waiter.is_cancelled:
                raise self._give_up(phase) from error
            if isinstance(error, ConnectFail):
                raise
            raise connect_fail(error, phase, self._prefix) from error
        self.timings[phase] = monotonic() - started
        return result

    def _give_up(self, phase: Phase) -> ConnectFail:
        if self._waiter.is_cancelled:
            return ConnectFail("closed before the connection was made", phase=phase, kind="closed")
        text = f"{self._prefix}; time ran out (open_timeout) in phase {phase}"
        return ConnectFail(text, phase=phase, kind="timeout")

    def _wait(self, deadline: float, *, readable: bool, writable: bool) -> None:
        """Wait once; TimeoutError if there is no more time, or no more wish."""
        if self._waiter.is_cancelled or monotonic() >= deadline:
            raise TimeoutError
        self._waiter.wait(deadline, readable, writable)

    def _connect_any(self, addresses: list[Address]) -> _socket.socket:
        """Try one address after the other, each with its share of the time that is left."""
        failures: list[OSError] = []
        for index, address in enumerate(addresses):
            now = monotonic()
            deadline = now + (self._deadline - now) / (len(addresses) - index)
            try:
                return self._connect_one(address, deadline)
            except OSError as error:
                failures.append(error)
                self._waiter.detach()
            if self._waiter.is_cancelled:
                raise TimeoutError
        if all(isinstance(error, TimeoutError) and error.errno is None for error in failures):
            raise TimeoutError
        last = failures[-1]
        if len(failures) == 1 or last.errno is None:
            raise last
        raise OSError(last.errno, "; ".join(str(error) or "timed out" for error in failures))

    def _connect_one(self, address: Address, deadline: float) -> _socket.socket:
        socket = self._waiter.attach(address)
        status = socket.connect_ex(address[4])
        # Within one machine it is made by now, and a look costs a hundredth of what a wait does.
        # Here the stack is at its deepest, too: a greenlet that waits leaves a hole of that size
        # in the heap, 1.2 KiB for each idle connection.
        if status in _UNDER_WAY and _is_connected(socket):
            status = 0
        while status in _UNDER_WAY:
            self._wait(deadline, readable=False, writable=True)
            status = socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
            if status == 0 and not _is_connected(socket):
                status = errno.EINPROGRESS
        if status:
            raise OSError(status, f"{os.strerror(status)} ({_show(address)})")
        # A small message must not wait for the acknowledgement of the last one (RFC 896).
        socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        return socket

    def _pass_proxy(self, channel: Channel, proxy: Proxy) -> Channel:
        if proxy.scheme == "https":
            channel = self._start_tls(channel, proxy.host, TLSOptions())
        self._open_tunnel(channel, proxy)
        return channel

    def _start_tls(self, below: Channel, host: str, options: TLSOptions) -> TLSChannel:
        channel = TLSChannel(below, context_for(options), options.server_hostname or host)
        while not channel.handshake():
            self._wait(self._deadline, readable=True, writable=not channel.flush())
        return channel

    def _open_tunnel(self, channel: Channel, proxy: Proxy) -> None:
        route = self._route
        credentials = None
        if proxy.username is not None:
            credentials = (proxy.username, proxy.password or "")
        request = build_connect_request(route.host, route.port, credentials, route.agent)
        reader = TunnelReader()
        while True:
            request = request[channel.send(request) :] if request else request
            is_written = channel.flush() and not request
            data = channel.receive()
            if data == b"":
                raise ConnectFail(
                    f"{self._prefix}; it ended the connection without an answer to CONNECT",
                    phase="proxy",
                    kind="proxy",
                )
            if data is not None and reader.feed(data):
                channel.unread(reader.rest)
                return
            if data is None:
                self._wait(self._deadline, readable=True, writable=not is_written)


def _is_connected(socket: _socket.socket) -> bool:
    # A wake carries no meaning: no error yet does not mean a connection yet.
    try:
        socket.getpeername()
    except OSError:
        return False
    return True


def _show(address: Address) -> str:
    host, port = address[4][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
