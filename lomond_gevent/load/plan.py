"""What a load consists of: every option, checked before anything happens.

A plan is plain data. How it is carried out is in `running`; what the machine has to say to it,
in `preflight`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from math import isfinite
from typing import Any, Literal

from lomond.url import redact_url
from lomond.websocket import WebSocket
from lomond_gevent.load.redaction import HIDDEN, hide_secrets, hide_tokens, is_secret
from lomond_gevent.load.stages import Course

BUILT_IN = ("connect", "idle", "echo", "flood", "fanout")
"""The scenarios that need no file."""
PACED = ("echo", "fanout")
"""Those whose messages `rate` can put on a schedule."""
UNTHINKING = ("idle", "flood")
"""Those whose clients send nothing, and so have nothing to think about."""
FANOUT_HEAD = 44
"""How many bytes a message of `fanout` has at least: it tells which it is, and its times."""

_FILE = re.compile(r".+\.py:[A-Za-z_]\w*")
TINY = 1e-9


class PlanError(ValueError):
    """A plan that cannot be carried out; the text says which option, which value, what to do."""


class LoadError(RuntimeError):
    """A load that could not begin, though its plan is right; the text says what has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All options of a load. Durations are in seconds, rates per second, sizes in bytes.

    Raises PlanError for a value that makes no sense, or contradicts another.
    """

    url: str | None = None
    """Where to; None starts the embedded server, and loads that."""
    clients: int = 100
    """How many clients at once; not used with `arrivals`, nor with `stages` in the closed model."""
    ramp: float = 0.0
    """Over how long the clients come. 0: all connect first, and the load begins with the last."""
    duration: float = 10.0
    """How long the load lasts, behind the ramp; not used with `stages`."""
    rate: float | None = None
    """Messages per second over all clients, on a schedule that waits for nobody: open model."""
    arrivals: float | None = None
    """New clients per second, however those before them fare: open model."""
    lifetime: float | None = None
    """How long each client of `arrivals` lives; None for until the end."""
    stages: tuple[tuple[float, float], ...] = ()
    """Seconds and a target each: the number of clients (closed), `rate` or `arrivals` (open)."""
    think: float = 0.0
    """How long a client waits between an answer and its next message (closed)."""
    scenario: str = "echo"
    """One of `BUILT_IN`, or "file.py:function"."""
    size: int = 64
    """The payload of a message."""
    binary: bool = False
    phase_spread: bool = True
    """Spread the clients' messages evenly; False has all of them send in lockstep."""
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compress: bool = False
    insecure: bool = False
    cafile: str | None = None
    """A PEM file of the authorities to trust."""
    certfile: str | None = None
    """A PEM file with the clients' certificate, for a server that asks for one."""
    keyfile: str | None = None
    """A PEM file with its key, if `certfile` does not hold it."""
    sources: tuple[str, ...] = ()
    """Local addresses to connect from, which the clients share; () lets the system choose."""
    proxy: str | None = None
    """URL of an HTTP proxy; "" for none; None for what the environment says."""
    ping_rate: float = 30.0
    """Each client sends a ping this often; 0 for never."""
    ping_timeout: float | None = None
    poll: float = 5.0
    open_timeout: float = 30.0
    close_timeout: float = 5.0
    request_timeout: float = 10.0
    """An answer that takes longer counts as an error."""
    max_message_size: int | None = None
    processes: int = 1
    connect_concurrency: int = 100
    """How many handshakes may be under way at once, in each process."""
    thresholds: tuple[str, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_stages(self)
        _check_model(self)
        _check_scenario(self.scenario)
        _check_connection(self)
        try:
            self.make_websocket(self.url or "ws://127.0.0.1/")
        except (TypeError, ValueError) as error:
            raise PlanError(str(error)) from None

    @property
    def model(self) -> Literal["closed", "open"]:
        """Return whether the load waits for answers ("closed") or keeps a schedule ("open")."""
        return "closed" if self.rate is None and self.arrivals is None else "open"

    @property
    def course(self) -> Course:
        """Return what the plan is led by: clients in the closed model, else a rate."""
        if self.arrivals is not None or self.rate is not None:
            aim = self.arrivals if self.arrivals is not None else self.rate
            assert aim is not None
            stages = self.stages or ((self.ramp, aim), (self.duration, aim))
            return Course(aim if self.stages else 0.0, stages)
        aim = float(self.clients)
        return Course(0.0, self.stages or ((self.ramp, aim), (self.duration, aim)))

    @property
    def most_clients(self) -> int:
        """Return how many clients there may be at once, as far as the plan tells."""
        if self.arrivals is not None:
            course = self.course
            lives = course.duration if self.lifetime is None else self.lifetime
            return int(min(course.highest * lives, course.area(course.duration))) + 1
        if self.rate is None and self.stages:
            return int(self.course.highest)
        return self.clients

    @property
    def is_custom(self) -> bool:
        """Return whether the scenario is the user's own."""
        return self.scenario not in BUILT_IN

    def make_websocket(self, url: str, headers: tuple[tuple[str, str], ...] = ()) -> WebSocket:
        """Make what one client connects with; TypeError or ValueError for bad options."""
        proxies = None
        if self.proxy is not None:
            proxies = {"http": self.proxy, "https": self.proxy} if self.proxy else {}
        options: dict[str, Any] = {}
        if self.max_message_size is not None:
            options["max_message_size"] = self.max_message_size
        return WebSocket(
            url,
            protocols=self.subprotocols or None,
            headers=(*self.headers, *headers) or None,
            proxies=proxies,
            compress=self.compress,
            ssl_verify=not self.insecure,
            ssl_cafile=self.cafile,
            ssl_certfile=self.certfile,
            ssl_keyfile=self.keyfile,
            **options,
        )

    def make_connect_options(self) -> dict[str, Any]:
        """Return the arguments of `WebSocket.connect`, which are the same for all clients."""
        # Pings are the members' own, for they are timed; they are sent at polls.
        poll = min(self.poll, self.ping_rate) if self.ping_rate else self.poll
        return {
            "poll": poll,
            "ping_rate": 0,
            "ping_timeout": self.ping_timeout,
            "open_timeout": self.open_timeout,
            "close_timeout": self.close_timeout,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return every option for JSON; what may be secret is hidden."""
        data = asdict(self)
        data["headers"] = [
            [name, HIDDEN if is_secret(name) else value] for name, value in self.headers
        ]
        data["url"] = None if self.url is None else hide_secrets(self.url)
        data["proxy"] = redact_url(self.proxy) if self.proxy else self.proxy
        data["sources"] = list(self.sources)
        data["stages"] = [list(stage) for stage in self.stages]
        data["subprotocols"] = hide_tokens(self.subprotocols)
        data["thresholds"] = list(self.thresholds)
        data["model"] = self.model
        return data


def _check_numbers(plan: Plan) -> None:
    for name in ("clients", "processes", "connect_concurrency"):
        _check_whole(name, getattr(plan, name), 1)
    _check_whole("size", plan.size, 0)
    if plan.max_message_size is not None:
        _check_whole("max_message_size", plan.max_message_size, 1)
    for name in ("ramp", "think", "ping_rate"):
        _check_number(name, getattr(plan, name))
    for name in ("poll", "open_timeout", "close_timeout", "request_timeout"):
        _check_number(name, getattr(plan, name), above=0)
    for name in ("arrivals", "rate"):
        if getattr(plan, name) is not None:
            # With stages it is only where they start.
            _check_number(name, getattr(plan, name), above=None if plan.stages else 0)
    for name in ("lifetime", "ping_timeout"):
        if getattr(plan, name) is not None:
            _check_number(name, getattr(plan, name), above=0)
    if not plan.stages:
        _check_number("duration", plan.duration, above=0)


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PlanError(f"{name} must be a whole number of {least} or more, not {value!r}")


def _check_number(name: str, value: Any, above: int | None = None) -> None:
    least = 0.0 if above is None else TINY
    is_number = type(value) in (int, float)
    if not is_number or not isfinite(value) or value < least:
        said = "0 or more" if above is None else "more than 0"
        raise PlanError(f"{name} must be a number, {said}, not {value!r}")


def _check_stages(plan: Plan) -> None:
    stage: Any
    for stage in plan.stages:
        if not isinstance(stage, tuple) or len(stage) != 2:
            raise PlanError(f"a stage is a pair of seconds and a target, not {stage!r}")
        _check_number("the seconds of a stage", stage[0])
        _check_number("the target of a stage", stage[1])
    if not plan.stages:
        return
    if plan.ramp:
        raise PlanError(f"ramp {plan.ramp} and stages exclude each other: begin with a stage")
    if sum(seconds for seconds, _ in plan.stages) <= 0:
        raise PlanError("stages must last for some time, such as 10s:100")
    if max(target for _, target in plan.stages) <= 0:
        raise PlanError("stages must lead to more than 0 at least once, such as 10s:100,10s:0")


def _check_model(plan: Plan) -> None:
    if plan.rate is not None and plan.arrivals is not None:
        raise PlanError(
            f"rate {plan.rate:g} and arrivals {plan.arrivals:g} exclude each other: "
            "choose messages per second or new clients per second"
        )
    if plan.rate is not None and plan.scenario not in PACED:
        raise PlanError(
            f"rate is for the scenarios {' and '.join(PACED)}, not for {plan.scenario!r}: "
            "for an open model take arrivals"
        )
    if plan.rate is not None and plan.think:
        raise PlanError(f"think {plan.think:g} has no meaning with rate, which sets the pace")
    if plan.think and plan.scenario in UNTHINKING:
        raise PlanError(f"think {plan.think:g} has no meaning for {plan.scenario!r}: leave it out")
    if plan.lifetime is not None and plan.arrivals is None:
        raise PlanError(f"lifetime {plan.lifetime:g} is for arrivals: give arrivals as well")
    if plan.scenario == "fanout" and plan.arrivals is not None:
        raise PlanError("fanout needs clients that stay: give clients, not arrivals")
    if plan.scenario == "fanout" and plan.size < FANOUT_HEAD:
        raise PlanError(f"size {plan.size} is too small for fanout: {FANOUT_HEAD} or more")
    if plan.processes > plan.clients and plan.arrivals is None:
        raise PlanError(
            f"processes {plan.processes} are more than clients {plan.clients}: "
            "each needs a client at least"
        )


def _check_scenario(scenario: str) -> None:
    if scenario not in BUILT_IN and not _FILE.fullmatch(scenario):
        raise PlanError(
            f"there is no scenario {scenario!r}: take one of {', '.join(BUILT_IN)}, "
            "or file.py:function for your own"
        )


def _check_connection(plan: Plan) -> None:
    if plan.keyfile is not None and plan.certfile is None:
        raise PlanError(f"keyfile {plan.keyfile} needs the certificate that it is for: give both")
    for source in plan.sources:
        try:
            ip_address(source)
        except ValueError:
            raise PlanError(
                f"sources must be addresses of this machine, such as 192.0.2.7, not {source!r}"
            ) from None
