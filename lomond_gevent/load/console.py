"""What is shown while a load runs: a live view on a terminal, plain lines anywhere else.

It shows the load generator's own lag and CPU as well, so that one sees when the figures say more
about this machine than about the server. It is called once a second, and starts no thread: those
of `rich` would draw while greenlets run.
"""

from __future__ import annotations

import codecs
import io
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lomond_gevent.load.report.glossary import describe_histogram
from lomond_gevent.load.report.numbers import (
    format_bytes,
    format_clock,
    format_count,
    format_latency,
    format_share,
    format_short,
    plural,
)

if TYPE_CHECKING:
    from lomond_gevent.load.result import Live, Second

    Observer = Callable[[Second, Live], object]

# From here on the client is the bottleneck: share of a core, and microseconds.
BUSY_CPU = 0.9
LONG_LAG = 50_000
# Seconds between two plain lines; a run longer than `LONG_RUN` has fewer.
PLAIN_INTERVAL, SPARSE_INTERVAL = 1.0, 5.0
LONG_RUN = 30.0
# Columns of what goes to a file or a pipe.
PLAIN_WIDTH = 100
PLAIN = {"µ": "u", "✓": "+", "✗": "x", "–": "-", "…": "~"}
SHOWN_ERRORS = 5
HISTORY = 60
BARS = "▁▂▃▄▅▆▇█"
QUANTILES = (50.0, 90.0, 99.0)


class Terminal(Console):
    """A console whose reader may leave, as `head` does: then the run goes on unseen."""

    def on_broken_pipe(self) -> None:
        """Show nothing more, and give Python something to flush at its end."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def make_console(stream: TextIO, is_colourless: bool) -> Terminal:
    """Return what writes for people; to a file or a pipe it writes lines of a fixed width."""
    write_plainly(stream)
    return Terminal(
        file=stream,
        width=None if stream.isatty() else PLAIN_WIDTH,
        no_color=True if is_colourless else None,
        highlight=False,
    )


def write_plainly(stream: TextIO) -> None:
    """Have a stream whose encoding lacks our symbols write others in their place."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        missing = error.object[error.start : error.end]
        return "".join(PLAIN.get(symbol, "?") for symbol in missing), error.end

    if isinstance(stream, io.TextIOWrapper):
        codecs.register_error(__name__, replace)
        stream.reconfigure(errors=__name__)


class View:
    """What shows the progress: a context manager, and an observer of `run`.

    Once it cannot write (a full disk, a terminal that is gone) it shows nothing more: the load
    goes on, and its report tells.
    """

    def __init__(self) -> None:
        self._is_lost = False

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.end()

    def __call__(self, second: Second, live: Live) -> None:
        """Show a second, if that can be done."""
        if self._is_lost:
            return
        try:
            self.show(second, live)
        except OSError:
            self._is_lost = True

    def show(self, second: Second, live: Live) -> None:
        """Show a second; may raise OSError."""

    def end(self) -> None:
        """Leave the screen as it was; may raise OSError."""

    def restore(self) -> None:
        """Have the terminal work again, whatever is going on: the process ends here and now."""


class LiveView(View):
    """Redraw one block of lines on a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._screen: Screen | None = None
        # The p99 of each second, of whatever is the main latency by now.
        self._main = ""
        self._history: deque[float] = deque(maxlen=HISTORY)

    def end(self) -> None:
        """Take the block away."""
        if self._screen is not None:
            self._screen.stop()

    def restore(self) -> None:
        """Show the cursor, and begin a line; nothing of `rich`, which may be in the midst of it."""
        if self._screen is not None:
            with suppress(OSError):
                os.write(self._console.file.fileno(), b"\x1b[?25h\n")

    def show(self, second: Second, live: Live) -> None:
        """Show a second. The block is gone when the view ends: the report says it all again."""
        if self._screen is None:
            # Not before: processes are forked until then, and a terminal has one owner.
            self._screen = Screen(console=self._console, auto_refresh=False, transient=True)
            self._screen.start()
        if live.main != self._main:
            self._main = live.main
            self._history.clear()
        found = second.latency(live.main)
        self._history.append(float(found.p99 if found else 0))
        self._screen.update(self.render(second, live), refresh=True)

    def render(self, second: Second, live: Live) -> Group:
        """Return the block of lines."""
        lines: list[RenderableType] = [progress(live), Text(), facts(second, live)]
        if live.rtt.count or live.connect.count:
            lines += [Text(), percentiles(second, live)]
        if any(self._history):
            seconds = Text(f"p99 of {plural(len(self._history), 'second')}  ", "dim")
            lines.append(seconds.append(sparkline(self._history), "cyan"))
        lines += [error_line(live), own_line(live), Text(what_is_next(live), "dim")]
        return Group(*lines)


class PlainLines(View):
    """Write a line now and then, where nothing can be redrawn."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._due = 0.0

    def show(self, second: Second, live: Live) -> None:
        """Write a line if one is due."""
        if live.elapsed < self._due:
            return
        is_long = live.elapsed + live.remaining > LONG_RUN
        self._due = live.elapsed + (SPARSE_INTERVAL if is_long else PLAIN_INTERVAL) - 0.5
        self._console.print(Text(plain_line(second, live)), soft_wrap=True)


class Silence(View):
    """Show nothing."""


def plain_line(second: Second, live: Live) -> str:
    """Return a second in a line."""
    latency = ""
    if found := second.latency(live.main):
        shown = "" if live.main == "rtt" else f"  {title_of(live.main)}"
        latency = f"{shown}  p50 {format_latency(found.p50)}  p99 {format_latency(found.p99)}"
    return (
        f"{position(live)}  {clients(live)} clients  "
        f"{format_short(second.sent)} sent/s  {format_short(second.received)} received/s{latency}"
        f"  {plural(total(live.errors), 'error')}"
        f"  lag {format_latency(live.lag)}  CPU {format_share(live.cpu)}"
    )


def what_is_next(live: Live) -> str:
    """Return what is waited for, and what Ctrl-C does now."""
    if live.remaining > 0:
        return "Ctrl-C ends it with the report"
    return "the load is over, the last answers are awaited; Ctrl-C waits no longer"


def position(live: Live) -> str:
    """Return how far the run is."""
    return f"{format_clock(live.elapsed)} of {format_clock(live.elapsed + live.remaining)}"


def clients(live: Live) -> str:
    """Return how many are connected, and how many should be."""
    return f"{format_count(live.clients)} of {format_count(live.wanted)}"


def total(errors: Mapping[tuple[str, str], int]) -> int:
    """Return how many errors there were, of whichever kind."""
    return sum(errors.values())


def progress(live: Live) -> Table:
    """Return a bar with the time that is left."""
    whole = max(live.elapsed + live.remaining, 1e-9)
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=whole, completed=live.elapsed, width=30)
    row.add_row(bar, Text(position(live), "bold"), f"{format_clock(live.remaining)} left")
    return row


def facts(second: Second, live: Live) -> Table:
    """Return the counts so far, and the rates of this second."""
    counts = live.counts
    table = Table.grid(padding=(0, 2))
    failed, lost = counts.get("connections.failed", 0), counts.get("connections.lost", 0)
    table.add_row(
        "clients",
        Text(clients(live), "bold"),
        Text(f"{format_count(failed)} failed", "red" if failed else "dim"),
        Text(f"{format_count(lost)} lost", "red" if lost else "dim"),
    )
    for way, number, size in (
        ("sent", second.sent, second.bytes_sent),
        ("received", second.received, second.bytes_received),
    ):
        table.add_row(
            way,
            Text(f"{format_short(number)} /s", "bold"),
            f"{format_bytes(size)}/s",
            Text(f"{format_short(counts.get(f'messages.{way}', 0))} so far", "dim"),
        )
    return table


def percentiles(second: Second, live: Live) -> Table:
    """Return the latencies of this second and so far."""
    table = Table.grid(padding=(0, 2))
    for _ in range(6):
        table.add_column(justify="right")
    table.columns[0].justify = "left"
    table.add_row("", *(Text(name, "dim") for name in ("p50", "p90", "p99", "max", "count")))
    if found := second.latency(live.main):
        values = (found.p50, found.p90, found.p99, found.max)
        cells = [Text(format_latency(value), "bold") for value in values]
        table.add_row(f"{title_of(live.main)}, this second", *cells, format_short(found.count))
    for name, histogram in (("round trip, so far", live.rtt), ("connect, so far", live.connect)):
        if histogram.count:
            known = map(format_latency, (*histogram.percentiles(QUANTILES), histogram.max))
            table.add_row(name, *known, format_short(histogram.count))
    return table


def title_of(name: str) -> str:
    """Return what a distribution is called."""
    return describe_histogram(name, is_scheduled=False).title.strip()


def sparkline(values: deque[float]) -> str:
    """Return a bar for each value, the highest of them full."""
    most = max(values) or 1.0
    last = len(BARS) - 1
    return "".join(BARS[round(value / most * last)] for value in values)


def error_line(live: Live) -> Text:
    """Return the errors by kind, the most frequent first."""
    if not live.errors:
        return Text("no errors", "dim")
    frequent = sorted(live.errors.items(), key=lambda item: -item[1])
    shown = [
        f"{phase} {kind} {format_count(number)}"
        for (phase, kind), number in islice(frequent, SHOWN_ERRORS)
    ]
    more = len(frequent) - SHOWN_ERRORS
    shown += [f"and {more} other kinds"] if more > 0 else []
    return Text(f"{plural(total(live.errors), 'error')}: {', '.join(shown)}", "red")


def own_line(live: Live) -> Text:
    """Return how this client itself fares, with a warning where it is the bottleneck."""
    text = f"this client: {format_share(live.cpu)} of a core, hub lag {format_latency(live.lag)}"
    if live.cpu < BUSY_CPU and live.lag < LONG_LAG:
        return Text(text, "dim")
    advice = "it is the bottleneck now: take more --processes, or less load"
    return Text(f"{text} – {advice}", "yellow")
