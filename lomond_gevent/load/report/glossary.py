"""The names of all that is measured, and what each of them means in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Term(NamedTuple):
    """What a metric is called in reports, and what it means."""

    title: str
    meaning: str


# What is late and what is missing, told wherever a latency's meaning is.
ANSWERED_ONLY = " (late ones as well; what is never answered is an error, and in no percentile)"
LATE_AS_WELL = " (late ones as well; what never comes is an error, and in no percentile)"

HISTOGRAMS = {
    "connect": Term("connect", "from the beginning of a connection until messages may be sent"),
    "connect.dns": Term("  DNS", "looking up the server's address"),
    "connect.tcp": Term("  TCP", "the TCP handshake"),
    "connect.tls": Term("  TLS", "the TLS handshake"),
    "connect.upgrade": Term("  upgrade", "from the request of the upgrade to its answer"),
    "rtt": Term("round trip", f"from sending a message until its answer has come{ANSWERED_ONLY}"),
    "rtt.service": Term("  from send", "from a message's actual send until its answer has come"),
    "delivery": Term("delivery", f"from one client's send until another received it{LATE_AS_WELL}"),
    "delivery.service": Term("  from send", "from the actual send until another received it"),
    "ping": Term("ping", "from a ping until its pong has come"),
    "first_message": Term("first message", "from an open connection until its first message"),
    "session": Term("session", "how long a connection was open"),
    "lag": Term("hub lag", "how late this process itself came to what was due"),
}
# What these are where a schedule says when to send.
SCHEDULED = {
    "rtt": f"from the send that the schedule intended until the answer has come{ANSWERED_ONLY}",
    "delivery": f"from the send that the schedule intended until others received it{LATE_AS_WELL}",
}
# The timers of the user's own scenario.
TIMER = "timer."

COUNTS = {
    "connections.attempted": Term("attempted", "connections that were begun"),
    "connections.opened": Term("opened", "connections that came to send and receive"),
    "connections.failed": Term("failed", "connections that were never opened"),
    "connections.unfinished": Term("unfinished", "connections that an interrupt gave up"),
    "connections.lost": Term("lost", "open connections that ended without a closing handshake"),
    "connections.cut_off": Term("cut off", "connections that ended too soon for an answer"),
    "connections.closed": Term("closed", "open connections that ended as they should"),
    "messages.sent": Term("sent", "messages sent"),
    "messages.received": Term("received", "messages received"),
    "bytes.sent": Term("sent", "bytes of messages sent"),
    "bytes.received": Term("received", "bytes of messages received"),
    "requests.timed_out": Term("timed out", "requests that had no answer in time"),
    "requests.late": Term("late", "answers that came after their request had timed out"),
    "requests.unfinished": Term("unfinished", "requests whose answer was still out at the end"),
    "sends.skipped": Term("skipped", "messages of the schedule that no client could send"),
    "sends.behind": Term("behind", "messages of the schedule that had not left at the end"),
}

PHASES = {
    "dns": "looking up the address",
    "tcp": "connecting",
    "proxy": "asking the proxy",
    "tls": "the TLS handshake",
    "handshake": "the upgrade to WebSocket",
    "open": "while the connection was open",
    "closing": "the closing handshake",
    "request": "waiting for an answer",
    "check": "a check of the scenario",
    "scenario": "the scenario's own code",
    "process": "a process of the load generator",
}

# RFC 6455 §7.4.1 and the registry of close codes.
CLOSE_CODES = {
    1000: "normal",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no code given",
    1006: "no closing handshake",
    1007: "invalid data",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension missing",
    1011: "server error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
}


def describe_histogram(name: str, is_scheduled: bool) -> Term:
    """Return the term of a histogram, one of the user's timers included.

    `is_scheduled` tells whether messages leave on a schedule: the plan has a `rate`.
    """
    if name.startswith(TIMER):
        return Term(name.removeprefix(TIMER), "a timer of the scenario")
    term = HISTOGRAMS.get(name, Term(name, ""))
    return Term(term.title, SCHEDULED[name]) if is_scheduled and name in SCHEDULED else term


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names of histograms: the known ones as above, then the user's timers."""
    given = set(names)
    return [name for name in HISTOGRAMS if name in given] + sorted(given - set(HISTOGRAMS))
