"""What is shown while a load runs."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from lomond_gevent.load.console import LiveView, PlainLines, Silence
from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.result import Live
from tests.load_report.synthetic import histogram_of, result_with, second_of

LIVE = Live(
    elapsed=5.0,
    remaining=15.0,
    clients=90,
    wanted=100,
    counts={"connections.failed": 3, "messages.sent": 12_345},
    rtt=histogram_of(1000, 2000),
    connect=histogram_of(5000),
    errors={("tcp", "refused"): 2, ("handshake", "rejected 503"): 1000},
    lag=1200,
    cpu=0.45,
)


def console_to(stream: io.StringIO, **options: Any) -> Console:
    """Return a console that writes to a stream."""
    return Console(file=stream, width=100, **options)


def shown(**changes: Any) -> str:
    """Return the block of lines of the live view."""
    stream = io.StringIO()
    console = console_to(stream)
    console.print(LiveView(console).render(second_of(5.0), replace(LIVE, **changes)))
    return stream.getvalue()


def test_the_live_view_shows_the_time_that_is_left() -> None:
    assert "0:05 of 0:20  0:15 left" in shown()


def test_the_live_view_shows_clients_rates_and_percentiles() -> None:
    text = " ".join(shown().split())

    assert "clients 90 of 100 3 failed 0 lost sent 500 /s 31.2 KiB/s 12.3k so far" in text
    assert "p50 p90 p99 max count round trip, this second 1.5 ms 1.9 ms 1.99 ms 2 ms 500" in text
    assert "connect, so far" in text


def test_the_live_view_shows_errors_by_kind_the_most_frequent_first() -> None:
    assert "1,002 errors: handshake rejected 503 1,000, tcp refused 2" in shown()
    assert "no errors" in shown(errors={})


def test_the_live_view_counts_the_kinds_that_it_does_not_show() -> None:
    errors = {("tcp", f"kind {number}"): 1 for number in range(7)}

    assert "and 2 other kinds" in shown(errors=errors)


@pytest.mark.parametrize("own", [{"cpu": 0.95}, {"lag": 80_000}])
def test_the_live_view_tells_when_the_client_is_the_bottleneck(own: dict[str, Any]) -> None:
    assert "bottleneck" in shown(**own)
    assert "bottleneck" not in shown()


def test_the_live_view_needs_no_round_trips() -> None:
    text = shown(rtt=Histogram(), connect=Histogram())

    assert "so far" in text
    assert "p50" not in text.replace("round trip, this second", "")


def test_the_live_view_is_redrawn_in_place_and_leaves_nothing_behind() -> None:
    stream = io.StringIO()
    with LiveView(console_to(stream, force_terminal=True)) as view:
        view(second_of(1.0), LIVE)
        first = stream.getvalue()
        view(second_of(2.0), LIVE)

    hidden, cursor_up_and_erase, shown_again = "\x1b[?25l", "\x1b[1A\x1b[2K", "\x1b[?25h"
    assert hidden in first
    assert cursor_up_and_erase in stream.getvalue()
    assert shown_again in stream.getvalue()


def test_the_live_view_starts_no_thread() -> None:
    before = threading.active_count()
    with LiveView(console_to(io.StringIO(), force_terminal=True)) as view:
        view(second_of(1.0), LIVE)

        assert threading.active_count() == before


def plain_lines(seconds: int, whole: float, **changes: Any) -> list[str]:
    """Return the lines for the first seconds of a run."""
    stream = io.StringIO()
    with PlainLines(console_to(stream)) as view:
        for time in range(1, seconds + 1):
            live = replace(LIVE, elapsed=time + 0.01, remaining=whole - time, **changes)
            view(second_of(float(time)), live)
    return stream.getvalue().splitlines()


def test_a_plain_line_says_how_it_goes() -> None:
    assert plain_lines(1, 20.0) == [
        "0:01 of 0:20  90 of 100 clients  500 sent/s  500 received/s  p50 1.5 ms  p99 1.99 ms"
        "  1,002 errors  lag 1.2 ms  CPU 45 %"
    ]


def test_where_there_are_no_round_trips_the_main_latency_is_shown_by_name() -> None:
    second, live = result_with("connect", "ping").series[1], replace(LIVE, main="ping")
    stream = io.StringIO()
    with PlainLines(console_to(stream)) as view:
        view(second, live)

    assert "  ping  p50 2 ms  p99 4 ms  " in stream.getvalue()
    console = console_to(stream)
    console.print(LiveView(console).render(second, live))
    assert "ping, this second 2 ms 3 ms 4 ms 5 ms 40" in " ".join(stream.getvalue().split())


def test_the_p99_of_another_latency_is_no_part_of_a_line_of_bars() -> None:
    second = result_with("connect", "ping").series[1]
    stream = io.StringIO()
    with LiveView(console_to(stream, force_terminal=True)) as view:
        view(second, replace(LIVE, main="connect"))
        view(second, replace(LIVE, main="connect"))
        view(second, replace(LIVE, main="ping"))

        assert "p99 of 2 seconds" in stream.getvalue()
        assert stream.getvalue().rindex("p99 of 1 second ") > stream.getvalue().index("of 2 s")


def test_a_short_run_has_a_line_for_each_second_a_long_one_for_each_fifth() -> None:
    assert len(plain_lines(20, 20.0)) == 20
    assert [line.split()[0] for line in plain_lines(20, 60.0)] == ["0:01", "0:06", "0:11", "0:16"]


class Broken(io.StringIO):
    """A stream whose disk is full."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_view_that_cannot_write_shows_nothing_and_lets_the_load_go_on(is_terminal: bool) -> None:
    console = console_to(Broken(), force_terminal=is_terminal)
    with (LiveView if is_terminal else PlainLines)(console) as view:
        view(second_of(1.0), LIVE)
        view(second_of(2.0), LIVE)

        assert view._is_lost


def test_silence_is_an_observer_too() -> None:
    with Silence() as view:
        view(second_of(1.0), LIVE)
