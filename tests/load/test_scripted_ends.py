"""How calls of a scenario of the user's own end, and that none of them holds up the load."""

from __future__ import annotations

import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import Plan, PlanError, Result, run, swarm
from lomond_gevent.load.report.findings import Findings
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.scripted_server import Peer, Script, ScriptedServer

pytestmark = pytest.mark.loopback

REQUEST = """
    def scenario(client):
        client.connect()
        while True:
            client.request("hello")
"""


def load(tmp_path: Path, script: Script, code: str, **options: Any) -> Result:
    """Load a scripted server with one client that runs the function `scenario` of some code."""
    file = tmp_path / "mine.py"
    file.write_text(dedent(code))
    chosen = {"clients": 1, "duration": 0.2, "ping_rate": 0, "close_timeout": 0.2} | options
    with ScriptedServer(script) as server:
        return run(Plan(url=server.url, scenario=f"{file}:scenario", **chosen))


def echo(peer: Peer) -> None:
    """Send everything back."""
    peer.accept_upgrade()
    first_byte = 0
    while first_byte != 0x88:
        first_byte, payload = peer.read_frame()
        peer.send(server_frame(first_byte, payload))


class Goodbye:
    """A script that answers so many messages, and closes instead of answering the next."""

    def __init__(self, answers: int) -> None:
        self._answers = answers

    def __call__(self, peer: Peer) -> None:
        peer.accept_upgrade()
        for _ in range(self._answers):
            peer.send(server_frame(*peer.read_frame()))
        peer.read_frame()
        peer.send(server_frame(0x88, close_payload(1000)))
        peer.read_frame()


@pytest.mark.parametrize("answers", [0, 2])
def test_a_goodbye_in_place_of_an_answer_is_one_failure(tmp_path: Path, answers: int) -> None:
    result = load(tmp_path, Goodbye(answers), REQUEST)

    assert result.errors == {("request", "closed 1000"): 1}
    assert result.counts["requests.unfinished"] == result.counts["connections.cut_off"] == 1
    assert result.counts["connections.closed"] == 1


def test_who_reads_events_is_told_of_a_goodbye_that_comes_before_any_message(
    tmp_path: Path,
) -> None:
    result = load(
        tmp_path,
        Goodbye(0),
        """
        def scenario(client):
            client.connect()
            client.send("hello")
            client.check("told", [event.name for event in client.events()] == ["disconnected"])
            client.sleep(1)
        """,
    )

    assert result.checks == {"told": (1, 0)}
    assert result.errors == {}


def test_a_connection_that_is_lost_leaves_its_request_unfinished(tmp_path: Path) -> None:
    def end(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.read_frame()

    result = load(tmp_path, end, REQUEST)

    assert result.errors == {("open", "eof"): 1}
    assert result.counts["requests.unfinished"] == result.counts["connections.cut_off"] == 1


def test_a_call_without_a_connection_is_an_error(tmp_path: Path) -> None:
    result = load(tmp_path, echo, "def scenario(client): client.request('hello')")

    assert result.errors == {("scenario", "not connected"): 1}
    assert Findings(result).verdict == "1 error, no connection was opened"


def test_a_late_answer_is_not_taken_for_that_to_the_next_request(tmp_path: Path) -> None:
    def answer_late(peer: Peer) -> None:
        peer.accept_upgrade()
        first = peer.read_frame()
        second = peer.read_frame()
        peer.send(server_frame(*first))
        peer.send(server_frame(*second))
        peer.send(server_frame(*peer.read_frame()))

    result = load(
        tmp_path,
        answer_late,
        """
        def scenario(client):
            client.connect()
            try:
                client.request("one", timeout=0.05)
            except TimeoutError:
                client.check("its own", client.request("two", timeout=5) == "two")
            client.sleep(1)
        """,
    )

    assert result.checks == {"its own": (1, 0)}
    assert result.counts["requests.timed_out"] == result.counts["requests.late"] == 1
    assert result.histograms["rtt"].max >= 50_000
    assert any("give request() a match" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    "call",
    [
        "client.sleep(0)",
        "client.send('hello')",
        "client.check('all is well', True)",
        "client.is_over",
        "client.timer('time').__enter__()",
    ],
)
def test_calls_that_never_wait_do_not_hold_up_the_end(tmp_path: Path, call: str) -> None:
    code = f"def scenario(client):\n  client.connect()\n  while not client.is_over: {call}"

    assert load(tmp_path, echo, code, duration=0.1).duration < 2


@pytest.mark.parametrize(
    ("catch", "call"),
    [("Exception", "request('hello')"), ("Exception", "expect(timeout=0)"), ("", "send('x')")],
)
def test_who_catches_what_ends_a_call_and_goes_on_does_not_hold_up_the_end(
    tmp_path: Path, catch: str, call: str
) -> None:
    code = f"""
        import time
        def scenario(client):
            client.connect()
            client.send("hello")
            stop = time.monotonic() + 0.5
            while time.monotonic() < stop:
                try: client.{call}
                except {catch}: pass
    """

    assert load(tmp_path, Goodbye(0), code, duration=0.1).duration < 0.4


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("async def scenario(client): client.connect()", "is async or a generator"),
        ("def scenario(client): yield client.connect()", "is async or a generator"),
        ("class Made:\n  async def __call__(self, client): pass\nscenario = Made()", "is async"),
        ("def scenario(): pass", "cannot be called with a client"),
        ("def scenario(client, more): pass", "cannot be called with a client"),
    ],
)
def test_a_function_that_would_run_nothing_is_refused(tmp_path: Path, code: str, said: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(code)

    with pytest.raises(PlanError, match=said):
        run(Plan(url="ws://127.0.0.1:9/", scenario=f"{file}:scenario"))


def test_the_end_of_a_load_waits_no_longer_than_need_be_once_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "SHORT_PATIENCE", 0.1)
    stop = Event()
    gevent.spawn_later(0.5, stop.set)

    def take_and_hold(peer: Peer) -> None:
        peer.accept_upgrade()
        peer.hold()

    began = time.monotonic()
    with ScriptedServer(take_and_hold) as server:
        plan = Plan(url=server.url, clients=1, duration=0.1, close_timeout=0.1)
        result = run(plan, stop=stop)

    assert time.monotonic() - began < 5
    assert not result.interrupted
    assert result.counts["requests.unfinished"] == 1
