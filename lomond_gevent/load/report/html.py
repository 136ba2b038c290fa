"""The report as one page of HTML: plots, tables, and the whole configuration.

The page holds all that it shows. It needs no network and no script, and is to be read on a
telephone, in the dark and on paper: see `style.css`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.resources import files
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from lomond import __version__
from lomond_gevent.load.durations import format_duration
from lomond_gevent.load.report.charts import make_charts
from lomond_gevent.load.report.findings import (
    Figure,
    Findings,
    connection_figures,
    describe_model,
    heading,
    per_second,
    traffic_figures,
)
from lomond_gevent.load.report.glossary import CLOSE_CODES, PHASES
from lomond_gevent.load.report.markup import Child, append, document, tag
from lomond_gevent.load.report.numbers import (
    format_count,
    format_latency,
    format_percentile,
    format_short,
)
from lomond_gevent.load.report.plots import draw

if TYPE_CHECKING:
    from lomond_gevent.load.report.findings import Measured

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)


def write_html(findings: Findings) -> str:
    """Return the page as text."""
    style = files("lomond_gevent.load.report").joinpath("style.css").read_text(encoding="utf-8")
    title = f"{heading(findings.result)} – lomond-load"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", style),
    )
    body = tag("body", top(findings), tiles(findings), judgements(findings))
    append(body, tag("h2", "Over time and by percentile"))
    append(body, tag("div", *(draw(plot) for plot in make_charts(findings)), class_="plots"))
    append(body, *tables(findings), *settings(findings), foot(findings))
    return document(tag("html", head, body, lang="en"))


def top(findings: Findings) -> Element:
    """Return what was run and how it went."""
    result = findings.result
    is_good = not findings.exit_status
    verdict = f"{'✓' if is_good else '✗'} {findings.verdict}"
    return tag(
        "header",
        tag("p", f"lomond-load {__version__}, {when(result.started)}", class_="tool"),
        tag("h1", heading(result)),
        tag("p", describe_model(result.plan), class_="soft"),
        tag("p", verdict, class_=f"verdict {'good' if is_good else 'bad'}"),
    )


def when(started: float) -> str:
    """Return the time of the beginning, in the reader's least ambiguous form."""
    return f"{datetime.fromtimestamp(started, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def tiles(findings: Findings) -> Element:
    """Return the few figures that are looked for first."""
    result, main = findings.result, findings.main
    sent, received = (result.counts.get(f"messages.{way}", 0) for way in ("sent", "received"))
    opened = result.counts.get("connections.opened", 0)
    attempted = result.counts.get("connections.attempted", 0)
    shown = [
        ("connections opened", format_count(opened), f"of {format_count(attempted)} attempted"),
        (
            "messages received",
            per_second("messages.received", result, format_short),
            f"{format_count(received)}",
        ),
        (
            "messages sent",
            per_second("messages.sent", result, format_short),
            f"{format_count(sent)}",
        ),
    ]
    if main:
        title = main.title.strip()
        histogram = main.histogram
        median, high = map(format_latency, histogram.percentiles([50, 99]))
        shown += [
            (f"{title}, median", median, f"mean {format_latency(histogram.mean)}"),
            (f"{title}, p99", high, f"longest {format_latency(histogram.max)}"),
        ]
    errors = sum(result.errors.values())
    kinds = f"{len(result.errors)} kinds" if errors else "of any kind"
    shown.append(("errors", format_count(errors), kinds))
    return tag("dl", *(tile(*each) for each in shown), class_="tiles")


def tile(name: str, value: str, detail: str) -> Element:
    """Return one figure."""
    return tag("div", tag("dt", name), tag("dd", value, tag("small", detail)))


def judgements(findings: Findings) -> Element:
    """Return warnings, thresholds and checks, where there are any."""
    result = findings.result
    warnings = [("!", "warn", text) for text in result.warnings]
    thresholds = [judged(e.is_kept, f"{e.text}: {e.observed}") for e in findings.outcomes]
    checks = [
        judged(not failed, f"{name}: {format_count(passed)} passed, {format_count(failed)} failed")
        for name, (passed, failed) in result.checks.items()
    ]
    parts = {"Warnings": warnings, "Thresholds": thresholds, "Checks": checks}
    shown = [section(title, marks(lines)) for title, lines in parts.items() if lines]
    return tag("div", *shown, class_="columns")


def judged(is_good: bool, text: str) -> tuple[str, str, str]:
    """Return a line's mark, class and text."""
    return ("✓", "good", text) if is_good else ("✗", "bad", text)


def marks(lines: Iterable[tuple[str, str, str]]) -> Element:
    """Return lines with a mark before each."""
    items = [tag("li", tag("b", mark, class_=kind), text) for mark, kind, text in lines]
    return tag("ul", *items, class_="marks")


def tables(findings: Findings) -> Iterable[Child]:
    """Yield what was measured and counted, as numbers."""
    result = findings.result
    if findings.measured:
        yield tag("h2", "Latencies")
        yield tag("div", latency_table(findings.measured), class_="scroll")
    columns = [
        section("Connections", figure_table(connection_figures(result))),
        section("Traffic", figure_table(traffic_figures(result))),
        section("The load generator itself", figure_table(findings.cost)),
    ]
    if result.errors:
        rows = [
            (f"{phase}: {kind}", format_count(number), PHASES.get(phase, ""))
            for phase, kind, number in findings.error_rows
        ]
        reasons = [tag("p", reason, class_="soft") for reason in findings.reasons]
        table = figure_table(Figure(*row) for row in rows)
        columns.insert(0, section("Errors", table, *reasons))
    if result.close_codes:
        codes = sorted(result.close_codes.items())
        figures = [Figure(str(c), format_count(n), CLOSE_CODES.get(c, "")) for c, n in codes]
        columns.append(section("Close codes", figure_table(figures)))
    yield tag("div", *columns, class_="columns")


def section(title: str, *children: Child) -> Element:
    """Return a titled part of the page."""
    return tag("section", tag("h2", title), *children)


def latency_table(measured: Iterable[Measured]) -> Element:
    """Return the distributions, one a row."""
    names = ["", "count", "min", *map(format_percentile, PERCENTILES), "max", "mean", "deviation"]
    rows = []
    for each in measured:
        histogram = each.histogram
        values = [histogram.min, *histogram.percentiles(PERCENTILES)]
        values += [histogram.max, histogram.mean, histogram.stddev]
        cells = [format_count(histogram.count), *map(format_latency, values)]
        is_inner = each.title.startswith(" ")
        name = tag("th", each.title.strip(), title=each.meaning, scope="row")
        name.set("class", "inner" if is_inner else "outer")
        rows.append(tag("tr", name, *(tag("td", cell) for cell in cells)))
    head = tag("tr", *(tag("th", name) for name in names))
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="wide")


def figure_table(figures: Iterable[Figure]) -> Element:
    """Return names, numbers and details."""
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", each.value),
            tag("td", each.detail, class_="words"),
        )
        for each in figures
    ]
    return tag("table", tag("tbody", *rows), class_="wide")


def settings(findings: Findings) -> Iterable[Child]:
    """Yield the plan with all of its defaults, and the machine."""
    result = findings.result
    plan = {name.replace("_", " "): written(value) for name, value in result.plan.to_dict().items()}
    yield tag(
        "div",
        section("Configuration", settings_table(plan)),
        section("Machine", settings_table(result.machine)),
        class_="columns",
    )


def written(value: object) -> str:
    """Return an option's value as a person would write it."""
    if value is None or value in ([], ""):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(
            ": ".join(map(str, each)) if isinstance(each, list) else str(each) for each in value
        )
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_table(values: dict[str, str]) -> Element:
    """Return names and values."""
    rows = [tag("tr", tag("th", name, scope="row"), tag("td", v)) for name, v in values.items()]
    return tag("table", tag("tbody", *rows), class_="wide settings")


def foot(findings: Findings) -> Element:
    """Return what a reader should know about the figures."""
    result = findings.result
    connecting = (
        f" All clients connected before it, in {format_duration(result.connecting)}."
        if result.connecting
        else ""
    )
    text = (
        f"The load lasted {format_duration(result.duration)}.{connecting} Latencies have three "
        "significant digits. Hover a plot for the values of one moment."
    )
    return tag("footer", tag("p", text))
