"""Follows a ticker that hangs up again and again, and comes back each time, until six ticks came.

Usage:

    python examples/ticker_with_persist.py [URL]
"""

from __future__ import annotations

from gevent.event import Event
from local_server import chosen_url

from lomond.events import BackOff, ConnectFail, Disconnected, Ready, Text
from lomond_gevent import persist

ENOUGH = 6


def main(url: str) -> None:
    """Print the ticks, and what happens to the connection."""
    enough = Event()
    ticks = 0
    # A server that you do not know deserves the default waits, 5 to 30 seconds.
    for event in persist(url, min_wait=0.5, max_wait=8, exit_event=enough):
        match event:
            case Ready():
                print("connected")
            case Text(text):
                ticks += 1
                print(f"tick {text}")
                if ticks == ENOUGH:
                    enough.set()
            case ConnectFail(reason) | Disconnected(reason):
                print(f"not connected: {reason}")
            case BackOff(delay):
                print(f"next attempt in {delay:.1f} s")


if __name__ == "__main__":
    with chosen_url(__doc__, "/ticker") as url:
        main(url)
