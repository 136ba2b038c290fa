"""Local addresses to connect from: one has as many ports as clients can have connections.

Which client has which address is in here, and how a socket gets it. How a connection is made, and
what it is used for, is not.
"""

from __future__ import annotations

import errno
import socket as _socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from lomond.dialing import Address
from lomond_gevent.load.plan import PlanError
from lomond_gevent.session import GeventSession
from lomond_gevent.transport import GeventTransport

# Linux: with it the kernel chooses the port when it knows the other end as well, so that each pair
# of addresses has all ports. Without it a bound socket takes a port from all others.
# Python has the name from 3.11 on; the number is that of linux/in.h.
BIND_ADDRESS_NO_PORT: int | None = getattr(
    _socket, "IP_BIND_ADDRESS_NO_PORT", 24 if sys.platform == "linux" else None
)


def make_session_classes(sources: Sequence[str]) -> tuple[type[GeventSession], ...]:
    """Return a session class for each address, or the plain one where there is none."""
    return tuple(map(_make_session_class, sources)) or (GeventSession,)


def check_sources(sources: Sequence[str], url: str | None) -> None:
    """Raise PlanError for an address that nothing can connect from, or not to this URL."""
    target = "127.0.0.1" if url is None else urlsplit(url).hostname or ""
    for source in sources:
        if is_address(target) and family_of(source) != family_of(target):
            raise PlanError(
                f"sources {source} cannot reach {target}, which is of the other family (IPv4, "
                "IPv6): give addresses of the same"
            )
        with _socket.socket(family_of(source), _socket.SOCK_STREAM) as socket:
            try:
                bind(socket, source)
            except OSError as error:
                raise PlanError(
                    f"sources {source} cannot be connected from ({error.strerror}): "
                    "give addresses that this machine has"
                ) from None


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def family_of(source: str) -> int:
    """Return the address family of an IP address."""
    return _socket.AF_INET6 if ":" in source else _socket.AF_INET


def bind(socket: _socket.socket, source: str) -> None:
    """Have a socket connect from an address, and leave the port to the kernel."""
    if BIND_ADDRESS_NO_PORT is not None:
        socket.setsockopt(_socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
    socket.bind((source, 0))


def _make_session_class(source: str) -> type[GeventSession]:
    class SourceTransport(GeventTransport):
        __slots__ = ()

        def make_socket(self, address: Address) -> _socket.socket:
            """Make a socket that connects from this address."""
            if address[0] != family_of(source):
                # Of a name with addresses of both families, one is reached from here.
                raise OSError(errno.EAFNOSUPPORT, f"{address[4][0]} is not reached from {source}")
            socket = super().make_socket(address)
            try:
                bind(socket, source)
            except OSError:
                socket.close()
                raise
            return socket

    class SourceSession(GeventSession):
        transport_class = SourceTransport

    return SourceSession
