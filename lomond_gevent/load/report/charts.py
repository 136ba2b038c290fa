"""Which plots a page has, and what is on them. How they are drawn is in `plots`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, groupby, islice, pairwise
from typing import TYPE_CHECKING

from lomond_gevent.load.report.glossary import TIMER
from lomond_gevent.load.report.numbers import (
    KIBI,
    format_bytes,
    format_clock,
    format_latency,
    format_percentile,
    format_share,
    format_short,
)
from lomond_gevent.load.report.plots import Axis, Line, Plot, Point
from lomond_gevent.load.report.scales import (
    LinearScale,
    LogScale,
    PercentileScale,
    time_scale,
    time_unit,
    value_scale,
)
from lomond_gevent.load.result import MAIN_LATENCIES

if TYPE_CHECKING:
    from lomond_gevent.load.plan import Plan
    from lomond_gevent.load.report.findings import Findings, Measured
    from lomond_gevent.load.result import Result, Second

# Points on a line: more cannot be told apart, and make pages of megabytes.
MOST_POINTS = 300
# Seconds; the rate of less than that would be noise.
SHORTEST = 0.25
OVER_TIME = ("min", "max", "last")
BY_PERCENTILE = ("p50", "p99", "p99.9", "max")
CONNECTING = ("connect", "connect.dns", "connect.tcp", "connect.tls", "connect.upgrade")
ANSWERS = ("rtt", "rtt.service", "delivery", "delivery.service", "first_message", "ping")

COLOURS = ("blue", "amber", "violet", "green", "red")

Reading = Callable[["Second"], float | None]


def make_charts(findings: Findings) -> Iterator[Plot]:
    """Yield the plots of a result; what was never measured has none."""
    result, timeline = findings.result, Timeline(findings.result)
    measured = {each.name: each for each in findings.measured}
    for name in latencies_over_time(result):
        yield latency_over_time(timeline, measured[name])
    answers = [measured[name] for name in ANSWERS if name in measured]
    answers += [each for name, each in measured.items() if name.startswith(TIMER)]
    if answers:
        yield by_percentile("Latency by percentile", answers)
    connecting = [measured[name] for name in CONNECTING if name in measured]
    if connecting:
        yield by_percentile("Connecting by percentile", connecting)
    if result.series:
        yield from (chart(timeline) for chart in TIMELINES)


class Timeline:
    """The series, condensed where it is too long to draw."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.width = 1 + (len(result.series) - 1) // MOST_POINTS
        numbered = groupby(enumerate(result.series), key=lambda pair: pair[0] // self.width)
        self.groups = [[second for _, second in group] for _, group in numbered]
        self.end = max((second.time for second in result.series), default=1.0)

    @property
    def x(self) -> Axis:
        """Return the axis of the time."""
        return Axis(f"time ({time_unit(self.end)})", time_scale(self.end))

    def worst(self, read: Reading) -> list[Point]:
        """Return the highest values of a reading."""
        return [(group[-1].time, highest(map(read, group))) for group in self.groups]

    def mean(self, read: Callable[[Second], float]) -> list[Point]:
        """Return the mean values of a reading."""
        return [(group[-1].time, sum(map(read, group)) / len(group)) for group in self.groups]

    def rate(self, read: Callable[[Second], float]) -> list[Point]:
        """Return a count as a rate; the last second of a run is shorter than the others."""
        points: list[Point] = []
        before = 0.0
        for group in self.groups:
            time = group[-1].time
            points.append((time, sum(map(read, group)) / max(time - before, SHORTEST)))
            before = time
        return points

    def wanted(self, read: Callable[[float], float]) -> list[Point]:
        """Return what the plan wanted; its time begins when all have connected."""
        begin = self.result.connecting
        return [(group[-1].time, read(max(0.0, group[-1].time - begin))) for group in self.groups]

    def wanted_rate(self) -> list[Point]:
        """Return how many per second the plan's schedule wanted, on average between two points."""
        course, begin = self.result.plan.course, self.result.connecting
        times = [0.0, *(group[-1].time for group in self.groups)]
        totals = [course.area(min(max(0.0, time - begin), course.duration)) for time in times]
        return [
            (time, (total - total_before) / max(time - before, SHORTEST))
            for (before, total_before), (time, total) in pairwise(zip(times, totals, strict=True))
        ]

    def note(self, text: str, how: str) -> str:
        """Return a plot's note, which says so where a point stands for several seconds."""
        return text if self.width == 1 else f"{text} Each point is {how} of {self.width} seconds."

    def plot(
        self,
        title: str,
        note: str,
        y: Axis,
        lines: Sequence[Line],
        show: Callable[[float], str],
    ) -> Plot:
        """Return a plot over time."""
        return Plot(title, note, self.x, y, lines, OVER_TIME, show, format_clock)


def highest(values: Iterator[float | None]) -> float | None:
    """Return the highest of the values that there are."""
    return max((value for value in values if value is not None), default=None)


def line(
    name: str,
    points: Sequence[Point],
    colour: str,
    show: Callable[[float], str],
    is_area: bool = False,
) -> Line:
    """Return a line whose legend tells its smallest, its largest and its last value."""
    values = [value for _, value in points if value is not None]
    told = (
        [show(value) for value in (min(values), max(values), values[-1])] if values else ["–"] * 3
    )
    return Line(name, points, colour, told, is_area)


def values_of(lines: Sequence[Line]) -> list[float]:
    """Return the values of all points of some lines."""
    return [value for each in lines for _, value in each.points if value is not None]


def latency_axis(lines: Sequence[Line]) -> Axis:
    """Return the axis of latencies, which says so where it is logarithmic."""
    scale = value_scale(values_of(lines), format_latency)
    return Axis(f"latency{' (logarithmic)' if isinstance(scale, LogScale) else ''}", scale)


def latencies_over_time(result: Result) -> Iterator[str]:
    """Yield what has a plot over time: what the scenario is about, and each timer of the user."""
    names = {name for second in result.series for name in second.latencies}
    names |= {"rtt"} if any(second.rtt_count for second in result.series) else set()
    yield from islice((name for name in MAIN_LATENCIES if name in names), 1)
    yield from sorted(name for name in names if name.startswith(TIMER))


def latency_over_time(timeline: Timeline, measured: Measured) -> Plot:
    """Return the percentiles of a distribution, second by second."""
    lines = [
        line(name, timeline.worst(reading_of(measured.name, name)), colour, format_latency)
        for name, colour in (("max", "red"), ("p99", "amber"), ("p90", "violet"), ("p50", "blue"))
    ]
    title = f"Latency over time: {measured.title.strip()}"
    note = timeline.note(f"Percentiles of each second, {measured.meaning}.", "the worst")
    return timeline.plot(title, note, latency_axis(lines), lines, format_latency)


def reading_of(name: str, stat: str) -> Reading:
    """Return what reads one value of a distribution from a second."""

    def read(second: Second) -> float | None:
        latency = second.latency(name)
        return None if latency is None else getattr(latency, stat)

    return read


def by_percentile(title: str, measured: Sequence[Measured]) -> Plot:
    """Return distributions over an axis on which each further nine takes the same room."""
    scale = PercentileScale(max(each.histogram.count for each in measured))
    lines = []
    for colour, each in zip(cycle(COLOURS), measured, strict=False):
        levels = scale.levels()
        values = each.histogram.percentiles(levels)
        told = [*each.histogram.percentiles([50, 99, 99.9]), each.histogram.max]
        points = list(zip(levels, values, strict=True))
        legend = [format_latency(value) for value in told]
        lines.append(Line(each.title.strip(), points, colour, legend))
    meanings = "; ".join(f"{each.title.strip()}: {each.meaning}" for each in measured)
    x = Axis("percentile (%)", scale)
    note = f"{meanings[:1].upper()}{meanings[1:]}. Each further nine takes the same room."
    return Plot(title, note, x, latency_axis(lines), lines, BY_PERCENTILE, format_latency, level)


def level(percentile: float) -> str:
    """Return a percentile of the axis, without digits that nobody reads."""
    return format_percentile(round(percentile, 4))


def count_axis(title: str, lines: Sequence[Line]) -> Axis:
    """Return an axis of numbers from 0 on."""
    return Axis(title, LinearScale(max(values_of(lines), default=1.0), format_short))


def connections(timeline: Timeline) -> Plot:
    """Return the connected clients, and how many the plan wanted."""
    lines = [
        line("connected", timeline.mean(lambda s: s.clients), "blue", format_short, is_area=True)
    ]
    plan = timeline.result.plan
    if plan.arrivals is None:
        wanted = timeline.wanted(lambda time: wanted_clients(plan, time))
        lines.append(line("wanted", wanted, "amber", format_short))
    note = timeline.note("Open WebSockets at the end of each second.", "the mean")
    return timeline.plot("Connections", note, count_axis("connections", lines), lines, format_short)


def wanted_clients(plan: Plan, time: float) -> float:
    """Return how many clients a plan wanted at a time, in seconds since the load began."""
    if plan.stages and plan.rate is None:
        return plan.course.at(time)
    return plan.clients * min(1.0, time / plan.ramp) if plan.ramp else plan.clients


def connects(timeline: Timeline) -> Plot:
    """Return how many connections were opened, and how many failed or were lost."""
    lines = [
        line("opened", timeline.rate(lambda s: s.opened), "blue", format_short),
        line("failed", timeline.rate(lambda s: s.failed), "red", format_short),
        line("lost", timeline.rate(lambda s: s.lost), "amber", format_short),
    ]
    note = timeline.note("Connections opened, failed and lost.", "the mean")
    axis = count_axis("connections per second", lines)
    return timeline.plot("Connections per second", note, axis, lines, format_short)


def messages(timeline: Timeline) -> Plot:
    """Return the messages per second, and how many the schedule wanted."""
    plan = timeline.result.plan
    lines = [
        line("sent", timeline.rate(lambda s: s.sent), "blue", format_short),
        line("received", timeline.rate(lambda s: s.received), "green", format_short),
    ]
    if plan.rate is not None:
        lines.append(line("wanted", timeline.wanted_rate(), "amber", format_short))
    note = timeline.note("Messages sent and received.", "the mean")
    axis = count_axis("messages per second", lines)
    return timeline.plot("Messages per second", note, axis, lines, format_short)


def payload(timeline: Timeline) -> Plot:
    """Return the bytes of messages per second."""
    lines = [
        line("sent", timeline.rate(lambda s: s.bytes_sent), "blue", format_bytes),
        line("received", timeline.rate(lambda s: s.bytes_received), "green", format_bytes),
    ]
    scale = bytes_scale(max(values_of(lines), default=1.0))
    note = timeline.note("Payload of the messages, without frames and TCP.", "the mean")
    axis = Axis("payload per second", scale)
    return timeline.plot("Bytes per second", note, axis, lines, format_bytes)


def bytes_scale(most: float) -> LinearScale:
    """Return a scale whose ticks are round numbers of bytes, KiB, MiB and so on."""
    nice = (1, 2, 5, 10, 20, 50, 100, 200, 512)
    steps = tuple(float(KIBI**power * number) for power in range(5) for number in nice)
    return LinearScale(most, format_bytes, steps=steps)


def errors(timeline: Timeline) -> Plot:
    """Return the errors per second, of whichever kind."""
    lines = [line("errors", timeline.rate(lambda s: s.errors), "red", format_short, is_area=True)]
    note = timeline.note("Errors of every kind; which ones is in the table below.", "the mean")
    return timeline.plot(
        "Errors per second", note, count_axis("errors per second", lines), lines, format_short
    )


def own_cpu(timeline: Timeline) -> Plot:
    """Return what share of a core the load generator took."""
    lines = [line("CPU", timeline.worst(lambda s: s.cpu), "violet", format_share, is_area=True)]
    scale = LinearScale(max(1.0, *values_of(lines), 0.0), format_share)
    note = "Of the busiest process. Near 100 % the client is the bottleneck, not the server."
    axis = Axis("share of one core", scale)
    return timeline.plot(
        "CPU of the load generator", timeline.note(note, "the highest"), axis, lines, format_share
    )


def own_lag(timeline: Timeline) -> Plot:
    """Return how late the load generator came to what was due."""
    lines = [
        line("hub lag", timeline.worst(lambda s: s.lag_max), "violet", format_latency, is_area=True)
    ]
    scale = LinearScale(max(1.0, *values_of(lines), 0.0), format_latency)
    note = "How late this process came to what was due. Latencies below it say little."
    axis = Axis("longest lag of the second", scale)
    return timeline.plot(
        "Lag of the load generator", timeline.note(note, "the worst"), axis, lines, format_latency
    )


TIMELINES = (connections, connects, messages, payload, errors, own_cpu, own_lag)
