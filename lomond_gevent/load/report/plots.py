"""A plot on a page: lines in an SVG that takes any width, labels in HTML that keep their size.

What is plotted, and why, is in `charts.py`. The colours, and how a plot looks on a telephone, in
the dark and on paper, are in `style.css`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from lomond_gevent.load.report.markup import tag
from lomond_gevent.load.report.scales import Scale

# The drawing's own coordinates; the page stretches them.
WIDTH, HEIGHT = 1000, 400

Point = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: points in order (None interrupts it), and the values of its legend.

    `colour` is a class of `style.css`, which gives each colour its own dashes as well.
    """

    name: str
    points: Sequence[Point]
    colour: str
    values: Sequence[str]
    is_area: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows, in which unit, and on which scale."""

    title: str
    scale: Scale


@dataclass(frozen=True, slots=True)
class Plot:
    """A titled plot; `value_names` are the columns of the legend, `show` writes a value."""

    title: str
    note: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    value_names: Sequence[str]
    show: Callable[[float], str]
    show_x: Callable[[float], str]


def draw(plot: Plot) -> Element:
    """Return a plot as a figure."""
    return tag(
        "figure",
        tag("figcaption", tag("h3", plot.title), tag("p", plot.note)),
        tag(
            "div",
            tag("div", plot.y.title, class_="y-title"),
            tag("div", *(y_label(*tick) for tick in plot.y.scale.ticks), class_="y-labels"),
            tag("div", drawing(plot), *peak(plot), class_="canvas"),
            tag("div", *(x_label(*tick) for tick in plot.x.scale.ticks), class_="x-labels"),
            tag("div", plot.x.title, class_="x-title"),
            class_="plot",
        ),
        legend(plot),
    )


def drawing(plot: Plot) -> Element:
    """Return the grid, the lines, and what is told where the mouse is."""
    x, y = plot.x.scale, plot.y.scale
    return tag(
        "svg",
        tag("title", plot.title),
        tag("path", d=grid(x, y), class_="grid"),
        *(area(line, x, y) for line in plot.lines if line.is_area),
        *(stroke(line, x, y) for line in plot.lines),
        *hints(plot),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
    )


def grid(x: Scale, y: Scale) -> str:
    """Return a path along all ticks."""
    across = [f"M0 {HEIGHT * (1 - place):.1f}H{WIDTH}" for place, _ in y.ticks]
    down = [f"M{WIDTH * place:.1f} 0V{HEIGHT}" for place, _ in x.ticks]
    return "".join(across + down)


def pieces(line: Line, x: Scale, y: Scale) -> list[list[tuple[float, float]]]:
    """Return a line's pieces without a gap, in coordinates of the drawing."""
    found: list[list[tuple[float, float]]] = [[]]
    for at, value in line.points:
        if value is None:
            found.append([])
        else:
            found[-1].append((WIDTH * x.place(at), HEIGHT * (1 - y.place(value))))
    return [piece for piece in found if piece]


def path(points: Sequence[tuple[float, float]]) -> str:
    """Return a path through points; a single one becomes a dot."""
    text = "M" + "L".join(f"{left:.1f} {top:.1f}" for left, top in points)
    return text if len(points) > 1 else f"{text}h.01"


def stroke(line: Line, x: Scale, y: Scale) -> Element:
    """Return the line itself."""
    return tag(
        "path",
        d="".join(path(piece) for piece in pieces(line, x, y)),
        class_=f"line {line.colour}",
    )


def area(line: Line, x: Scale, y: Scale) -> Element:
    """Return what is between a line and the axis."""
    shapes = [
        f"{path(piece)}L{piece[-1][0]:.1f} {HEIGHT}L{piece[0][0]:.1f} {HEIGHT}Z"
        for piece in pieces(line, x, y)
    ]
    return tag("path", d="".join(shapes), class_=f"area {line.colour}")


def hints(plot: Plot) -> list[Element]:
    """Return strips over the whole drawing; each tells the values of one place as its title."""
    values = [dict(line.points) for line in plot.lines]
    places = sorted({at for line in values for at in line})
    lefts = [WIDTH * plot.x.scale.place(at) for at in places]
    strips = []
    for index, at in enumerate(places):
        begin = (lefts[max(0, index - 1)] + lefts[index]) / 2
        end = (lefts[index] + lefts[min(len(lefts) - 1, index + 1)]) / 2
        told = [plot.show_x(at)]
        for line, value in zip(plot.lines, values, strict=True):
            known = value.get(at)
            told += [f"{line.name}: {plot.show(known)}"] if known is not None else []
        strip = tag("title", "\n".join(told))
        strips.append(tag("rect", strip, x=begin, width=end - begin, y=0, height=HEIGHT))
    return strips


def peak(plot: Plot) -> list[Element]:
    """Return a mark at the highest point of all, with its value."""
    points = [(value, at) for line in plot.lines for at, value in line.points if value is not None]
    if not points:
        return []
    value, at = max(points, key=lambda point: point[0])
    left, top = plot.x.scale.place(at) * 100, (1 - plot.y.scale.place(value)) * 100
    side = "left" if left > 50 else "right"
    style = f"left:{left:.2f}%;top:{top:.2f}%"
    return [tag("div", tag("span", plot.show(value)), class_=f"peak {side}", style=style)]


def y_label(place: float, text: str) -> Element:
    """Return the label of a tick beside the drawing."""
    return tag("span", text, style=f"top:{100 * (1 - place):.2f}%")


def x_label(place: float, text: str) -> Element:
    """Return the label of a tick below the drawing."""
    return tag("span", text, style=f"left:{100 * place:.2f}%")


def legend(plot: Plot) -> Element:
    """Return the names of the lines, with the values that are asked for first."""
    head = tag("tr", tag("th", ""), *(tag("th", name) for name in plot.value_names))
    rows = [
        tag(
            "tr",
            tag("th", swatch(line.colour), line.name, scope="row"),
            *(tag("td", value) for value in line.values),
        )
        for line in plot.lines
    ]
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="legend")


def swatch(colour: str) -> Element:
    """Return a piece of a line, as it is drawn."""
    mark = tag("path", d="M0 5H26", class_=f"line {colour}")
    return tag("svg", mark, class_="swatch", viewBox="0 0 26 10", aria_hidden="true")
