"""The tab "WebSocket" in Locust's web interface, and the check of what its form says.

Locust's page takes tabs of extensions by `template_args`. They are empty: `tab.js`, which is put
into the page, fills ours with what `tab` draws.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from lomond_gevent.locust.connections import gauge_of
from lomond_gevent.locust.histograms import rows_of
from lomond_gevent.locust.options import read_settings
from lomond_gevent.locust.page.tab import write_tab
from lomond_gevent.locust.page.tables import write_csv

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.web import WebUI

    from lomond_gevent.locust.page.samples import Samples

TAB = {"title": "WebSocket", "key": "websocket"}
CSV = {"title": "Download WebSocket response times CSV", "href": "./websocket/csv"}
SCRIPT = '<script src="./websocket/tab.js"></script>'


def add_tab(web_ui: WebUI, environment: Environment, samples: Samples) -> None:
    """Add the tab, before the web interface takes its first request."""
    arguments = web_ui.template_args
    arguments["extended_tabs"] = [*arguments.get("extended_tabs", []), TAB]
    arguments["extended_csv_files"] = [*arguments.get("extended_csv_files", []), CSV]

    def tab() -> Response:
        content = write_tab(rows_of(environment), gauge_of(environment), samples)
        return Response(content, mimetype="text/html")

    def script() -> Response:
        source = files("lomond_gevent.locust.page").joinpath("tab.js").read_text(encoding="utf-8")
        return Response(source, mimetype="text/javascript")

    def csv() -> Response:
        headers = {"Content-Disposition": "attachment;filename=websocket.csv"}
        return Response(write_csv(rows_of(environment)), mimetype="text/csv", headers=headers)

    protect: Any = web_ui.auth_required_if_enabled
    app = app_of(web_ui)
    base = app.blueprints["locust"].url_prefix or ""
    routes = Blueprint("lomond_websocket", __name__, url_prefix=f"{base}/websocket")
    pages: dict[str, Callable[[], Response]] = {"/tab": tab, "/tab.js": script, "/csv": csv}
    for path, page in pages.items():
        routes.add_url_rule(path, page.__name__, protect(page))
    app.register_blueprint(routes)
    app.after_request(add_script)


def add_script(response: Response) -> Response:
    """Put the script into Locust's page; all other answers stay as they are."""
    if request.endpoint == "locust.index" and response.status_code == 200:
        response.set_data(response.get_data(as_text=True).replace("</body>", f"{SCRIPT}</body>"))
    return response


def add_check(web_ui: WebUI, environment: Environment) -> None:
    """Refuse a run whose form has WebSocket options that cannot be used."""

    def check() -> Response | None:
        options = environment.parsed_options
        values = {**(vars(options) if options else {}), **request.form}
        try:
            read_settings(values)
        except ValueError as error:
            refusal = {"success": False, "message": str(error), "host": environment.host}
            return jsonify(refusal)
        return None

    protect: Any = web_ui.auth_required_if_enabled
    checked = protect(check)

    def check_form() -> Any:
        return checked() if request.endpoint == "locust.swarm" else None

    app_of(web_ui).before_request(check_form)


def app_of(web_ui: WebUI) -> Any:
    """Return Locust's application, which it has from the beginning on."""
    return web_ui.app
