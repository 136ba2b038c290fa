"""`RESULTS.md`: what was measured, as tables. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.figures import Spread, compare
from benchmarks.peers import FLOOR, OURS, PURE, Peer, find_peer, list_pinned
from benchmarks.results import (
    Result,
    Results,
    cpu_per_minute,
    cpu_per_unit,
    rate,
    resident_size,
    server_share,
)
from benchmarks.targets import TARGETS, Target
from benchmarks.works import Work

INTRODUCTION = """\
# What it costs, here and with others

Made by `make bench`; every word of it, so change `benchmarks/`, not this file. All clients do the
same work against the same server, in turn, round by round: each a process of its own, on a core of
its own, in an environment of its own, with the default settings that a user gets (limits, polls
and pings on, compression off but where a row says so). Each connection is a greenlet or a task,
texts become `str`, and what comes back is what was sent.

*CPU* is user and system time of the client's process for one unit of work, measured from the
moment when all connections are there. *Against bare gevent* is its ratio to a loop over
`gevent.socket` that knows no WebSocket and only counts bytes. Both are medians of the rounds, with
the least and the greatest in brackets; ratios are taken within each round. *Server* is the share of
its core that the server used: where it is near 100 %, throughput and latency are the server's.
Latency is that of a client that asks again as soon as it is answered: over many connections it is
the queue."""

MISSING = "–"

Column = tuple[str, Callable[[Results, str, str], str]]


def write_report(results: Results, works: Sequence[Work], peers: Sequence[Peer]) -> str:
    """Return the whole text."""
    parts = [INTRODUCTION, describe_machine(results, peers), *tell_targets(results)]
    for work in works:
        parts += tell_work(results, work, peers)
    return "\n\n".join(parts) + "\n"


def describe_machine(results: Results, peers: Sequence[Peer]) -> str:
    """Return what the run was made on and with."""
    run = results.run
    lines = [
        f"Measured on {run['date']}: {run['cpu']}, {run['cores']} cores, {run['kernel']}, "
        f"{run['python']}; the load average was {run['load']} when it began.",
        "",
        "| | with |",
        "|---|---|",
    ]
    for peer in peers:
        tree = [run["version"]] if peer.is_tree else []
        lines.append(f"| {emphasise(peer)} | {', '.join(tree + list_pinned(peer.name))} |")
    lines.append(f"| the server | {', '.join(list_pinned('server'))} |")
    return "\n".join(lines)


def tell_targets(results: Results) -> Iterator[str]:
    """Yield the targets, and what has become of them."""
    lines = [
        "| | target, pure Python | achieved | target, with the accelerator | achieved |",
        "|---|---|---|---|---|",
        *(tell_target(results, target) for target in TARGETS),
    ]
    yield "## Targets"
    yield "Ratios of CPU time within a round, but where a unit is named."
    yield "\n".join(lines)
    remarks = [f"- {target.title}: {target.remark}" for target in TARGETS if target.remark]
    if remarks:
        yield "\n".join(remarks)


def tell_target(results: Results, target: Target) -> str:
    """Return a target's row."""
    limits = (PURE, target.limit), (OURS, target.accelerated or target.limit)
    cells = [cell for peer, limit in limits for cell in judge(results, target, peer, limit)]
    return f"| {target.title} | {' | '.join(cells)} |"


def judge(results: Results, target: Target, peer: Peer, limit: float) -> tuple[str, str]:
    """Return what one form of this project was to achieve, and what it has achieved."""
    unit = f" {target.unit}" if target.unit else ""
    achieved = target.find_achieved(results, peer.name)
    if achieved is None:
        return f"≤ {limit:g}{unit}", "not measured"
    verdict = "" if achieved.median <= limit else ", **missed**"
    return f"≤ {limit:g}{unit}", f"{show(achieved, 1)}{verdict}"


def tell_work(results: Results, work: Work, peers: Sequence[Peer]) -> Iterator[str]:
    """Yield a work's heading, its table, and who is not in it."""
    columns = choose_columns(work)
    rows = []
    absent = []
    for peer in peers:
        if results.figures_of(work.name, peer.name, cpu_per_unit):
            cells = [tell(results, work.name, peer.name) for _, tell in columns]
            rows.append("| " + " | ".join([emphasise(peer), *cells]) + " |")
        elif peer.name in peer.lacks or work.name in peer.lacks:
            absent.append(f"- {peer.title}: {peer.lacks[work.name]}.")
        else:
            failures = results.errors_of(work.name, peer.name)
            absent.append(f"- {peer.title}: {failures[-1] if failures else 'not measured'}.")
    if not rows:
        return
    yield f"## {work.title[0].upper()}{work.title[1:]}"
    heads = ["", *(head for head, _ in columns)]
    yield "\n".join([f"| {' | '.join(heads)} |", "|---" + "|---:" * len(columns) + "|", *rows])
    if absent:
        yield "\n".join(["Not in the table:", "", *absent])


def choose_columns(work: Work) -> list[Column]:
    """Return the columns of a work's table."""
    cpu = column(f"CPU µs per {work.unit}", cpu_per_unit, 1e6)
    against = (f"against {FLOOR.title}", tell_ratio)
    last = [column("server %", server_share, 100, 0), ("rounds", count_rounds)]
    p50, p99 = column("p50 ms", figure("p50"), 1e3), column("p99 ms", figure("p99"), 1e3)
    resident = column("KiB per connection", resident_size)
    per_second = column(f"{work.units} per second", rate, digits=0)
    if work.verb == "connect":
        return [cpu, against, per_second, resident, *last]
    if work.verb == "idle":
        at_rest = ("does by default", lambda results, work, peer: find_peer(peer).at_rest)
        return [column("CPU s per minute", cpu_per_minute), at_rest, *last]
    if work.verb == "hub":
        worst = column("worst ms", figure("worst"), 1e3)
        return [p50, p99, worst, per_second, *last]
    if work.verb == "flood":
        return [cpu, against, per_second, *last]
    extra = [resident] if work.compress else []
    return [cpu, against, per_second, p50, p99, *extra, *last]


def column(
    head: str, of: Callable[[Result], float | None], scale: float = 1, digits: int = 3
) -> Column:
    """Return a column with the median of one figure; `digits` is 0 for whole numbers."""

    def tell(results: Results, work: str, peer: str) -> str:
        values = results.figures_of(work, peer, of).values()
        if not values:
            return MISSING
        spread = Spread.of(list(values))
        return show(spread, scale) if of is cpu_per_unit else number(spread.median * scale, digits)

    return head, tell


def figure(name: str) -> Callable[[Result], float | None]:
    """Return a function that takes a figure out of a result."""
    return lambda result: result[name]


def tell_ratio(results: Results, work: str, peer: str) -> str:
    """Return what a peer costs against the floor."""
    ratio = compare(
        results.figures_of(work, peer, cpu_per_unit),
        results.figures_of(work, FLOOR.name, cpu_per_unit),
    )
    return MISSING if ratio is None else show(ratio, 1)


def count_rounds(results: Results, work: str, peer: str) -> str:
    """Return how many rounds there were."""
    return str(len(results.figures_of(work, peer, cpu_per_unit)))


def emphasise(peer: Peer) -> str:
    """Return a peer's title, that of this project in bold."""
    return f"**{peer.title}**" if peer.is_tree else peer.title


def show(spread: Spread, scale: float) -> str:
    """Return the median, and the spread if there was more than one round."""
    middle = number(spread.median * scale)
    if spread.rounds == 1:
        return middle
    return f"{middle} ({number(spread.least * scale)}–{number(spread.greatest * scale)})"


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits at least, or a whole one for 0."""
    if digits == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
