"""A TLS context of one's own: it trusts one authority only, and speaks nothing below TLS 1.3.

    python examples/custom_tls_context.py [URL CAFILE]

Without arguments it starts a server with a certificate made for the occasion (by `trustme`).
"""

from __future__ import annotations

import ssl
import sys
import tempfile
from pathlib import Path

from local_server import LocalServer

from lomond import WebSocket
from lomond.events import Connected, Ready, Text
from lomond_gevent import connect


def main(url: str, cafile: str) -> None:
    """Have one message echoed over TLS."""
    context = ssl.create_default_context(cafile=cafile)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The context decides alone: it is used as it is, in greenlets as in threads.
    websocket = WebSocket(url, ssl_context=context)
    for event in connect(websocket):
        print(event)
        match event:
            case Connected():
                print(f"  certificate verified: {event.verified}")
                print(f"  the TLS handshake took {event.timings['tls'] * 1000:.1f} ms")
            case Ready():
                websocket.send_text("a secret")
            case Text():
                websocket.close()


def run_with_local_server() -> None:
    """Make an authority and a server that it vouches for, and talk to that."""
    try:
        import trustme
    except ImportError:
        sys.exit("give a URL and a CA file, or: pip install trustme")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    with tempfile.TemporaryDirectory() as directory:
        cafile, certfile = Path(directory, "ca.pem"), Path(directory, "server.pem")
        authority.cert_pem.write_to_path(str(cafile))
        certificate.private_key_and_cert_chain_pem.write_to_path(str(certfile))
        with LocalServer(certfile) as server:
            main(server.url + "/echo", str(cafile))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    elif len(sys.argv) == 1:
        run_with_local_server()
    else:
        sys.exit(__doc__)
