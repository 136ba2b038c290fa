"""One connection's socket: the verbs that every world has, and what they share.

A transport connects, waits and closes; the socket itself never blocks, and is read and written
through its channel. How one waits
is what differs: `lomond.blocking` for threads, `lomond_gevent.transport` for greenlets. What
the bytes mean does not belong here.
"""

from __future__ import annotations

import contextlib
import socket as _socket
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import inf
from types import MappingProxyType
from typing import Any, Protocol

from lomond.channel import Channel
from lomond.dialing import Address, Dialer
from lomond.errors import WebSocketUnavailable
from lomond.forks import PROCESS
from lomond.route import Route

# How soon an exit event is seen that nothing but asking tells about, in seconds.
EXIT_EVENT_INTERVAL = 0.25

# Shared, since an empty dict for each idle connection is 64 bytes of nothing.
_NO_TIMINGS: Mapping[str, float] = MappingProxyType({})

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ExitEvent(Protocol):
    """What is needed of a `threading.Event`, or gevent's, that ends a connection."""

    def is_set(self) -> bool:
        """Tell whether to end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it to be set, `timeout` seconds at most; tell whether it is."""


# No abstract class for Python: what is to be compiled can have no metaclass.
class Transport:
    """One connection: make it once, use it until `close`.

    One thread at a time reads or writes (the session's state lock sees to that); any number
    may wait. `wake`, `cancel` and `close` are for any thread.
    """

    __slots__ = (
        "_exit_event",
        "_generation",
        "_is_cancelled",
        "_socket",
        "channel",
        "interval",
        "timings",
    )

    def __init__(self, exit_event: ExitEvent | None = None) -> None:
        """Open nothing yet; an `exit_event` that is set counts as `cancel` while connecting."""
        self.timings: Mapping[str, float] = _NO_TIMINGS
        self.interval = inf
        """At which deadlines are likely to follow one another, in seconds."""
        self._exit_event = exit_event
        self._is_cancelled = False
        self._generation = PROCESS.generation
        # Set by `connect`, in this order.
        self._socket: _socket.socket | None = None
        self.channel: Channel | None = None

    # ---- making the connection ------------------------------------------------------------

    def connect(self, route: Route, deadline: float) -> None:
        """Connect by `deadline` (monotonic seconds); raises ConnectFail."""
        dialer = Dialer(self, route, deadline)
        self.timings = dialer.timings
        self.channel = dialer.dial()

    def take_timings(self) -> Mapping[str, float]:
        """Return the seconds that each phase of connecting took, and forget them."""
        timings, self.timings = self.timings, _NO_TIMINGS
        return timings

    def look_up(self, host: str, port: int, deadline: float) -> list[Address]:
        """Find the addresses of a host; TimeoutError at `deadline` or when cancelled."""
        raise NotImplementedError

    def attach(self, address: Address) -> _socket.socket:
        """Make a non-blocking socket that `wait` watches from now on."""
        socket = self.make_socket(address)
        socket.setblocking(False)
        self._socket = socket
        return socket

    def make_socket(self, address: Address) -> _socket.socket:
        """Make the kind of socket that this world waits for."""
        raise NotImplementedError

    def detach(self) -> None:
        """Close that socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # ---- using it -------------------------------------------------------------------------

    def wait(self, deadline: float, readable: bool = True, writable: bool = False) -> bool:
        """Return when the socket is ready, at `deadline`, or when woken; or for nothing.

        True means that the clock is the reason, as far as one knows: reading need not be tried.
        """
        raise NotImplementedError

    def wait_to_send(self, deadline: float, readable: bool = False) -> None:
        """Return when the socket takes more, at `deadline`, or when cancelled; or for nothing."""
        raise NotImplementedError

    # ---- ending it, from any thread -------------------------------------------------------

    def wake(self) -> None:
        """Have `wait` return."""
        raise NotImplementedError

    def cancel(self) -> None:
        """End the connection for whoever waits for it; `close` has to follow."""
        self._is_cancelled = True
        self.shut_down()
        self.wake()

    @property
    def is_cancelled(self) -> bool:
        """Tell whether the application has changed its mind."""
        return self._is_cancelled or (self._exit_event is not None and self._exit_event.is_set())

    def shut_down(self) -> None:
        """End the stream in both directions; what has arrived can still be read."""
        socket = self._socket
        if socket is not None and not self.is_foreign:
            # Raises where the socket is not connected (yet), or not any more.
            with contextlib.suppress(OSError):
                socket.shutdown(_socket.SHUT_RDWR)

    @property
    def is_foreign(self) -> bool:
        """Tell whether this process is a fork of the one that made the connection."""
        return self._generation != PROCESS.generation

    def check_process(self) -> None:
        """Raise WebSocketUnavailable in a process that has forked off since."""
        if self._generation != PROCESS.generation:
            raise WebSocketUnavailable(
                "the connection belongs to the parent process: connect again after the fork"
            )

    def close(self, reset: bool = False) -> None:
        """Close the socket; never raises, never waits.

        With `reset` what the peer has not taken is thrown away, instead of staying with the
        kernel until it has. In a forked process only the descriptor is closed: `shutdown()` or
        close_notify would end the parent's connection.
        """
        raise NotImplementedError

    def _say_goodbye(self, reset: bool) -> None:
        if reset and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, _RESET_ON_CLOSE)
        elif self.channel is not None:
            self.channel.close()
        self.shut_down()


def look_up_literal(getaddrinfo: Callable[..., list[Any]], host: str, port: int) -> list[Address]:
    """Return the address that `host` is, none if it is a name.

    An address needs no resolver: the standard library takes 5 µs for it, where gevent's would
    take 62 to 150.
    """
    # A name does not end in a digit, as a rule, nor has it a colon; somebody who has patched the
    # standard library's answers names here, too, today with this and tomorrow with that.
    if ":" in host or host[-1:].isdecimal():
        return _look_up_address(getaddrinfo, host, port)
    return _look_up_address.__wrapped__(getaddrinfo, host, port)


# Of an address nothing else can become later. Without this, looking it up was a twentieth of what
# a connection took.
@lru_cache(maxsize=64)
def _look_up_address(getaddrinfo: Callable[..., list[Any]], host: str, port: int) -> list[Address]:
    try:
        return getaddrinfo(host, port, 0, _socket.SOCK_STREAM, 0, _socket.AI_NUMERICHOST)
    except OSError:
        return []


def look_up_name(
    getaddrinfo: Callable[..., list[Any]], host: str, port: int
) -> list[Address] | OSError:
    """Return the addresses of `host`, or what the resolver has against it."""
    try:
        return getaddrinfo(host, port, 0, _socket.SOCK_STREAM)
    except UnicodeError as error:
        # A label of more than 63 characters, say: the standard library tells it like this.
        return _socket.gaierror(_socket.EAI_NONAME, f"{host!r} is no host name: {error}")
    except OSError as error:
        return error
