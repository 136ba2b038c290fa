"""The table at the end."""

from __future__ import annotations

from itertools import zip_longest

from examples.demo.screen import Screen
from examples.demo.tally import Tally, Trips

MEASURE_WIDTH, EVENT_WIDTH = 38, 24
# Problems that are shown one by one.
SHOWN_PROBLEMS = 10

Row = tuple[str, str]


def show_report(screen: Screen, tally: Tally, clients: int, seconds: float) -> None:
    """Write what was measured and counted, and whether all of it was expected."""
    screen.print()
    show_table(screen, measure_rows(tally, clients), event_rows(tally))
    screen.print()
    if not tally.problems:
        screen.print(f"  {screen.good_mark} everything as expected, in {seconds:.1f} s")
        return
    for problem, count in tally.problems.most_common(SHOWN_PROBLEMS):
        screen.print(f"  {screen.bad_mark} {f'{count:,} times: ' if count > 1 else ''}{problem}")
    more = len(tally.problems) - SHOWN_PROBLEMS
    if more > 0:
        screen.print(f"  {screen.bad_mark} and {more} other problems")


def measure_rows(tally: Tally, clients: int) -> list[Row]:
    """Return what was measured."""
    return [
        ("connections made", f"{tally.connections:,}"),
        ("connections failed", f"{clients - tally.connections:,}"),
        ("connects per second", f"{tally.connects_per_second:,.0f}"),
        ("memory per connection (RSS)", f"{tally.bytes_per_connection / 1024:,.1f} KiB"),
        ("graceful closes", f"{tally.graceful_closes:,}"),
        ("", ""),
        ("round trips checked", f"{tally.round_trips:,}"),
        *trip_rows("paced, per second", tally.paced),
        *trip_rows("flat out, per second", tally.flat_out),
    ]


def trip_rows(title: str, trips: Trips) -> list[Row]:
    """Return what was measured of the round trips of one act."""
    return [
        (title, f"{trips.per_second:,.0f}"),
        ("  median latency", f"{trips.percentile(0.5) * 1000:,.2f} ms"),
        ("  99th percentile", f"{trips.percentile(0.99) * 1000:,.2f} ms"),
    ]


def event_rows(tally: Tally) -> list[Row]:
    """Return how many of each event there were, in the order in which they first came."""
    return [(name, f"{count:,}") for name, count in tally.events.items()]


def show_table(screen: Screen, measures: list[Row], events: list[Row]) -> None:
    """Write two lists of rows side by side, in a frame."""
    horizontal, vertical, *corners = (screen.dim(piece) for piece in screen.frame)
    line = horizontal * (MEASURE_WIDTH + EVENT_WIDTH + 4)
    heading = screen.bold(f"{'measured':<{MEASURE_WIDTH}}  {'events':<{EVENT_WIDTH}}")
    screen.print(f"  {corners[0]}{line}{corners[1]}")
    screen.print(f"  {vertical} {heading} {vertical}")
    for measure, event in zip_longest(measures, events, fillvalue=("", "")):
        left, right = align(measure, MEASURE_WIDTH), align(event, EVENT_WIDTH)
        screen.print(f"  {vertical} {left}  {right} {vertical}")
    screen.print(f"  {corners[2]}{line}{corners[3]}")


def align(row: Row, width: int) -> str:
    """Put the label of a row to the left, its value to the right."""
    label, value = row
    return f"{label}{value:>{width - len(label)}}"
