"""Each locustfile of the examples runs headless, as its docstring says, and has the rows it names.

All run side by side, each as a process of its own: Locust patches the one that it is imported in.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="Locust is for Python 3.11 and newer"),
]

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "locust"
END_WHEN_SEEN = Path(__file__).with_name("end_when_seen.py").relative_to(ROOT)
SERVERS = {"server": ROOT / "examples" / "server.py", "shop": EXAMPLES / "shop_server.py"}
USERS = 10
# With which server, and when it is over: how much of which rows there must be by then.
RUNS: dict[str, tuple[str, dict[str, int]]] = {
    "echo": ("server", {"WS connect": USERS, "WSC echo": 2 * USERS}),
    "chat": ("server", {"WS connect": USERS, "WSC say": USERS, "WSR line": 1, "WSR greeting": 1}),
    "http_and_websocket": ("shop", {"WS connect": USERS, "GET /prices": 1, "WSC order": 1}),
    "reconnect_storm": ("server", {"WS connect feed": 2 * USERS, "WS close feed": USERS}),
}
# Seconds until a run is given up.
DEADLINE = 60
LOG_LINE = re.compile(r"\[[\d :,-]+\] \S+/INFO/locust\.\w+: .*")


class Outcome(NamedTuple):
    """What a run has come to: its exit code, its rows by name, and what it wrote to stderr."""

    exit_code: int
    rows: dict[str, dict[str, Any]]
    log: str

    def count(self, row: str) -> int:
        """Return how many a row counts, none of which may have failed."""
        assert self.rows[row]["num_failures"] == 0
        return int(self.rows[row]["num_requests"])


def environment() -> dict[str, str]:
    """Return variables under which this tree is found, and no proxy is asked."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return kept | {"PYTHONPATH": str(ROOT)}


def start_server(name: str) -> tuple[subprocess.Popen[str], str]:
    """Start a server of the examples, which ends with its input; return it with its address."""
    process = subprocess.Popen(
        [sys.executable, str(SERVERS[name]), "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def start_example(name: str, host: str, folder: Path) -> subprocess.Popen[str]:
    """Start Locust with an example."""
    files = f"examples/locust/{name}.py,{END_WHEN_SEEN}"
    command = [sys.executable, "-m", "locust", "-f", files, "--headless", "--host", host]
    command += ["-u", str(USERS), "-r", str(USERS), "-t", str(DEADLINE), "--stop-timeout", "5"]
    # Without its tables, which Locust writes to stderr, too.
    command += ["--only-summary", "--json-file", str(folder / name)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment() | {"SEEN": json.dumps(RUNS[name][1])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """Run all examples."""
    assert find_spec("locust"), "Locust is not installed: pip install '.[locust]'"
    folder = tmp_path_factory.mktemp("locust")
    found = {}
    with ExitStack() as stack:
        hosts = {}
        for name in SERVERS:
            process, hosts[name] = start_server(name)
            stack.callback(process.communicate, timeout=DEADLINE)
        running = {name: start_example(name, hosts[RUNS[name][0]], folder) for name in RUNS}
        for process in running.values():
            stack.enter_context(process)
            stack.callback(process.kill)
        for name, process in running.items():
            _, log = process.communicate(timeout=DEADLINE)
            entries = json.loads((folder / f"{name}.json").read_text())
            rows = {f"{entry['method']} {entry['name']}": entry for entry in entries}
            found[name] = Outcome(process.returncode, rows, log)
    yield found


def test_every_locustfile_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} - {"shop_server"} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_a_locustfile_runs_without_a_failure(name: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[name].exit_code == 0, outcomes[name].log


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_on_stderr_but_the_log_of_locust(
    name: str, outcomes: dict[str, Outcome]
) -> None:
    lines = outcomes[name].log.splitlines()

    assert lines
    assert [line for line in lines if not LOG_LINE.fullmatch(line)] == []


@pytest.mark.parametrize("name", RUNS)
def test_a_locustfile_has_the_rows_that_its_docstring_names(
    name: str, outcomes: dict[str, Outcome]
) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ((?:WS|GET|POST).*?) \|", text, re.MULTILINE)

    promised = [row for cell in cells for row in cell.split(", ")]
    assert promised
    assert [row for row in promised if row not in outcomes[name].rows] == []


def test_each_caller_connects_once_and_closes_once(outcomes: dict[str, Outcome]) -> None:
    echo = outcomes["echo"]

    assert (echo.count("WS connect"), echo.count("WS close")) == (USERS, USERS)


def test_a_member_of_the_chat_hears_the_others(outcomes: dict[str, Outcome]) -> None:
    chat = outcomes["chat"]

    # Who came last may have missed some lines.
    heard = chat.count("WSR line") + chat.count("WSR greeting")
    assert 0 < heard <= chat.count("WSC say") * (USERS - 1)


def test_a_line_in_the_chat_has_the_time_that_it_took(outcomes: dict[str, Outcome]) -> None:
    line = outcomes["chat"].rows["WSR line"]

    assert (line["num_none_requests"], line["min_response_time"] > 0) == (0, True)


def test_customers_connect_with_the_token_that_they_got(outcomes: dict[str, Outcome]) -> None:
    shop = outcomes["http_and_websocket"]

    assert shop.count("GET /token") == shop.count("WS connect") == USERS


def test_the_crowd_of_the_storm_comes_back(outcomes: dict[str, Outcome]) -> None:
    storm = outcomes["reconnect_storm"]

    assert storm.count("WS connect feed") >= 2 * USERS
    assert storm.count("WS close feed") >= storm.count("WS connect feed") - USERS
