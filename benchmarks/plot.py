"""The picture that the README shows: run in an environment of its own, which has matplotlib.

    python plot.py OUTPUT.svg < panels.json

The input is a list of panels, each with a `title` and `bars`: label, value, and kind ("ours",
"floor" or "peer"). Colours are such as can be read on white and on black.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "results", "font.size": 9})

from matplotlib import pyplot  # noqa: E402

INK = "#7d8590"
COLOURS = {"ours": "#e8710a", "floor": "#b1b8c0", "peer": "#5b8db8"}
COLUMNS = 2


def draw(panels: list[dict[str, Any]], output: str) -> None:
    """Draw the panels, two in a row, each with the cheapest on top."""
    rows = -(-len(panels) // COLUMNS)
    tallest = max(len(panel["bars"]) for panel in panels)
    size = (9.6, rows * (0.9 + 0.24 * tallest))
    picture, grid = pyplot.subplots(rows, COLUMNS, figsize=size, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        draw_panel(axes, panel)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    picture.tight_layout(w_pad=3)
    picture.savefig(output, transparent=True, metadata={"Date": None})


def draw_panel(axes: Any, panel: dict[str, Any]) -> None:
    """Draw one panel."""
    bars = sorted(panel["bars"], key=lambda bar: bar["value"], reverse=True)
    values = [bar["value"] for bar in bars]
    drawn = axes.barh(
        [bar["label"] for bar in bars], values, color=[COLOURS[bar["kind"]] for bar in bars]
    )
    axes.bar_label(drawn, [f"{value:.3g}" for value in values], padding=3, color=INK)
    axes.set_title(panel["title"], color=INK, loc="left", fontsize=10)
    axes.set_xlim(0, max(values) * 1.15)
    axes.xaxis.set_visible(False)
    axes.tick_params(colors=INK, length=0)
    axes.spines[:].set_visible(False)
    for label, bar in zip(axes.get_yticklabels(), bars, strict=True):
        if bar["kind"] == "ours":
            label.set_fontweight("bold")
            label.set_color(COLOURS["ours"])


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
