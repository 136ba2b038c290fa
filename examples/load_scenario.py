"""A scenario of one's own for the load generator: orders that are placed, answered and checked.

    lomond-load -c 50 --scenario examples/load_scenario.py:place_orders
    lomond-load wss://host/path -c 500 -d 2m --scenario examples/load_scenario.py:place_orders \
        --threshold 'checks==100%' --threshold 'timer.order.p95<300ms'
    python examples/load_scenario.py [URL]

Without a URL a server is started that echoes: each order is its own confirmation. All clients run
the function again and again, each in a greenlet of its own, until the load is over.
"""

from __future__ import annotations

import json
import sys

from lomond_gevent.load import Client, Plan, RequestTimeout, run

ORDERS = 3
PAUSE = 0.1  # seconds


def place_orders(client: Client) -> None:
    """Connect, and place some orders, one after the other."""
    client.connect(headers={"X-Client": str(client.number)})
    for number in range(ORDERS):
        order = f"{client.number}-{number}"

        def is_confirmation(message: str | bytes, order: str = order) -> bool:
            return json.loads(message).get("order") == order

        try:
            # What else the server sends is left unread, for `client.expect()` or `events()`.
            with client.timer("order"):
                answer = client.request(
                    json.dumps({"order": order, "item": "kelp"}), match=is_confirmation, timeout=5
                )
        except RequestTimeout:
            # It is counted; without this the client would begin anew, after a pause.
            continue
        client.check("the item is as ordered", json.loads(answer)["item"] == "kelp")
        client.sleep(PAUSE)


def main(url: str | None) -> int:
    """Run it from Python, and say how it went; return the exit status."""
    result = run(
        Plan(url=url, clients=20, duration=1.0, scenario=f"{__file__}:{place_orders.__name__}")
    )
    for name, (passed, failed) in result.checks.items():
        print(f"{name}: {passed} passed, {failed} failed")
    if orders := result.histograms.get("timer.order"):
        print(f"95 % of the orders took less than {orders.percentile(95) / 1000:.1f} ms")
    for (phase, kind), number in result.errors.items():
        print(f"{number} errors: {phase}, {kind}")
    return int(result.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
