"""The demo does what it promises, says so in a table, and fails where anything is unexpected."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.local_server import LocalServer
from tests.helpers.echo_server import EchoServer

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "examples.demo"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
ENVIRONMENT |= {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
DEADLINE = 60
INTERRUPTED = 130

ROW = re.compile(r"│ +(?P<measure>.*?)  +(?P<value>[\d,.]+)(?: [a-zA-Z]+)?  (?P<event>.*?) +│")


def run_demo(*options: str, limits: str = "") -> subprocess.CompletedProcess[str]:
    """Run the demo to its end, under `ulimit` with these limits if any."""
    command = [*COMMAND, *options]
    if limits:
        command = ["bash", "-c", f'ulimit {limits} && exec "$@"', "bash", *command]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@contextmanager
def started_demo(*options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo beside the test, from the moment in which all are connected."""
    with subprocess.Popen(
        [*COMMAND, *options],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "connect " not in process.stdout.readline():
            assert process.poll() is None
        yield process


def measures_in(output: str) -> dict[str, str]:
    """Return the left half of the table."""
    return {row["measure"]: row["value"] for row in ROW.finditer(output)}


def events_in(output: str) -> dict[str, int]:
    """Return the right half of the table."""
    found = re.findall(r"(\w+) +([\d,]+) │", output)
    return {name: int(count.replace(",", "")) for name, count in found}


def test_fifty_clients_do_all_that_was_asked_of_them() -> None:
    done = run_demo("--clients", "50")

    assert done.returncode == 0, done.stdout
    measures = measures_in(done.stdout)
    assert measures["connections made"] == "50"
    assert measures["connections failed"] == "0"
    assert measures["round trips checked"] == "500"
    assert measures["graceful closes"] == "50"
    assert "everything as expected" in done.stdout


def test_the_table_has_measurements_of_everything() -> None:
    measures = measures_in(run_demo("--clients", "50").stdout)

    names = ["connects per second", "memory per connection (RSS)", "median latency"]
    names += ["99th percentile", "paced, per second", "flat out, per second"]
    assert all(float(measures[name].replace(",", "")) > 0 for name in names)


def test_the_table_counts_the_events() -> None:
    events = events_in(run_demo("--clients", "20", "--trips", "3").stdout)

    once = ("Connecting", "Connected", "Ready", "Pong", "Closed", "Disconnected")
    assert {name: events[name] for name in once} == dict.fromkeys(once, 20)
    assert events["Text"] == 60
    assert events["Poll"] >= 20


def test_one_client_with_one_round_trip_is_enough() -> None:
    done = run_demo("--clients", "1", "--trips", "1")

    assert done.returncode == 0, done.stdout


def test_a_low_soft_limit_on_open_files_is_raised() -> None:
    done = run_demo("--clients", "100", limits="-Sn 64")

    assert done.returncode == 0, done.stdout


def test_a_low_hard_limit_on_open_files_is_explained() -> None:
    done = run_demo("--clients", "200", limits="-n 300")

    assert done.returncode == 1
    assert "200 connections need 400 open files, and this process may have 300" in done.stdout
    assert "make demo CLIENTS=100" in done.stdout


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/reject?status=401", "not connected: Websocket upgrade failed (code=401)"),
        ("/push?n=1", "a message that was not asked for"),
        ("/close?code=1001", "unexpected: Closing(code=1001, reason='')"),
    ],
)
def test_a_server_that_does_not_echo_is_a_failure(
    path: str, complaint: str, echo_server: EchoServer
) -> None:
    done = run_demo("--clients", "5", "--url", echo_server.url_for(path))

    assert done.returncode == 1
    assert f"the first connection went wrong, {complaint}" in done.stdout


def test_a_server_that_is_lost_on_the_way_is_a_failure() -> None:
    server = LocalServer()
    with server, started_demo("--clients", "20", "--rate", "20", "--url", server.url) as demo:
        server.__exit__(None, None, None)
        output, _ = demo.communicate(timeout=DEADLINE)

    assert demo.returncode == 1
    assert "disconnected in phase open: socket fail; " in output
    assert "graceful closes: 0 instead of 20" in output
    assert measures_in(output)["connections made"] == "20"


def test_an_interrupt_ends_it_in_order() -> None:
    with started_demo("--clients", "50", "--rate", "20") as demo:
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=DEADLINE)

    assert demo.returncode == INTERRUPTED
    assert output.splitlines()[-1].endswith("interrupted; all connections are closed")
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "options", [("--clients", "0"), ("--clients", "many"), ("--url", "http://example.org")]
)
def test_a_wrong_option_is_refused(options: tuple[str, str]) -> None:
    done = run_demo(*options)

    assert done.returncode == 2
    assert f"argument {options[0]}: " in done.stdout
