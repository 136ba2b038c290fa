"""An HTTP proxy that knows CONNECT only (RFC 9110 §9.3.6), and misbehaves where it is told to.

    with ConnectProxy(credentials=("user", "secret")) as proxy:
        events = list(WebSocket(url, proxies={"http": proxy.url_for("user", "secret")}))
    assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:")

Answers that are wrong in themselves are written with a ScriptedServer instead.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import threading
from types import TracebackType

from tests.helpers.scripted_server import Peer, ScriptedServer
from tests.helpers.streams import PlainStream

__all__ = ["ConnectProxy"]

TARGET = re.compile(rb"CONNECT \[?([^ \]]+?)\]?:(\d+) HTTP/1\.1\r\n")

# Seconds that a tunnel has to end by itself when the test is over.
GRACE = 0.5


class ConnectProxy(ScriptedServer):
    """Tunnels to where the client asks, or always to `forward_to`; `tls` makes it an https proxy.

    credentials: (user, password) to ask for; without them it answers 407.
    refuse_with: the status code to answer every request with.
    silent: take the request and never answer. drop: take the request and hang up.
    """

    def __init__(
        self,
        *,
        credentials: tuple[str, str] | None = None,
        refuse_with: int | None = None,
        silent: bool = False,
        drop: bool = False,
        forward_to: tuple[str, int] | None = None,
        tls: ssl.SSLContext | None = None,
        deadline: float = 10.0,
    ) -> None:
        super().__init__(self._serve, tls=tls, deadline=deadline)
        self.requests: list[bytes] = []
        self._credentials = credentials
        self._refuse_with = refuse_with
        self._silent = silent
        self._drop = drop
        self._forward_to = forward_to
        self._upstreams: list[PlainStream] = []

    @property
    def url(self) -> str:
        """The URL of the proxy, without credentials."""
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}"

    def url_for(self, user: str, password: str) -> str:
        """Return the URL of the proxy with credentials, which must be percent-encoded."""
        return self.url.replace("://", f"://{user}:{password}@")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Whoever holds a tunnel open would do so for ever; what is still on its way may arrive.
        self.stopping.set()
        self._join(GRACE)
        self.interrupt()
        super().__exit__(kind, error, traceback)

    def interrupt(self) -> None:
        """End all tunnels, at both ends."""
        super().interrupt()
        for upstream in list(self._upstreams):
            upstream.interrupt()

    def _serve(self, peer: Peer) -> None:
        request = peer.read_request()
        self.requests.append(request)
        if self._silent:
            peer.hold()
        elif self._drop:
            return
        elif self._refuse_with is not None:
            peer.send(self._refusal(self._refuse_with))
        elif not self._is_allowed(request):
            peer.send(self._refusal(407, 'Proxy-Authenticate: Basic realm="tests"'))
        else:
            self._tunnel(peer, self._forward_to or self._target(request))

    def _is_allowed(self, request: bytes) -> bool:
        if self._credentials is None:
            return True
        expected = base64.b64encode(":".join(self._credentials).encode())
        return b"\r\nProxy-Authorization: Basic " + expected + b"\r\n" in request

    def _refusal(self, status: int, *headers: str) -> bytes:
        lines = [f"HTTP/1.1 {status} Refused", "Content-Length: 0", *headers, "", ""]
        return "\r\n".join(lines).encode()

    def _target(self, request: bytes) -> tuple[str, int]:
        found = TARGET.match(request)
        assert found, f"not a CONNECT request: {request!r}"
        return found[1].decode(), int(found[2])

    def _tunnel(self, peer: Peer, target: tuple[str, int]) -> None:
        try:
            upstream = PlainStream(socket.create_connection(target, timeout=self.deadline))
        except OSError:
            peer.send(self._refusal(502))
            return
        self._upstreams.append(upstream)
        for stream in (peer.stream, upstream):
            stream.socket.settimeout(None)
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        down = threading.Thread(target=self._pump, args=(upstream, peer.stream), daemon=True)
        down.start()
        self._pump(peer.stream, upstream)
        down.join()
        upstream.socket.close()

    def _pump(self, source: PlainStream, sink: PlainStream) -> None:
        # Either end may reset the connection: that ends this direction like a FIN.
        with contextlib.suppress(OSError):
            while data := source.receive():
                sink.send(data)
        sink.finish()
