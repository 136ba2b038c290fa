"""The percentiles of each row, for the terminal and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.report.numbers import format_count, format_latency, format_percentile
from lomond_gevent.locust.connections import Gauge
from lomond_gevent.locust.histograms import Rows

SHOWN = (50.0, 90.0, 95.0, 99.0, 99.9)
IN_CSV = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)
TITLES = ("# reqs", "min", *map(format_percentile, SHOWN), "max", "mean")


def cells(histogram: Histogram) -> list[str]:
    """Return what stands below `TITLES` for a row."""
    values = [histogram.min, *histogram.percentiles(SHOWN), histogram.max, histogram.mean]
    return [format_count(histogram.count), *map(format_latency, values)]


def write_text(rows: Rows, gauge: Gauge) -> Iterator[str]:
    """Yield the lines of the table on the terminal; none where nothing was measured."""
    table = [["Type", "Name", *TITLES]]
    table += [[kind, name, *cells(histogram)] for kind, name, histogram in rows]
    if len(table) > 1:
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        rule = "-+-".join("-" * width for width in widths)
        yield "WebSocket response times (three digits)"
        for number, line in enumerate(table):
            yield from _join(line, widths, rule, is_head=number == 0)
        yield rule
    if gauge.opened or gauge.closed:
        counts = {"opened": gauge.opened, "closed": gauge.closed, "still open": gauge.open}
        told = [f"{format_count(number)} {what}" for what, number in counts.items() if number]
        yield f"WebSockets: {', '.join(told)}"


def _join(line: list[str], widths: list[int], rule: str, is_head: bool) -> Iterable[str]:
    words = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
    numbers = [text.rjust(width) for text, width in zip(line[2:], widths[2:], strict=True)]
    text = " | ".join([*words, *numbers])
    return [text, rule] if is_head else [text]


def write_csv(rows: Rows) -> str:
    """Return all rows as CSV: milliseconds, as in Locust's own files, with their fractions."""
    text = StringIO()
    writer = csv.writer(text)
    percentiles = [f"{quantile:g}%" for quantile in IN_CSV]
    writer.writerow(["Type", "Name", "Count", "Min", *percentiles, "Max", "Mean"])
    for kind, name, histogram in rows:
        values = [histogram.min, *histogram.percentiles(IN_CSV), histogram.max, histogram.mean]
        milliseconds = [f"{value / 1000:.3f}" for value in values]
        writer.writerow([kind, name, histogram.count, *milliseconds])
    return text.getvalue()
