"""The table at the end."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from lomond_gevent.load.console import write_plainly
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.report.findings import Findings
from lomond_gevent.load.report.text import write_text
from lomond_gevent.load.result import Result
from tests.load_report.synthetic import eventful_result, result_of


def text_of(result: Result, **options: Any) -> str:
    """Return the report of a result, as wide as a terminal."""
    stream = io.StringIO()
    write_text(Console(file=stream, width=80, **options), Findings(result))
    return stream.getvalue()


def row(text: str, name: str) -> list[str]:
    """Return the cells of the first row that begins with a name."""
    return next(line for line in text.splitlines() if line.strip().startswith(name)).split()


def test_the_model_and_the_server_are_named_first() -> None:
    lines = text_of(result_of()).splitlines()

    assert lines[1] == "echo against ws://127.0.0.1:9/echo, 2 s"
    assert lines[2].startswith("closed model: 2 clients; each sends, waits for the answer")


def test_connections_and_traffic_are_side_by_side() -> None:
    text = text_of(eventful_result())

    assert row(text, "attempted")[:2] == ["attempted", "5,012"]
    assert row(text, "lost") == ["lost", "3", "0.06", "%", "bytes", "received", *["255", "MiB"],
                                 "2.12", "MiB/s"]  # fmt: skip


def test_percentiles_fit_a_terminal() -> None:
    text = text_of(eventful_result())

    assert row(text, "latency") == [
        "latency",
        "count",
        "min",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "mean",
    ]
    assert row(text, "round trip")[2] == "2.01M"
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_open_model_tells_what_its_two_latencies_mean() -> None:
    text = text_of(eventful_result())

    assert "round trip: from the send that the schedule intended until" in text
    assert "from send: from a message's actual send" in text


@pytest.mark.parametrize(("late", "is_told"), [(0, False), (3, True)])
def test_what_became_of_late_answers_is_told_where_there_are_any(late: int, is_told: bool) -> None:
    counts = {"requests.timed_out": late, "requests.late": late}
    text = " ".join(text_of(result_of(counts=counts)).split())

    assert ("what is never answered is an error, and in no percentile" in text) == is_told


def test_errors_and_close_codes_are_told_by_kind() -> None:
    text = text_of(eventful_result())

    assert "handshake: rejected 503   9  the upgrade to WebSocket" in text
    assert row(text, "1011") == ["1011", "3", "server", "error"]


def test_what_did_not_happen_has_no_table() -> None:
    text = text_of(result_of())

    assert "errors" not in text
    assert "close code" not in text


def test_checks_thresholds_and_warnings_have_their_marks() -> None:
    text = text_of(eventful_result())

    assert "✗ greeting is polite: 4,990 passed, 10 failed" in text
    assert "✓ answer is <b>bold</b>: 5,000 passed, 0 failed" in text
    assert "✓ rtt.p99<50ms: 3.79 ms" in text
    assert "! hub lag reached 31 ms" in text
    assert text.splitlines()[-1].startswith("✗ 56 errors, 10 failed checks")


def test_a_crossed_threshold_has_a_cross() -> None:
    result = result_of(Plan(url="ws://127.0.0.1:9/", thresholds=("rtt.max<1ms",)))

    assert "✗ rtt.max<1ms: 2 ms\n✗ 1 threshold crossed\n" in text_of(result)


def test_an_encoding_without_symbols_has_others() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write_plainly(stream)
    write_text(Console(file=stream, width=80), Findings(result_of()))
    stream.seek(0)

    text = stream.read()
    assert text.rstrip().endswith("+ nothing failed")
    assert "900 us" in text


def test_the_last_word_is_green_only_if_all_went_well() -> None:
    good = text_of(result_of(), force_terminal=True, color_system="standard")
    bad = text_of(eventful_result(), force_terminal=True, color_system="standard")

    assert "\x1b[1;32m✓" in good
    assert "\x1b[1;31m✗" in bad


def test_what_the_client_itself_took_is_told() -> None:
    text = text_of(replace(result_of(), connecting=3.0))

    assert "this client: CPU 500 ms 10 % of a core, memory 50 MiB at most" in text
