"""What a scenario's function runs into, raised by the calls of its `Client` (see there)."""

from __future__ import annotations


class PlanOver(BaseException):
    """The load is over: let it pass, as it ends the scenario's function."""


class ScenarioError(Exception):
    """What a scenario has run into, counted already; ends this run of it unless it is caught."""


class NotConnected(ScenarioError):
    """There is no connection: `connect` failed, or was not called."""


class ConnectionLost(ScenarioError):
    """The connection ended while the scenario waited or sent."""


class RequestTimeout(ScenarioError, TimeoutError):
    """What was waited for did not come in time."""
