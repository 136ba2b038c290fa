"""The page: it holds all that it shows, and every plot can be read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from lomond_gevent.load.plan import Plan
from lomond_gevent.load.report.charts import MOST_POINTS, make_charts, wanted_clients
from lomond_gevent.load.report.findings import Findings
from lomond_gevent.load.report.html import write_html
from lomond_gevent.load.report.markup import append, tag
from lomond_gevent.load.report.plots import draw
from tests.load_report.synthetic import (
    eventful_result,
    histogram_of,
    result_of,
    result_with,
    second_of,
)

VOID = {"meta"}
PLOTS = {plot.title: plot for plot in make_charts(Findings(eventful_result()))}


class Outline(HTMLParser):
    """Check that elements are closed in order, and collect the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes += attributes
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text += data


def outline_of(page: str) -> Outline:
    """Return the outline of a page."""
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    return outline


def texts(figure: Element, kind: str) -> list[str]:
    """Return the texts below the elements of a class."""
    return [
        "".join(child.itertext()) for e in figure.iter() if e.get("class") == kind for child in e
    ]


@pytest.mark.parametrize("title", PLOTS)
def test_every_plot_has_a_title_axes_with_labels_and_a_legend_with_values(title: str) -> None:
    figure = draw(PLOTS[title])

    assert figure.findtext(".//h3") == title
    titles = [e.text for e in figure.iter() if e.get("class") in ("x-title", "y-title")]
    assert all(titles)
    assert len(titles) == 2
    assert len(texts(figure, "x-labels")) >= 2
    assert len(texts(figure, "y-labels")) >= 2
    values = [cell.text for cell in figure.findall(".//tbody//td")]
    assert len(values) == len(PLOTS[title].lines) * len(PLOTS[title].value_names)
    assert all(values)


def test_the_plots_are_those_that_a_load_test_is_read_by() -> None:
    assert list(PLOTS) == [
        "Latency over time: round trip",
        "Latency by percentile",
        "Connecting by percentile",
        "Connections",
        "Connections per second",
        "Messages per second",
        "Bytes per second",
        "Errors per second",
        "CPU of the load generator",
        "Lag of the load generator",
    ]


def test_the_open_model_shows_both_latencies_and_what_they_mean() -> None:
    plot = PLOTS["Latency by percentile"]

    assert [line.name for line in plot.lines] == ["round trip", "from send", "ping"]
    assert "from the send that the schedule intended" in plot.note


def test_wanted_clients_and_messages_are_drawn_beside_those_there_were() -> None:
    for title in ("Connections", "Messages per second"):
        wanted = next(line for line in PLOTS[title].lines if line.name == "wanted")

        assert wanted.points[-1][1] == (5000 if title == "Connections" else 20_000)


def test_what_the_schedule_wanted_is_the_mean_of_each_second() -> None:
    wanted = PLOTS["Messages per second"].lines[-1].points

    # 20,000 per second are reached along a line, in 30 seconds.
    assert wanted[0][1] == pytest.approx(20_000 / 30 / 2)
    assert wanted[14][1] == pytest.approx(20_000 / 30 * 14.5)


def test_the_end_of_a_line_is_that_of_the_run() -> None:
    assert PLOTS["Latency over time: round trip"].lines[0].points[-1][0] == 120.0
    assert PLOTS["Latency over time: round trip"].x.scale.place(120.0) == 1.0


def test_the_rate_of_the_last_and_shorter_second_is_one_per_second_too() -> None:
    series = [second_of(1.0, sent=1000), second_of(1.5, sent=500)]
    plots = {plot.title: plot for plot in make_charts(Findings(result_of(series=series)))}

    assert plots["Messages per second"].lines[0].points == [(1.0, 1000.0), (1.5, 1000.0)]


def test_a_second_without_an_answer_interrupts_the_line() -> None:
    nothing = {"rtt_count": 0, "rtt_p50": None, "rtt_p90": None, "rtt_p99": None, "rtt_max": None}
    series = [second_of(1.0), second_of(2.0, **nothing), second_of(3.0), second_of(4.0)]
    plot = next(make_charts(Findings(result_of(series=series))))

    path = next(e for e in draw(plot).iter() if e.get("class") == "line blue").get("d")

    assert path is not None
    assert path.count("M") == 2


def test_a_long_run_is_condensed_to_the_worst_of_several_seconds() -> None:
    series = [second_of(float(t), rtt_max=9_000_000 if t == 1234 else 10) for t in range(1, 3601)]
    plot = next(make_charts(Findings(result_of(series=series))))

    assert len(plot.lines[0].points) <= MOST_POINTS
    assert "the worst of 12 seconds" in plot.note
    assert plot.lines[0].values[1] == "9 s"


def test_the_page_is_well_formed_and_says_how_it_went() -> None:
    outline = outline_of(write_html(Findings(eventful_result())))

    assert "56 errors, 10 failed checks, all thresholds kept" in outline.text
    assert "handshake: rejected 503" in outline.text
    assert "connect concurrency" in outline.text


def test_the_page_needs_no_network_and_no_script() -> None:
    page = write_html(Findings(eventful_result()))
    names = {name for name, _ in outline_of(page).attributes}

    assert not names & {"src", "href", "srcset", "action"}
    assert "<script" not in page
    assert not re.search(r"url\(|@import", page)


def test_what_users_and_servers_write_is_only_text() -> None:
    result = result_of(checks={"<script>alert(1)</script>": (1, 0)}, errors={("open", '"><b>'): 1})
    page = write_html(Findings(result))

    assert "<script" not in page
    assert '"><b>' not in page


def test_secrets_are_not_on_the_page() -> None:
    assert "secret" not in write_html(Findings(eventful_result()))


def test_a_run_in_which_nothing_was_measured_has_a_page() -> None:
    plan = Plan(url="ws://127.0.0.1:9/", scenario="idle")
    result = result_of(plan, histograms={}, counts={}, series=[], close_codes={}, machine={})

    assert "idle against ws://127.0.0.1:9/" in outline_of(write_html(Findings(result))).text


def test_a_timer_of_the_user_has_a_line_of_its_own() -> None:
    histograms = {"timer.log in": histogram_of(100, 200)}
    plot = next(make_charts(Findings(result_of(histograms=histograms, series=[]))))

    assert [line.name for line in plot.lines] == ["log in"]


@pytest.mark.parametrize(
    ("scenario", "measured", "titles"),
    [
        ("fanout", ("connect", "delivery", "ping"), ["delivery"]),
        ("idle", ("connect", "first_message", "ping"), ["ping"]),
        ("connect", ("connect", "connect.tcp"), ["connect"]),
        ("a.py:f", ("connect", "timer.pay", "timer.log in"), ["connect", "log in", "pay"]),
    ],
)
def test_what_a_scenario_is_about_has_a_plot_over_time(
    scenario: str, measured: tuple[str, ...], titles: list[str]
) -> None:
    plots = list(make_charts(Findings(result_with(*measured, scenario=scenario))))
    found = [plot for plot in plots if plot.title.startswith("Latency over time")]

    assert [plot.title for plot in found] == [f"Latency over time: {title}" for title in titles]
    for plot in found:
        assert {line.name: line.points[1] for line in plot.lines} == {
            "max": (2.0, 5000),
            "p99": (2.0, 4000),
            "p90": (2.0, 3000),
            "p50": (2.0, 2000),
        }


def test_the_page_says_what_became_of_late_and_of_missing_answers() -> None:
    note = PLOTS["Latency by percentile"].note

    assert "late ones as well; what is never answered is an error, and in no percentile" in note


def test_text_and_elements_keep_their_order() -> None:
    paragraph = tag("p", "one ", tag("b", "two"), None, " three", class_="x", data_size=1.5)
    append(paragraph, tag("i"), " four")

    assert "".join(paragraph.itertext()) == "one two three four"
    assert paragraph.attrib == {"class": "x", "data-size": "1.5"}


@pytest.mark.parametrize(
    ("options", "time", "wanted"),
    [
        ({"clients": 10}, 0.5, 10),
        ({"clients": 10, "ramp": 4.0}, 1.0, 2.5),
        ({"clients": 10, "ramp": 4.0}, 9.0, 10),
        ({"stages": ((4.0, 8.0), (4.0, 0.0))}, 6.0, 4),
        ({"stages": ((4.0, 8.0),), "rate": 1.0, "clients": 3}, 2.0, 3),
    ],
)
def test_how_many_clients_a_plan_wants(options: dict[str, Any], time: float, wanted: float) -> None:
    assert wanted_clients(Plan(**options), time) == wanted
