"""What a WebSocket is configured with, and what follows from it for one connection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lomond.arguments import Headers, check_compress, check_headers, check_protocols
from lomond.constants import USER_AGENT
from lomond.errors import ConnectFail
from lomond.protocol.deflate import DeflateOffer
from lomond.protocol.handshake import RequestForm, UpgradeRequest, check_custom_header
from lomond.protocol.settings import MIB, Settings
from lomond.proxies import (
    check_proxies,
    choose_proxy,
    no_proxy_from_environment,
    proxies_from_environment,
    read_environment,
)
from lomond.route import Route
from lomond.state import State
from lomond.tls import TLSOptions
from lomond.tracing import TraceCallback, Tracer
from lomond.url import WebSocketURL, parse_url

if TYPE_CHECKING:
    import ssl


_MAX_MESSAGE_SIZE = 64 * MIB
_MAX_FRAGMENTS = 131_072
_DEFAULT_TLS = TLSOptions()
_NOTHING_NAMED = (None,) * 5

# Checked once, and kept once, for thousands of connections that are made alike.
_share_settings = lru_cache(maxsize=64, typed=True)(Settings)


# So is this: making a request for the object and one for its connection was a fifth of what a
# connection took.
@lru_cache(maxsize=16, typed=True)
def _share_form(
    url: WebSocketURL,
    protocols: tuple[str, ...],
    agent: str,
    headers: tuple[tuple[str, str], ...],
    deflate: DeflateOffer | None,
) -> RequestForm:
    return RequestForm(
        host=url.host_header,
        resource=url.resource,
        protocols=protocols,
        agent=agent,
        headers=headers,
        deflate=deflate,
        authorization=url.authorization,
    )


class Options:
    """The options of a WebSocket, as attributes that count from the next connection on."""

    # Most are left alone: an instance has only those that are not, 128 bytes less for each.
    agent: str = USER_AGENT
    compress: bool | DeflateOffer = False
    ssl_verify: bool = True
    ssl_cafile: str | os.PathLike[str] | None = None
    ssl_context: ssl.SSLContext | None = None
    ssl_certfile: str | os.PathLike[str] | None = None
    ssl_keyfile: str | os.PathLike[str] | None = None
    server_hostname: str | None = None
    max_message_size: int = _MAX_MESSAGE_SIZE
    max_fragments: int = _MAX_FRAGMENTS
    trace: TraceCallback | bool | None = None
    _headers: tuple[tuple[str, str], ...] = ()
    _fresh_headers: Callable[[], Headers] | None = None
    _no_proxy: str | None = None
    # Those of the environment, which others have as well, or those of this object alone.
    _shared_proxies: Mapping[str, str | None] = MappingProxyType({})
    _own_proxies: Mapping[str, str | None] | None = None

    def __init__(
        self,
        url: str,
        protocols: Iterable[str] | None = None,
        agent: str | None = None,
        *,
        headers: Headers | Callable[[], Headers] | None = None,
        proxies: Mapping[str, str | None] | None = None,
        compress: bool | DeflateOffer = False,
        ssl_verify: bool = True,
        ssl_cafile: str | os.PathLike[str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        ssl_certfile: str | os.PathLike[str] | None = None,
        ssl_keyfile: str | os.PathLike[str] | None = None,
        server_hostname: str | None = None,
        max_message_size: int = _MAX_MESSAGE_SIZE,
        max_fragments: int = _MAX_FRAGMENTS,
        trace: TraceCallback | bool | None = None,
    ) -> None:
        """Keep the options; nothing is opened.

        Args:
            url: a ws:// or wss:// URL. User and password in it become an Authorization header.
            protocols: sub-protocols to offer (RFC 6455 §1.9), the preferred one first.
            agent: the value of the User-Agent header; None for `lomond.constants.USER_AGENT`.
            headers: further headers of the upgrade request: a mapping, pairs, or a callable that
                gives either, called afresh for each connection.
            proxies: HTTP proxies by URL, `{"http": …, "https": …}`, for ws and wss; None takes
                them from the environment, `{}` connects directly.
            compress: offer permessage-deflate (RFC 7692), True with its defaults.
            ssl_verify: False accepts any certificate, and warns once.
            ssl_cafile: a PEM file of trusted authorities; None for certifi's.
            ssl_context: a context of your own, which then decides alone; it is never changed.
            ssl_certfile: a PEM file with the client's certificate.
            ssl_keyfile: a PEM file with its key, if `ssl_certfile` does not hold it.
            server_hostname: the name to verify, where it is not the URL's host.
            max_message_size: the longest message to accept, in bytes, inflated.
            max_fragments: the most frames to accept in one message.
            trace: a callable that gets a dict for each thing that happens
                (`lomond.tracing`), or True for the log.

        Raises:
            TypeError, ValueError: an argument is wrong, or contradicts another.
        """
        self._url = parse_url(url)
        self.url = url
        self.protocols = [] if protocols is None else check_protocols(protocols)
        if callable(headers):
            self._fresh_headers = headers
        elif headers is not None:
            self._headers = tuple(check_headers(headers))
        if proxies is None:
            environ = read_environment()
            self._shared_proxies = proxies_from_environment(environ)
            self._keep(_no_proxy=no_proxy_from_environment(environ))
        else:
            check_proxies(proxies)
            self.proxies = proxies
        self._keep(
            agent=USER_AGENT if agent is None else agent,
            compress=compress,
            ssl_verify=ssl_verify,
            ssl_cafile=ssl_cafile,
            ssl_context=ssl_context,
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
            server_hostname=server_hostname,
            max_message_size=max_message_size,
            max_fragments=max_fragments,
            trace=trace,
        )
        self.make_settings()
        # The callable is for connections: it may fetch a token that would be old by then.
        self.state = self._make_state(self._headers)

    @property
    def proxies(self) -> Mapping[str, str | None]:
        """Return the proxies by "http" and "https", an object of this one's own to change."""
        if self._own_proxies is None:
            self._own_proxies = dict(self._shared_proxies)
        return self._own_proxies

    @proxies.setter
    def proxies(self, proxies: Mapping[str, str | None]) -> None:
        self._own_proxies = proxies

    def _keep(self, **options: Any) -> None:
        for name, value in options.items():
            # What was passed counts, not what a subclass has by that name.
            if value is not getattr(type(self), name):
                setattr(self, name, value)

    @property
    def safe_url(self) -> str:
        """Return the URL with user and password hidden."""
        return self._url.redacted

    @property
    def scheme(self) -> str:
        """Return "ws" or "wss"."""
        return self._url.scheme

    @property
    def host(self) -> str:
        """Return the server's name or address, IPv6 without brackets."""
        return self._url.host

    @property
    def port(self) -> int:
        """Return the server's port."""
        return self._url.port

    @property
    def resource(self) -> str:
        """Return path and query."""
        return self._url.resource

    @property
    def is_secure(self) -> bool:
        """Tell whether the connection runs over TLS."""
        return self._url.is_secure

    def add_header(self, header: str | bytes, value: str | bytes) -> None:
        """Add a header to the upgrade request of every connection from now on.

        A Host, User-Agent or Authorization takes the place of ours. Raises TypeError or
        ValueError for what no header can be, and for those that the handshake consists of.
        """
        pair = check_custom_header(header, value)
        if self.state.session is None:
            # Who has no session calls `build_request` next.
            request = self.state.request
            request.form = replace(request.form, headers=(*request.form.headers, pair))
        self._headers += (pair,)

    def make_settings(self, **times: Any) -> Settings:
        """Return the numbers for one connection: these times, and this object's limits."""
        times["max_message_size"] = self.max_message_size
        times["max_fragments"] = self.max_fragments
        # Of the wrong type, perhaps one that cannot be looked up: then the error is made below.
        with suppress(TypeError):
            return _share_settings(**times)
        return Settings(**times)

    def make_state(self) -> State:
        """Begin anew: a new key, fresh headers. Raises TypeError or ValueError for bad options."""
        fresh = [] if self._fresh_headers is None else check_headers(self._fresh_headers())
        return self._make_state((*self._headers, *fresh))

    def _make_state(self, headers: tuple[tuple[str, str], ...]) -> State:
        request = UpgradeRequest.begin(self._make_form(headers))
        tracer = Tracer(self.trace, self.safe_url) if self.trace else None
        return State(request, self._make_tls_options(), tracer)

    def _make_form(self, headers: tuple[tuple[str, str], ...]) -> RequestForm:
        protocols = tuple(check_protocols(self.protocols))
        parts = (self._url, protocols, self.agent, headers, check_compress(self.compress))
        with suppress(TypeError):  # as above
            return _share_form(*parts)
        return _share_form.__wrapped__(*parts)

    def choose_route(self, tls: TLSOptions | None) -> Route:
        """Return the way to the server; ConnectFail where the environment's proxy is no URL."""
        try:
            proxy = choose_proxy(
                self._shared_proxies if self._own_proxies is None else self._own_proxies,
                self._no_proxy,
                is_secure=self.is_secure,
                host=self.host,
                port=self.port,
            )
        except ValueError as error:
            raise ConnectFail(str(error), phase="proxy", kind="proxy", retryable=False) from error
        return Route(self.host, self.port, tls, proxy, self.agent)

    def _make_tls_options(self) -> TLSOptions | None:
        paths = (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile)
        named = (*paths, self.ssl_context, self.server_hostname)
        if self.ssl_verify is True and named == _NOTHING_NAMED:
            return _DEFAULT_TLS if self.is_secure else None
        options = TLSOptions(
            verify=self.ssl_verify,
            cafile=self.ssl_cafile,
            context=self.ssl_context,
            server_hostname=self.server_hostname,
            certfile=self.ssl_certfile,
            keyfile=self.ssl_keyfile,
        )
        return options if self.is_secure else None
