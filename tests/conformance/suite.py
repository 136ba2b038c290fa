"""What a fuzzing server of the Autobahn|Testsuite is asked, and how its cases are run.

The server is spoken to by the client under test, and by nothing else:

| path | what it does |
|---|---|
| /getCaseCount | sends how many cases there are |
| /getCaseInfo?case= | sends id and description of a case, as JSON |
| /runCase?case=&agent= | runs a case against whoever echoes, and keeps the result for that agent |
| /getCaseStatus?case=&agent= | sends how the agent behaved in a case, as JSON |
| /updateReports?agent= | writes the report, which has the verdict on the closes too |

Cases are named by number, from 1 on.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import urlencode

from lomond import WebSocket, events
from lomond.errors import TransportFail, WebSocketUnavailable

# Seconds that the server may take for one case, long ones with a large COUNT included.
CASE_DEADLINE = 300.0
# How often the deadline is looked at.
POLL = 1.0
ANSWER_DEADLINE = 60.0


class Case(NamedTuple):
    """A case, as the server describes it."""

    number: int
    id: str
    description: str


class Outcome(NamedTuple):
    """How a case went, as this side saw it."""

    seconds: float
    """How long it took."""
    problem: str
    """Why the connection did not end as RFC 6455 §7 has it; "" if it did."""
    is_crash: bool = False
    """Whether the client raised what it never should; no verdict makes that good."""


class SuiteError(Exception):
    """The server cannot be reached, or answers with what is no answer."""


class Suite:
    """The cases of one server, for one session class and under one name."""

    def __init__(self, server: str, session_class: Callable[[WebSocket], Any], agent: str) -> None:
        """Connect to nothing yet; `server` is a URL without a path."""
        self._server = server.rstrip("/")
        self._session_class = session_class
        self.agent = agent

    def count_cases(self) -> int:
        """Ask how many cases there are."""
        return int(self._ask("/getCaseCount"))

    def describe(self, number: int) -> Case:
        """Ask what a case is about."""
        info = json.loads(self._ask("/getCaseInfo", case=number))
        return Case(number, info["id"], info["description"])

    def ask_behavior(self, number: int) -> str:
        """Ask for the server's verdict on a case, which leaves out how it was closed."""
        answer = json.loads(self._ask("/getCaseStatus", case=number, agent=self.agent))
        return str(answer["behavior"])

    def update_reports(self) -> None:
        """Have the server write its report; return once it has."""
        for _ in self._converse(ANSWER_DEADLINE, "/updateReports", agent=self.agent):
            # There is no answer but the end.
            continue

    def run(self, number: int) -> Outcome:
        """Run a case: echo every message until the server, or a violation, ends it."""
        begin = monotonic()
        try:
            problem, is_crash = explain_end(self._echo(number)), False
        except Exception as error:  # a bug of the client, which must not keep the rest from running
            problem, is_crash = f"the client raised {error!r}", True
        return Outcome(monotonic() - begin, problem, is_crash)

    def _echo(self, number: int) -> events.Event | None:
        last: events.Event | None = None
        websocket = self._make_websocket("/runCase", case=number, agent=self.agent)
        for event in self._events(websocket, CASE_DEADLINE):
            last = event
            # Where a case ends the connection under an echo, the last event tells how.
            with contextlib.suppress(TransportFail, WebSocketUnavailable):
                if isinstance(event, events.Text):
                    websocket.send_text(event.text)
                elif isinstance(event, events.Binary):
                    websocket.send_binary(event.data)
        return last

    def _ask(self, path: str, **query: object) -> str:
        answers = [event.text for event in self._converse(ANSWER_DEADLINE, path, **query)]
        if len(answers) != 1:
            raise SuiteError(f"{self._server}{path} sent {len(answers)} messages, not 1")
        return answers[0]

    def _converse(self, deadline: float, path: str, **query: object) -> Iterator[events.Text]:
        for event in self._events(self._make_websocket(path, **query), deadline):
            if isinstance(event, (events.ConnectFail, events.Rejected)):
                raise SuiteError(f"{self._server}{path}: {event.reason}")
            if isinstance(event, events.Text):
                yield event

    def _make_websocket(self, path: str, **query: object) -> WebSocket:
        url = f"{self._server}{path}?{urlencode(query)}"
        return WebSocket(url, compress=True, proxies={})

    def _events(self, websocket: WebSocket, seconds: float) -> Iterator[events.Event]:
        """Yield the events of a connection without pings of ours.

        The server answers one at once, also within a frame that it sends in chops (6.4.3, 6.4.4).
        """
        deadline = monotonic() + seconds
        for event in websocket.connect(self._session_class, poll=POLL, ping_rate=0):
            yield event
            if monotonic() > deadline:
                websocket.force_disconnect()


def explain_end(last: events.Event | None) -> str:
    """Say what was wrong with the end of a connection, "" for nothing.

    Right are a closing handshake, whoever began it, and our Close frame after a violation of the
    server's (RFC 6455 §7.1.7).
    """
    if not isinstance(last, events.Disconnected):
        return f"the connection was never made: {last}"
    is_failed_by_us = last.kind in ("protocol", "limit") and last.closed_by == "client"
    return "" if last.graceful or is_failed_by_us else last.reason
