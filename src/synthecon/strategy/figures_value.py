"""Figures of value and risk, drawn from plain numbers that a notebook computed.

Money comes in whole units of the currency and is shown in thousands or millions.  Each function
leaves one pyplot figure open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from numpy.typing import ArrayLike

from synthecon import plots
from synthecon.economics import explore
from synthecon.economics.figures_lesson2 import scale
from synthecon.strategy import printable

GAIN, LOSS, TOTAL = plots.GREEN, plots.RED, plots.BLUE
BEFORE, AFTER = plots.ORANGE, plots.BLUE


def _thousands(axis: Axis) -> None:
    axis.set_major_formatter(lambda value, _: explore.number(value, ",.10g"))


def _rows(ax: Axes, names: Sequence[str]) -> None:
    """One row a name, the first on top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.6)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)


def _headline(ax: Axes, *texts: tuple[str, str]) -> None:
    """Texts with their colours over the axes, from the left edge to the right one."""
    for place, (text, colour) in enumerate(texts):
        x = place / max(1, len(texts) - 1)
        side = "left" if place == 0 else "right" if place == len(texts) - 1 else "center"
        ax.annotate(text, (x, 1), xytext=(0, 7), textcoords="offset points", color=colour,
                    xycoords="axes fraction", ha=side, fontweight="bold")  # fmt: skip


def _legend(ax: Axes, names: Mapping[str, str], columns: int = 2) -> None:
    """Names with their colours below the axes: name -> colour."""
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in names.values()]
    ax.figure.legend(handles, list(names), loc="outside lower center", ncols=columns, frameon=False)


def waterfall(
    start: tuple[str, float], steps: Sequence[tuple[str, float]], end: tuple[str, float],
    currency: str, *, result: str = "EBITDA",
) -> None:  # fmt: skip
    """From one total to another, step by step.

    Where the steps are small beside the totals, the axis begins near these, and says so.

    Raises:
        ValueError: steps that do not lead from the start to the end.
    """
    gap = start[1] + sum(x for _, x in steps) - end[1]
    if abs(gap) > 1e-6 * max(1.0, abs(start[1]), abs(end[1])):
        raise ValueError(f"the steps miss the end by {gap:g}")
    show = scale([start[1], end[1]], currency)
    note = " (axis does not begin at zero)"
    rows = [(start[0], 0.0, start[1], TOTAL)]
    level = start[1]
    for name, amount in steps:
        rows.append((name, level, amount, GAIN if amount >= 0 else LOSS))
        level += amount
    rows.append((end[0], 0.0, end[1], TOTAL))
    edges = np.cumsum([start[1], *(x for _, x in steps)]) / show.by
    reach = float(np.ptp(edges)) or abs(edges[0]) or 1.0
    left, right = float(edges.min()) - 0.35 * reach, float(edges.max()) + 0.22 * reach
    foot = left  # where the bars of the totals begin
    if np.abs(edges).min() < 2 * reach:
        foot, note = 0.0, ""
        left, right = min(left, 0.0), max(right, 0.0)
    _, ax = plt.subplots(figsize=(7.6, 0.42 * len(rows) + 1.4))
    for y, (_, bottom, amount, colour) in enumerate(rows):
        total = colour == TOTAL
        low = foot if total else bottom / show.by
        width = amount / show.by - (foot if total else 0.0)
        ax.barh(y, width, 0.62, left=low, color=colour)
        tip = max(low, low + width)
        text = show.text(amount) if total else show.text(amount, "+")
        plots.beside(ax, text, (tip, y), (5, 0), colour, fontsize=9)
        if y + 1 < len(rows):  # a thread to the next bar
            place = (amount if total else bottom + amount) / show.by
            ax.plot([place, place], [y + 0.31, y + 0.69], color=plots.MUTED, lw=1)
    _rows(ax, [name for name, *_ in rows])
    ax.set(xlabel=f"{result}, {show.unit}{note}", xlim=(left, right))
    _thousands(ax.xaxis)


def by_year(series: Mapping[str, tuple[Sequence[float], str]], currency: str) -> None:
    """Bars side by side, a group a year: name -> (amounts, colour)."""
    show = scale([x for xs, _ in series.values() for x in xs], currency)
    _, ax = plt.subplots(figsize=(7.6, 3.8))
    width = 0.8 / len(series)
    count = len(next(iter(series.values()))[0])
    for place, (xs, colour) in enumerate(series.values()):
        at = np.arange(count) + (place - (len(series) - 1) / 2) * width
        values = np.asarray(xs) / show.by
        ax.bar(at, values, 0.92 * width, color=colour)
        for x, value in zip(at, values, strict=True):
            up = value >= 0
            plots.beside(ax, show.text(value * show.by, "+"), (float(x), float(value)),
                         (0, 4 if up else -4), colour, va="bottom" if up else "top",
                         fontsize=8)  # fmt: skip
    ax.axhline(0, color=plots.MUTED, lw=1)
    _legend(ax, {name: colour for name, (_, colour) in series.items()})
    ax.set_xticks(range(count), [f"year {n + 1}" for n in range(count)])
    ax.set(ylabel=show.unit, xlim=(-0.55, count - 0.45))
    ax.margins(y=0.16)
    ax.grid(axis="x", visible=False)
    _thousands(ax.yaxis)


def worths(
    rows: Sequence[tuple[str, tuple[float, float, float], str]], currency: str,
    *, what: str = "added to enterprise value",
) -> None:  # fmt: skip
    """Ranges, one a row: name, (5th, 50th, 95th percentile), colour."""
    show = scale([xs[1] for _, xs, _ in rows], currency)
    _, ax = plt.subplots(figsize=(7.6, 0.66 * len(rows) + 1.2))
    for y, (_, xs, colour) in enumerate(rows):
        low, middle, high = (x / show.by for x in xs)
        name = f"{show.text(xs[1], '+')}   ({show.text(xs[0], '+')} to {show.text(xs[2], '+')})"
        plots.range_row(ax, y, (low, middle, high), name, colour)
    ax.axvline(0, color=plots.MUTED, lw=1, zorder=0)
    for text in ax.texts:  # the line at zero ends at a label, and goes on after it
        text.set_bbox({"facecolor": plots.CARD, "edgecolor": "none", "pad": 1.0})
    _rows(ax, [name for name, *_ in rows])
    ax.set(xlabel=f"{what}, {show.unit}")
    ax.margins(x=0.24)
    _thousands(ax.xaxis)


def troughs(depths: ArrayLike, limit: float, currency: str, *, bins: int = 50) -> None:
    """How much cash the project ties up at worst before tax, over scenarios, against a limit."""
    depths = np.asarray(depths, float)
    show = scale([*np.quantile(depths, [0.005, 0.995]), limit], currency)
    low, high = np.quantile(depths, [0.005, 0.995]) / show.by
    _, ax = plt.subplots(figsize=(7.6, 3.6))
    line = limit / show.by
    width = (high - low) / bins or 1.0
    # An edge at the limit, so that no bar is on both sides of it
    first = int(np.floor((low - line) / width))
    last = max(int(np.ceil((high - line) / width)), first + 1)
    edges = line + width * np.arange(first, last + 1)
    counts, _ = np.histogram(depths / show.by, edges)
    colours = [LOSS if edge >= line - width / 2 else GAIN for edge in edges[:-1]]
    ax.bar(edges[:-1], 100 * counts / len(depths), width, align="edge", color=colours, alpha=0.8)
    ax.axvline(line, color=plots.INK, lw=1.5)
    middle = (min(low, line) + max(high, line)) / 2
    name = f"limit {show.text(limit)}"
    plots.beside(ax, name, (line, ax.get_ylim()[1]), (-6 if line > middle else 6, -8), plots.INK)
    shown = printable.often(float(np.mean(depths > limit)))
    _headline(ax, ("within the limit", GAIN), (f"beyond it in {shown} of scenarios", LOSS))
    ax.set(xlabel=f"cash tied up at worst, before tax, {show.unit}", ylabel="share of scenarios, %")
    ax.margins(x=0.04)
    _thousands(ax.xaxis)


def exceedance(curves: Mapping[str, tuple[ArrayLike, str]], currency: str) -> None:
    """How likely a year costs more than an amount: name -> (losses of simulated years, colour).

    The chance has a logarithmic axis: bad years are rare, and what they cost is the point.
    """
    show = scale([float(np.quantile(np.asarray(x), 0.999)) for x, _ in curves.values()], currency)
    _, ax = plt.subplots(figsize=(7.6, 4.0))
    for name, (losses, colour) in curves.items():
        chance = np.logspace(0, -3, 200)
        amounts = np.quantile(np.asarray(losses, float), 1 - chance) / show.by
        ax.plot(amounts, 100 * chance, color=colour)
        bad, rare = (float(np.quantile(losses, 1 - p)) for p in (0.05, 0.0025))
        ax.plot(bad / show.by, 5, "o", color=colour)
        plots.beside(ax, show.text(bad), (bad / show.by, 5), (7, 7), colour)
        plots.beside(ax, name, (rare / show.by, 0.25), (8, 4), colour)
    ax.axhline(5, color=plots.MUTED, lw=1, ls=(0, (4, 3)))
    plots.beside(
        ax, "1 year in 20", (1, 5), (-4, 7), plots.MUTED, xycoords=("axes fraction", "data")
    )
    ax.set_yscale("log")
    ax.set_ylim(0.1, 110)
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
    ax.set(xlabel=f"loss of a year, {show.unit}", ylabel="chance of a year that costs more, %")
    ax.set_xlim(left=0)
    ax.margins(x=0.08)
    _thousands(ax.xaxis)


def controls(rows: Sequence[tuple[str, float, float, float]], currency: str) -> None:
    """What each control removes and costs a year: name, removed alone, removed last, cost."""
    show = scale([x for _, *xs in rows for x in xs], currency)
    _, ax = plt.subplots(figsize=(7.6, 0.72 * len(rows) + 1.3))
    for y, (_, alone, last, cost) in enumerate(rows):
        ax.barh(y - 0.17, alone / show.by, 0.3, color=GAIN)
        ax.barh(y + 0.17, cost / show.by, 0.3, color=LOSS)
        ax.plot([last / show.by] * 2, [y - 0.32, y - 0.02], color=plots.INK, lw=2)
        ratio = f"removes {show.text(alone)}"
        plots.beside(ax, ratio, (alone / show.by, y - 0.17), (6, 0), GAIN, fontsize=9)
        text = f"costs {show.text(cost)}, gives {explore.number(alone / cost, '.2f')} for 1"
        plots.beside(ax, text, (cost / show.by, y + 0.17), (6, 0), LOSS, fontsize=9)
    _headline(ax, ("expected loss removed (| beside the others)", GAIN), ("cost", LOSS))
    _rows(ax, [name for name, *_ in rows])
    ax.set(xlabel=f"a year, {show.unit}")
    ax.set_xlim(0, 1.7 * max(max(a, c) for _, a, _, c in rows) / show.by)
    _thousands(ax.xaxis)


Point = tuple[float, float, float]
"""Value, low and high end of its interval."""


def dumbbells(rows: Sequence[tuple[str, Point, Point]], unit: str) -> None:
    """Before and after, each with its interval, one row a group."""
    _, ax = plt.subplots(figsize=(7.6, 0.3 * len(rows) + 1.2))
    for y, (_, before, after) in enumerate(rows):
        ax.plot([before[0], after[0]], [y, y], color=plots.GRID, lw=5, zorder=1)
        for (value, low, high), colour, shift in ((before, BEFORE, -0.1), (after, AFTER, 0.1)):
            ax.plot([low, high], [y + shift] * 2, color=colour, lw=2, alpha=0.6)
            ax.plot(value, y + shift, "o", color=colour, ms=6)
    _headline(ax, ("● before", BEFORE), ("● after augmentation", AFTER))
    _rows(ax, [name for name, *_ in rows])
    ax.set(xlabel=unit)


def durations(ways: Mapping[str, Mapping[str, float]], unit: str = "days") -> None:
    """What takes the time: one stacked bar a way, its parts named below the first that has them."""
    parts = list(dict.fromkeys(name for way in ways.values() for name in way))
    palette = (plots.ORANGE, plots.PURPLE, plots.SKY, plots.GREEN, plots.BLUE)
    _, ax = plt.subplots(figsize=(7.6, 0.85 * len(ways) + 1.6))
    reach = max(sum(way.values()) for way in ways.values())
    for y, way in enumerate(ways.values()):
        start = 0.0
        for name, colour in zip(parts, palette, strict=False):
            width = way.get(name, 0.0)
            ax.barh(y, width, 0.46, left=start, color=colour, edgecolor=plots.CARD)
            if width > 0.05 * reach:
                ax.text(start + width / 2, y, f"{width:.1f}", color=plots.CARD, ha="center",
                        va="center", fontweight="bold")  # fmt: skip
            start += width
        plots.beside(ax, f"{start:.1f} {unit}", (start, y), (6, 0), plots.INK)
    _rows(ax, list(ways))
    ax.set(xlabel=unit, xlim=(0, 1.16 * reach))
    _legend(ax, dict(zip(parts, palette, strict=False)), 3)
