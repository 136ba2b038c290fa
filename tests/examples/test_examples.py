"""Each example starts as it stands, and does what its docstring says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.certificates import Certificates
from tests.helpers.echo_server import EchoServer

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
# What the examples share, and no examples themselves.
SHARED = {"server", "local_server"}
# Seconds for any of them, the start of its process included.
DEADLINE = 60


@contextmanager
def started_example(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start an example as a user would."""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with subprocess.Popen(
        [sys.executable, "-W", "error::DeprecationWarning", f"examples/{name}.py", *arguments],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process


def run_example(name: str, *arguments: str) -> list[str]:
    """Run an example to its end, and return the lines it prints; it has to succeed."""
    with started_example(name, *arguments) as process:
        output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output
    return output.splitlines()


def test_echo_has_its_greeting_echoed_and_closes(echo_server: EchoServer) -> None:
    lines = run_example("echo", echo_server.url)

    assert "Text(text='Hello, loch!')" in lines
    assert lines[-1] == "Disconnected(reason='closed', graceful=True)"


def test_the_ticker_comes_back_after_the_server_hung_up(echo_server: EchoServer) -> None:
    lines = run_example("ticker_with_persist", echo_server.url_for("/feed"))

    ticks = [line for line in lines if line.startswith("tick")]
    assert ticks == ["tick 0", "tick 1", "tick 2"] * 2
    assert lines.count("connected") == 2
    assert lines[-1] == "not connected: closed"


def test_the_chat_sends_what_is_typed_and_prints_what_comes(echo_server: EchoServer) -> None:
    with started_example("chat_from_two_greenlets", echo_server.url) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("hello\n")
        chat.stdin.flush()
        printed = [chat.stdout.readline() for _ in range(2)]
        rest, _ = chat.communicate(timeout=DEADLINE)

    assert printed[1] == "> hello\n"
    assert rest == "The connection has ended: closed\n"


def test_a_thousand_greenlets_succeed(echo_server: EchoServer) -> None:
    lines = run_example("thousand_greenlets", echo_server.url)

    assert lines[-1].startswith("1000 of 1000 succeeded")


def test_threads_send_over_one_connection(echo_server: EchoServer) -> None:
    lines = run_example("threads", echo_server.url)

    sent = [f"{{'worker': 'worker {w}', 'number': {n}}}" for w in range(4) for n in range(5)]
    assert sorted(lines[:-1]) == sorted(sent)
    assert lines[-1] == "20 messages came back; the connection has ended: closed"


def test_a_custom_tls_context_decides_whom_to_trust(
    tls_echo_server: EchoServer, certificates: Certificates
) -> None:
    lines = run_example("custom_tls_context", tls_echo_server.url, certificates.ca_file)

    assert "  certificate verified: True" in lines
    assert "Text(text='a secret')" in lines


def test_the_protocol_works_with_io_of_ones_own(echo_server: EchoServer) -> None:
    lines = run_example("own_io", echo_server.url)

    assert "Text(text='Hello, loch!')" in lines
    assert lines[-1] == "Disconnected(reason='closed', graceful=True)"


def test_a_load_scenario_of_ones_own_has_its_checks_counted_and_its_orders_timed() -> None:
    lines = run_example("load_scenario")

    assert lines[0].startswith("the item is as ordered: ")
    assert lines[0].endswith(" passed, 0 failed")
    assert lines[1].startswith("95 % of the orders took less than ")


def test_io_of_ones_own_takes_forty_lines() -> None:
    text = (EXAMPLES / "own_io.py").read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize("name", ["echo", "custom_tls_context"])
def test_without_a_url_an_example_starts_a_server_for_itself(name: str) -> None:
    lines = run_example(name)

    assert lines[-1] == "Disconnected(reason='closed', graceful=True)"


def test_the_ticker_has_a_server_that_hangs_up() -> None:
    lines = run_example("ticker_with_persist")

    assert [line for line in lines if line.startswith("tick")][-1] == "tick 2"


def test_every_example_has_a_test_here() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")} - SHARED
    tests = Path(__file__).read_text(encoding="utf-8")

    assert [name for name in names if f'_example("{name}"' not in tests] == []
