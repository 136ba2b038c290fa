"""Looks at the web interface in headless Chromium, checks that it is live, and takes pictures.

    pip install playwright
    python -m tests.locust_stats.screenshots docs --chromium /usr/bin/chromium

Without `--chromium` it is the one that `playwright install chromium` has fetched.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.locust_stats.programs import HERE, CountingServer, free_port, web_interface

USERS = "200"
# Seconds of a run that the pictures show.
LENGTH = 30
PHONE = {"width": 390, "height": 844}


def main() -> int:
    """Run Locust with two workers, and look at it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--chromium", help="the program")
    options = parser.parse_args()
    port = str(free_port())
    fleet = ["--processes", "2", "--master-bind-port", port, "--master-port", port]
    locustfile = HERE / "web_locustfile.py"
    with (
        CountingServer() as server,
        web_interface(locustfile, *fleet, WEB_URL=server.url) as web,
        sync_playwright() as playwright,
    ):
        web.wait_for("/worker-count", "2")
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 700})
        outside = watch_requests(page, web.url)
        look(page, web.url, options.directory)
        check_on_a_telephone(browser, web.url)
        browser.close()
    assert not outside, f"the page asked for {outside}"
    print("the statistics and the tab are live, need no network, and fit a telephone")
    return 0


def watch_requests(page: Page, url: str) -> list[str]:
    """Return a list that gets all addresses the page asks for that are not Locust's."""
    outside: list[str] = []
    page.on("request", lambda r: None if r.url.startswith(url) else outside.append(r.url))
    return outside


def look(page: Page, url: str, directory: Path) -> None:
    """Start a run by the form, and take pictures of what moves."""
    page.goto(url)
    page.fill("input[name=userCount]", USERS)
    page.fill("input[name=spawnRate]", "20")
    page.click("button[type=submit]")
    page.click("role=tab[name='WebSocket']")
    count = "main div >> css=.scroll tr:has-text('WSC say') td:nth-of-type(1)"
    check_moves(page, count)
    page.wait_for_timeout(LENGTH * 1000)
    page.screenshot(path=directory / "locust-websocket-tab.png", full_page=True)
    page.click("role=tab[name='Statistics']")
    check_moves(page, "main tr:has-text('say') td:nth-of-type(3)")
    page.screenshot(path=directory / "locust-statistics.png", full_page=True)


def check_moves(page: Page, selector: str) -> None:
    """Wait until a number on the page is larger than it was."""
    page.wait_for_selector(selector)
    before = number_at(page, selector)
    for _ in range(100):
        page.wait_for_timeout(100)
        if number_at(page, selector) > before:
            return
    raise AssertionError(f"{selector} stays {before}")


def number_at(page: Page, selector: str) -> int:
    """Return a whole number on the page."""
    return int(re.sub(r"\D", "", page.inner_text(selector)))


def check_on_a_telephone(browser: Any, url: str) -> None:
    """Fail if the tab is wider than a telephone."""
    page = browser.new_page(viewport=PHONE, is_mobile=True)
    page.goto(f"{url}/?tab=websocket")
    page.wait_for_selector("main div >> css=.tiles")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{width} pixels wide"


if __name__ == "__main__":
    sys.exit(main())
