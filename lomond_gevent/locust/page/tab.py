"""The tab's content as HTML: figures, plots over time, and the percentiles of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from xml.etree.ElementTree import Element, tostring

from lomond_gevent.load.report.charts import count_axis, latency_axis, line
from lomond_gevent.load.report.markup import tag
from lomond_gevent.load.report.numbers import (
    format_clock,
    format_count,
    format_latency,
    format_percentile,
)
from lomond_gevent.load.report.plots import Axis, Line, Plot, draw
from lomond_gevent.load.report.scales import time_scale, time_unit
from lomond_gevent.locust.connections import Gauge
from lomond_gevent.locust.histograms import Rows
from lomond_gevent.locust.page.samples import PERCENTILES, Samples
from lomond_gevent.locust.page.tables import TITLES, cells

COLOURS = ("blue", "violet", "amber")
MEANINGS = {
    "WSC": "Requests, until their replies",
    "WSR": "Pushes, since the server sent them",
    "WS": "Connecting, pinging and closing",
}


def write_tab(rows: Rows, gauge: Gauge, samples: Samples) -> str:
    """Return the content as text, its style included."""
    parts = [*make_parts(rows, gauge, samples)]
    return "\n".join(tostring(part, encoding="unicode", method="html") for part in parts)


def make_parts(rows: Rows, gauge: Gauge, samples: Samples) -> Iterable[Element]:
    """Yield the parts of the content, from top to bottom."""
    yield tag("style", style())
    yield tiles(gauge, samples)
    yield tag("div", draw(connections(samples)), draw(latencies(samples)), class_="plots")
    yield tag("h2", "Response times")
    yield tag("div", table(rows), class_="scroll")
    yield tag("p", "Three significant digits, since the statistics were reset.", class_="soft")


def style() -> str:
    """Return the report's style sheet, and what differs here."""
    report = files("lomond_gevent.load.report").joinpath("style.css")
    own = files("lomond_gevent.locust.page").joinpath("tab.css")
    return report.read_text(encoding="utf-8") + own.read_text(encoding="utf-8")


def tiles(gauge: Gauge, samples: Samples) -> Element:
    """Return the connections in figures."""
    figures = {
        "open": gauge.open,
        "most open": max(samples.most_open, gauge.open),
        "opened": gauge.opened,
        "closed": gauge.closed,
    }
    shown = [
        tag("div", tag("dt", name), tag("dd", format_count(number)))
        for name, number in figures.items()
    ]
    return tag("dl", *shown, class_="tiles")


def connections(samples: Samples) -> Plot:
    """Return the plot of open connections."""
    points = [(each.time, float(each.open)) for each in samples.points]
    lines = [line("open", points, "blue", format_count, is_area=True)]
    return over_time(
        "Connections", "WebSockets that are open.", count_axis("connections", lines), lines
    )


def latencies(samples: Samples) -> Plot:
    """Return the plot of percentiles over time."""
    lines = []
    for place, (quantile, colour) in enumerate(zip(PERCENTILES, COLOURS, strict=True)):
        points = [
            (each.time, each.latencies[place] if each.latencies else None)
            for each in samples.points
        ]
        lines.append(line(format_percentile(quantile), points, colour, format_latency))
    note = f"{MEANINGS[samples.kind]} ({samples.kind}): percentiles between two points."
    return over_time("Response times", note, latency_axis(lines), lines)


def over_time(title: str, note: str, y: Axis, lines: Sequence[Line]) -> Plot:
    """Return a plot over the time of the run."""
    end = max((at for each in lines for at, _ in each.points), default=1.0)
    show = format_count if y.title == "connections" else format_latency
    x = Axis(f"time ({time_unit(end)})", time_scale(end))
    return Plot(title, note, x, y, lines, ("min", "max", "last"), show, format_clock)


def table(rows: Rows) -> Element:
    """Return the percentiles of each row."""
    head = tag("tr", *(tag("th", title) for title in ("", *TITLES)))
    lines = [
        tag("tr", tag("th", f"{kind} {name}", scope="row"), *(tag("td", cell) for cell in cells(h)))
        for kind, name, h in rows
    ]
    if not lines:
        lines = [tag("tr", tag("th", "nothing yet", scope="row", colspan=len(TITLES) + 1))]
    return tag("table", tag("thead", head), tag("tbody", *lines), class_="wide")
