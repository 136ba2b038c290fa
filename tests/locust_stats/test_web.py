"""Locust's web interface has a tab for WebSockets, which is live, and a form that is checked."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.locust_stats.programs import DEADLINE, CountingServer, WebInterface, web_interface

pytestmark = pytest.mark.loopback

LOCUSTFILE = Path(__file__).with_name("web_locustfile.py")
RUNNING = ("--autostart", "-u", "5", "-r", "5")
OURS = ["/websocket/tab", "/websocket/tab.js", "/websocket/csv"]


@pytest.fixture(scope="module")
def web() -> Iterator[WebInterface]:
    """A run of five users."""
    with CountingServer() as server, web_interface(LOCUSTFILE, *RUNNING, WEB_URL=server.url) as web:
        web.wait_for("/websocket/tab", "WSC say")
        yield web


@pytest.fixture(scope="module")
def closed_web() -> Iterator[WebInterface]:
    """One that nobody has logged in to, in a folder of its own."""
    arguments = ("--web-login", "--web-base-path", "/load")
    address = "ws://127.0.0.1:1"
    with web_interface(LOCUSTFILE, *arguments, base="/load", WEB_URL=address) as web:
        web.wait_for("/login", "<html")
        yield web


def count_of(web: WebInterface, name: str) -> int:
    rows = csv.DictReader(web.ask("/websocket/csv").text.splitlines())
    return next((int(row["Count"]) for row in rows if row["Name"] == name), 0)


def test_the_page_has_the_tab_and_what_fills_it(web: WebInterface) -> None:
    page = web.ask("/").text

    assert '"extended_tabs": [{"key": "websocket", "title": "WebSocket"}]' in page
    assert '<script src="./websocket/tab.js"></script></body>' in page
    assert "attachShadow" in web.ask("/websocket/tab.js").text


def test_the_tab_shows_who_is_connected(web: WebInterface) -> None:
    web.wait_for("/websocket/tab", "<dt>open</dt><dd>5</dd>")


def test_the_figures_are_live(web: WebInterface) -> None:
    give_up = time.monotonic() + DEADLINE
    before = count_of(web, "say")

    while count_of(web, "say") == before:
        assert time.monotonic() < give_up


def test_the_reset_button_resets_the_tab_as_well(web: WebInterface) -> None:
    assert count_of(web, "connect") == 5

    web.ask("/stats/reset", sure="yes")

    assert count_of(web, "connect") == 0


def test_a_form_with_what_cannot_be_used_starts_no_run(web: WebInterface) -> None:
    form = {"user_count": "1", "spawn_rate": "1", "ws_header": "", "ws_ping": "sometimes"}

    answer = json.loads(web.ask("/swarm", **form).text)

    assert answer["success"] is False
    assert answer["message"].startswith("'sometimes' is no duration")


def test_headers_are_masked_on_the_form(web: WebInterface) -> None:
    page = web.ask("/").text

    options = json.loads(page.split("window.templateArgs =")[1].split("</script>")[0])
    assert options["extra_options"]["ws_header"]["is_secret"] is True


@pytest.mark.parametrize("path", OURS)
def test_nobody_sees_anything_without_logging_in(closed_web: WebInterface, path: str) -> None:
    answer = closed_web.ask(path)

    assert (answer.status, answer.location.split("?")[0]) == (302, "/load/login")


def test_nobody_is_told_about_options_without_logging_in(closed_web: WebInterface) -> None:
    answer = closed_web.ask("/swarm", ws_ping="sometimes")

    assert answer.status == 302
    assert "duration" not in answer.text
