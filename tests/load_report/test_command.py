"""The command as a user runs it: a process of its own, against servers of this machine."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from lomond_gevent.load.report.json import read_json, read_schema
from tests.helpers.echo_server import EchoServer

pytestmark = pytest.mark.loopback

COMMAND = [sys.executable, "-m", "lomond_gevent.load"]
PATIENCE = 60.0


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_a_load_ends_with_a_report_and_a_document_of_its_schema(echo_server: EchoServer) -> None:
    done = run_command(echo_server.url, "-c", "5", "-d", "300ms", "--json", "-")

    assert done.returncode == 0, done.stderr
    assert "✓ nothing failed" in done.stderr
    jsonschema.Draft202012Validator(read_schema()).validate(json.loads(done.stdout))
    assert read_json(done.stdout).counts["connections.closed"] == 5


def test_without_a_url_it_loads_a_server_of_its_own() -> None:
    done = run_command("-c", "3", "-d", "300ms", "-q", "--rate", "50")

    assert done.returncode == 0, done.stderr
    assert "echo against the embedded echo server, 300 ms\nopen model: " in done.stdout
    assert "round trip" in done.stdout


def test_a_closed_port_is_told_by_kind_and_by_the_exit_status() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{unused.getsockname()[1]}/"
        done = run_command(url, "-c", "2", "-d", "200ms", "-q")

    assert done.returncode == 1
    assert "tcp: refused" in done.stdout


def test_an_interrupt_ends_with_the_report_of_what_was_measured(echo_server: EchoServer) -> None:
    command = [*COMMAND, echo_server.url, "-c", "3", "-d", "1h", "--think", "10ms"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("0:01"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert "nothing failed (ended before its time: interrupted)" in output


def test_the_second_interrupt_ends_a_scenario_that_never_gives_way(
    echo_server: EchoServer, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def spin(client):\n  print('spins', flush=True)\n  while True: pass\n")
    command = [*COMMAND, echo_server.url, "-q", "-c", "3", "--scenario", f"{file}:spin"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"spins\n"
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)

        assert process.returncode == 130
        assert process.stderr.read() == b"lomond-load: interrupted, without a report\n"
        assert process.stdout.read() == b""
