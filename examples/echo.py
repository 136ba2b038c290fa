"""Says something to a server that echoes, and prints every event of the connection.

Usage:

    python examples/echo.py [URL]
"""

from __future__ import annotations

from local_server import chosen_url

from lomond import WebSocket
from lomond.events import Ready, Text


def main(url: str) -> None:
    """Send a greeting, and close once it comes back."""
    websocket = WebSocket(url)
    for event in websocket.connect():
        print(event)
        match event:
            case Ready():
                websocket.send_text("Hello, loch!")
            case Text("Hello, loch!"):
                websocket.close()


if __name__ == "__main__":
    with chosen_url(__doc__, "/echo") as url:
        main(url)
