"""A load generator for WebSocket servers: thousands of honest clients from one process.

    from lomond_gevent.load import Plan, run

    result = run(Plan(url="ws://127.0.0.1:8765/echo", clients=1000, duration=30, rate=5000))
    print(result.histograms["rtt"].percentile(99) / 1000, "ms")

`lomond-load` is the same as a command.

To be read in this order: `plan` is what to do, `result` what comes of it, `running` how one
becomes the other. `swarm` leads the clients of a process, `member` is one client's life, `echo`,
`fanout`, `scenarios` and `scripted` what it does with its connection (`client`, `waiting` and
`inbox` are what a scenario of the user's own works with), `pacer` sends on time.
`metrics` and `histogram` take the measurements, `watch` and `collector` make seconds of them,
`processes` puts several cores to it, each with its `share`, and `sources` several addresses.
`capacity` computes how much of all this a load takes.
"""

from lomond_gevent.load.client import Client
from lomond_gevent.load.client_errors import (
    ConnectionLost,
    NotConnected,
    PlanOver,
    RequestTimeout,
    ScenarioError,
)
from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.plan import LoadError, Plan, PlanError
from lomond_gevent.load.preflight import PreflightError
from lomond_gevent.load.result import Live, Result, Second
from lomond_gevent.load.running import run

__all__ = [
    "Client",
    "ConnectionLost",
    "Histogram",
    "Live",
    "LoadError",
    "NotConnected",
    "Plan",
    "PlanError",
    "PlanOver",
    "PreflightError",
    "RequestTimeout",
    "Result",
    "ScenarioError",
    "Second",
    "run",
]
