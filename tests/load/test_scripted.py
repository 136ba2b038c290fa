"""Scenarios of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import gevent
import pytest
from gevent.event import Event

from lomond_gevent.load import Plan, PlanError, Result, run
from lomond_gevent.load.server import EmbeddedServer

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The embedded server, one for all of these tests."""
    with EmbeddedServer() as embedded:
        yield embedded.url


def load(tmp_path: Path, url: str, code: str, **options: Any) -> Result:
    """Run the function `scenario` of some code with two clients."""
    file = tmp_path / "mine.py"
    file.write_text(dedent(code))
    chosen = {"clients": 2, "duration": 0.3} | options
    return run(Plan(url=f"{url}/echo", scenario=f"{file}:scenario", **chosen))


def test_it_is_run_again_and_again_with_a_connection_each_time(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        """
        def scenario(client):
            client.connect()
            with client.timer("ask"):
                answer = client.request("hello")
            client.check("same", answer == "hello")
            client.sleep(0.1)
        """,
    )

    asked = result.histograms["timer.ask"].count
    assert asked == result.histograms["rtt"].count == result.checks["same"][0] >= 3
    assert result.counts["connections.opened"] == result.counts["connections.closed"] == asked
    assert result.errors == {} and not result.failed


def test_a_match_finds_the_answer_and_leaves_the_others_unread(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        """
        def scenario(client):
            client.connect()
            client.send("news")
            client.send(b"more")
            answer = client.request("answer 7", match=lambda m: str(m).endswith("7"))
            client.check("answer", answer == "answer 7")
            client.check("unread", client.expect() == "news")
            client.check("word for word", client.expect(b"more", timeout=1) == b"more")
            client.sleep(1)
        """,
    )

    assert result.checks == {"answer": (2, 0), "unread": (2, 0), "word for word": (2, 0)}


def test_events_yields_messages_until_the_load_is_over(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        """
        def scenario(client):
            client.connect()
            client.send("one")
            try:
                for event in client.events():
                    client.check(event.name, event.text == "one")
            finally:
                client.check("over", client.is_over)
        """,
    )

    assert result.checks == {"text": (2, 0), "over": (2, 0)}
    assert result.counts["connections.closed"] == 2


def test_a_request_without_an_answer_is_timed_out(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        """
        from lomond_gevent.load import RequestTimeout
        def scenario(client):
            client.connect()
            try:
                client.request("x", match="y", timeout=0.1)
            except RequestTimeout as error:
                client.check("told", "0.1 s" in str(error))
            client.sleep(1)
        """,
    )

    assert result.errors == {("request", "timeout"): 2}
    assert result.counts["requests.timed_out"] == 2
    assert result.checks["told"] == (2, 0)


def test_a_failed_check_and_an_exception_are_errors(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        """
        def scenario(client):
            client.connect()
            client.check("never", False)
            raise LookupError("no such thing")
        """,
        duration=0.2,
    )

    assert result.checks["never"] == (0, 2)
    assert result.errors == {("check", "mismatch"): 2, ("scenario", "exception"): 2}
    assert any("LookupError: no such thing (mine.py:5)" in text for text in result.warnings)


def test_a_function_may_import_what_lies_beside_its_file_while_it_runs(
    tmp_path: Path, server: str
) -> None:
    (tmp_path / "beside_the_scenario.py").write_text("ANSWER = 42")
    path = list(sys.path)

    result = load(
        tmp_path,
        server,
        """
        def scenario(client):
            import beside_the_scenario
            client.check("imported", beside_the_scenario.ANSWER == 42)
            client.sleep(1)
        """,
        duration=0.1,
    )

    assert result.checks == {"imported": (2, 0)}
    assert sys.path == path


def test_a_function_that_exits_is_an_exception_like_any_other(tmp_path: Path, server: str) -> None:
    code = "import sys\ndef scenario(client):\n    sys.exit(3)\n"
    result = load(tmp_path, server, code, duration=0.2)

    assert result.errors == {("scenario", "exception"): 2}
    assert any("SystemExit: 3 (mine.py:3)" in text for text in result.warnings)


def test_messages_that_nobody_reads_do_not_hold_a_client_up(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        f"""
        def scenario(client):
            client.connect("{server}/flood?size=2000")
            client.sleep(0.2)
            client.close()
        """,
        duration=0.6,
    )

    assert result.counts["connections.closed"] > 2
    assert result.errors == {}
    assert any("more than 1,000 unread messages" in text for text in result.warnings)


def test_an_answer_behind_a_thousand_others_is_found(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        """
        def scenario(client):
            client.connect()
            for number in range(1500):
                client.send(str(number))
            client.check("last", client.request("the answer", match="the answer", timeout=9))
            client.check("dropped", client.expect() == "501")
            client.sleep(60)
        """,
        duration=1.0,
    )

    assert result.checks["last"] == (2, 0)
    assert result.checks["dropped"] == (2, 0)


def test_using_a_client_that_is_not_connected_ends_that_run(tmp_path: Path, server: str) -> None:
    result = load(
        tmp_path,
        server,
        """
        from lomond_gevent.load import NotConnected
        def scenario(client):
            try:
                client.send("x")
            except NotConnected:
                client.check("told", True)
            client.sleep(1)
        """,
        duration=0.2,
    )

    assert result.checks["told"] == (2, 0)


def test_a_function_that_returns_at_once_does_not_stop_the_load(
    tmp_path: Path, server: str
) -> None:
    result = load(tmp_path, server, "def scenario(client): pass", duration=0.2)

    assert result.duration < 2
    assert result.counts["connections.attempted"] == 0


def test_stop_ends_a_function_that_sleeps(tmp_path: Path, server: str) -> None:
    file = tmp_path / "sleeper.py"
    file.write_text("def scenario(client):\n    client.connect()\n    client.sleep(60)\n")
    stop = Event()
    gevent.spawn_later(0.3, stop.set)

    plan = Plan(url=f"{server}/echo", clients=2, duration=60, scenario=f"{file}:scenario")
    result = run(plan, stop=stop)

    assert result.counts["connections.closed"] == 2
    assert result.errors == {}


@pytest.mark.parametrize(
    ("code", "name", "said"),
    [
        ("def other(client): pass", "scenario", "no function 'scenario'; it has other"),
        ("import nowhere_to_be_found", "scenario", r"ModuleNotFoundError.*bad\.py:1"),
        ("raise SystemExit(0)", "scenario", r"SystemExit: 0 .*bad\.py:1"),
        ("def scenario(:", "scenario", r"SyntaxError.*bad\.py:1"),
    ],
)
def test_a_file_that_will_not_do_is_a_plan_error(
    tmp_path: Path, code: str, name: str, said: str
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(code)

    with pytest.raises(PlanError, match=said):
        run(Plan(url="ws://127.0.0.1:9/", scenario=f"{file}:{name}"))


def test_a_file_that_is_not_there_is_a_plan_error(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no scenario file"):
        run(Plan(url="ws://127.0.0.1:9/", scenario=f"{tmp_path}/none.py:scenario"))
