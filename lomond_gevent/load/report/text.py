"""The table on the terminal, or as plain text where the output is none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lomond_gevent.load.report.findings import (
    Figure,
    Findings,
    connection_figures,
    describe_model,
    heading,
    traffic_figures,
)
from lomond_gevent.load.report.glossary import CLOSE_CODES, PHASES
from lomond_gevent.load.report.numbers import (
    format_count,
    format_latency,
    format_percentile,
    format_short,
)

if TYPE_CHECKING:
    from lomond_gevent.load.report.findings import Measured

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
# Close codes that are told only beside others.
PEACEFUL = (1000, 1001)
UNANSWERED = ("requests.timed_out", "requests.late", "requests.unfinished")
BAD_NEWS = ("failed", "lost", "requests timed out", "sends skipped", "sends behind")


def write_text(console: Console, findings: Findings) -> None:
    """Write the whole report."""
    result = findings.result
    console.print()
    console.print(Text(heading(result), "bold"))
    console.print(Text(describe_model(result.plan), "dim"))
    for block in blocks(findings):
        console.print()
        console.print(block)
    for reason in findings.reasons:
        console.print(Text(reason, "red"))
    for measured in explained(findings):
        console.print(Text(f"{measured.title.strip()}: {measured.meaning}", "dim"))
    console.print(Text(cost(findings), "dim"))
    console.print()
    write_judgements(console, findings)


def blocks(findings: Findings) -> Iterator[Table]:
    """Yield the tables; what did not happen has none."""
    result = findings.result
    yield overview(findings)
    if result.errors:
        yield errors(findings)
    if any(code not in PEACEFUL for code in result.close_codes):
        yield close_codes(findings)
    if findings.measured:
        yield latencies(findings.measured)


def overview(findings: Findings) -> Table:
    """Return what became of the connections, beside what they carried."""
    left, right = connection_figures(findings.result), traffic_figures(findings.result)
    table = plain_table()
    for name in ("connections", "traffic"):
        table.add_column(name, no_wrap=True)
        table.add_column("", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
    for pair in zip_longest(left, right, fillvalue=Figure("", "", "")):
        table.add_row(*(cell for figure in pair for cell in cells(figure)))
    return table


def cells(figure: Figure) -> tuple[str, Text, Text]:
    """Return a figure as three cells; what should be nothing and is not, in red."""
    is_bad = figure.name in BAD_NEWS and figure.value != "0"
    value = Text(figure.value, "bold red" if is_bad else "bold")
    return figure.name, value, Text(figure.detail, "dim")


def cost(findings: Findings) -> str:
    """Return in a line what the load generator itself took."""
    figures = (f"{each.name} {each.value} {each.detail}" for each in findings.cost)
    return f"this client: {', '.join(figures)}"


def latencies(measured: list[Measured]) -> Table:
    """Return the distributions, one a row, within the 80 columns of a terminal."""
    table = plain_table(gap=1)
    table.add_column("latency", no_wrap=True)
    for name in ("count", "min", *map(format_percentile, PERCENTILES), "max", "mean"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in measured:
        histogram = each.histogram
        values = [histogram.min, *histogram.percentiles(PERCENTILES), histogram.max]
        table.add_row(
            each.title,
            format_short(histogram.count),
            *map(format_latency, [*values, histogram.mean]),
            style="dim" if each.title.startswith(" ") else "",
        )
    return table


def explained(findings: Findings) -> list[Measured]:
    """Return those whose meaning is told below the table: all that a title leaves open."""
    names = {"delivery", "delivery.service", "first_message"}
    is_unanswered = any(findings.result.counts.get(name) for name in UNANSWERED)
    if is_unanswered or any(each.name == "rtt.service" for each in findings.measured):
        names |= {"rtt", "rtt.service"}
    return [each for each in findings.measured if each.name in names]


def errors(findings: Findings) -> Table:
    """Return the errors by phase and kind."""
    table = plain_table()
    table.add_column("errors", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("during", style="dim")
    for phase, kind, number in findings.error_rows:
        name = Text(f"{phase}: {kind}", "red")
        table.add_row(name, Text(format_count(number), "bold"), PHASES.get(phase, ""))
    return table


def close_codes(findings: Findings) -> Table:
    """Return the close codes, in order."""
    table = plain_table()
    table.add_column("close code", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", style="dim")
    for code, number in sorted(findings.result.close_codes.items()):
        table.add_row(str(code), format_count(number), CLOSE_CODES.get(code, ""))
    return table


def write_judgements(console: Console, findings: Findings) -> None:
    """Write warnings, checks, thresholds and the verdict, each with its mark."""
    for warning in findings.result.warnings:
        console.print(marked("!", "yellow", warning))
    for name, (passed, failed) in findings.result.checks.items():
        text = f"{name}: {format_count(passed)} passed, {format_count(failed)} failed"
        console.print(judged(not failed, text))
    for outcome in findings.outcomes:
        text = f"{outcome.text}: {outcome.observed}"
        console.print(judged(outcome.is_kept, text))
    is_good = not findings.exit_status
    console.print(judged(is_good, findings.verdict, is_last=True))


def judged(is_good: bool, text: str, is_last: bool = False) -> Table:
    """Return a line with a tick or a cross; the last of all is the verdict."""
    style = f"{'bold ' if is_last else ''}{'green' if is_good else 'red'}"
    return marked("✓" if is_good else "✗", style, text)


def marked(mark: str, style: str, text: str) -> Table:
    """Return a line with a mark before it."""
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(mark, style), Text(text, style if "bold" in style else ""))
    return grid


def plain_table(gap: int = 2) -> Table:
    """Return a table with a line below its head, and no other."""
    # The box itself has a space between columns.
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0))
