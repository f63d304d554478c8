"""Figures of build or buy and of service levels, drawn from amounts that the notebook computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes

from synthecon import plots
from synthecon.economics.accounts import Year
from synthecon.economics.sourcing import Line, envelope

COLOURS = {"buy": plots.ORANGE, "build": plots.BLUE, "hybrid": plots.GREEN}


def _thousands(ax: Axes, axis: str) -> None:
    getattr(ax, f"{axis}axis").set_major_formatter(lambda x, _: f"{x:,.0f}".replace("-", "−"))


def volume(
    lines: Sequence[Line], low: float, high: float, own: tuple[float, float, float], currency: str
) -> None:
    """Present cost of each plan over the monthly volume, with the crossings of the cheapest.

    own: the company's volume, low, base and high.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.4))
    x = np.geomspace(low, high, 200)
    best = np.min([line.fixed + line.each * x for line in lines], 0) / 1000
    ax.plot(x, best, color=plots.GRID, lw=9, solid_capstyle="butt", zorder=1)
    ends = []
    for line in lines:
        y = (line.fixed + line.each * x) / 1000
        ax.plot(x, y, color=COLOURS[line.name], zorder=2)
        ends.append((high, float(np.log10(y[-1])), line.name, COLOURS[line.name]))
    ax.set_xscale("log")
    ax.set_yscale("log")
    # Labels are spread on the scale that is seen
    last: list[float] = []
    for _, place, name, colour in sorted(ends, key=lambda end: end[1]):
        last.append(max(place, last[-1] + 0.07) if last else place)
        plots.beside(ax, name, (high, 10 ** last[-1]), (6, 0), colour, annotation_clip=False)
    ax.axvspan(own[0], own[2], color=plots.SKY, alpha=0.12, lw=0)
    ax.axvline(own[1], color=plots.SKY, lw=1)
    highest = max(line.at(high) for line in lines) / 1000
    ax.annotate("this company", (own[1], 1.25 * highest), ha="center", color=plots.SKY, fontsize=9)
    steps = envelope(lines, low, high)
    for start, _ in steps[1:]:
        cost = min(line.at(start) for line in lines) / 1000
        ax.plot([start], [cost], "o", color=plots.INK, ms=7)
        plots.beside(ax, f"{start:,.0f}", (start, cost), (6, -10), plots.INK)
    ax.set(
        xlabel="requests a month, thousand (log scale)",
        ylabel=f"present cost, thousand {currency} (log scale)",
        xlim=(low, high),
        ylim=(0.7 * best.min(), 1.6 * highest),
    )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(ticker.LogLocator(10, (1, 2, 5)))
        axis.set_minor_locator(ticker.NullLocator())
    ax.xaxis.set_tick_params(labelrotation=30)
    _thousands(ax, "x")
    _thousands(ax, "y")


def machine(
    own_per_hour: float, rate: float, rented: float, price: float, turns: Mapping[str, float],
    currency: str,
) -> None:  # fmt: skip
    """Cost of a thousand requests on an own machine over its utilisation; rented, and bought.

    own_per_hour: money; rate: thousand requests an hour at full load; rented, price: money for a
    thousand requests; turns: utilisation of each crossing by its name.
    """
    _, ax = plt.subplots()
    u = np.linspace(0.03, 1, 300)
    ax.plot(u, own_per_hour / (rate * u), color=plots.BLUE)
    ax.axhline(price, color=plots.ORANGE)
    ax.axhline(rented, color=plots.GREEN)
    top = 1.35 * price
    for y, name, colour in (
        (price, "vendor's price a request", plots.ORANGE),
        (rented, "rented by the hour", plots.GREEN),
    ):
        plots.beside(ax, name, (1, y), (0, 9), colour, ha="right")
    plots.beside(ax, "own machine", (u[35], own_per_hour / (rate * u[35])), (8, 6), plots.BLUE)
    for name, at in turns.items():
        if 0 < at <= 1:
            y = own_per_hour / (rate * at)
            ax.plot([at], [y], "o", color=plots.INK, ms=7)
            ax.annotate(
                f"{name}\n{at:.0%}", (at, y), xytext=(5, 12), textcoords="offset points", fontsize=9
            )
    ax.set(
        xlabel="busy share of the own machine's hours",
        ylabel=f"{currency} for a thousand requests",
        xlim=(0, 1),
        ylim=(0, top),
    )
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")


def treatments(expensed: Sequence[Year], capitalised: Sequence[Year], currency: str) -> None:
    """EBITDA, EBIT and cash of the same spend, expensed and capitalised, year by year."""
    _, axes = plt.subplots(1, 3, figsize=(7.6, 3.2), sharey=True)
    years = np.arange(len(expensed))
    for ax, (title, name) in zip(
        axes, (("EBITDA", "ebitda"), ("EBIT", "ebit"), ("cash", "cash")), strict=True
    ):
        for shift, colour, label, some in (
            (-0.2, plots.ORANGE, "expensed", expensed),
            (0.2, plots.BLUE, "capitalised", capitalised),
        ):
            amounts = [getattr(year, name) / 1000 for year in some]
            ax.bar(years + shift, amounts, 0.38, color=colour, label=label)
        ax.axhline(0, color=plots.MUTED, lw=1)
        ax.set_title(title)
        ax.set_xticks(years, [f"year {y + 1}" for y in years], fontsize=8)
        ax.grid(axis="x", visible=False)
        _thousands(ax, "y")
    axes[0].set_ylabel(f"change, thousand {currency}")
    axes[0].legend(frameon=False, fontsize=9, loc="lower right")


def one_outage(
    hours: np.ndarray, parts: Sequence[tuple[str, np.ndarray, str]], credit: np.ndarray,
    currency: str,
) -> None:  # fmt: skip
    """What one outage in a month costs by its length, in stacked parts, and what comes back.

    parts: name, money at each length, colour; the first at the bottom.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.2))
    bottom = np.zeros_like(hours)
    for name, amount, colour in parts:
        top = bottom + amount / 1000
        ax.fill_between(hours, bottom, top, color=colour, alpha=0.35, lw=0)
        if amount[-1] > 0:
            middle = (hours[-1], (bottom[-1] + top[-1]) / 2)
            plots.beside(ax, name, middle, (6, 0), colour, annotation_clip=False)
        bottom = top
    ax.plot(hours, credit / 1000, color=plots.INK)
    i = int(0.55 * len(hours))
    plots.beside(ax, "credit, if claimed", (hours[i], credit[i] / 1000), (0, 10), plots.INK)
    ax.set(
        xlabel="hours of one outage in a month",
        ylabel=f"thousand {currency}",
        xlim=(0, hours[-1]),
        ylim=(0, None),
    )


def exceedance(
    series: Sequence[tuple[str, np.ndarray, str]], marks: Sequence[tuple[str, float, str]],
    currency: str,
) -> None:  # fmt: skip
    """Probability that a year's amount exceeds a value.

    series: name, yearly amounts, colour; marks: name, amount, colour of a dot on its curve.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.2))
    floor = 1e-3
    right = max(float(np.quantile(amounts, 1 - floor)) for _, amounts, _ in series) / 1000
    known = {}
    for name, amounts, colour in series:
        ordered = np.sort(amounts) / 1000
        left = 1 - np.arange(len(ordered)) / len(ordered)
        ax.step(ordered, left, color=colour, where="post")
        known[colour] = ordered
        at = float(np.quantile(ordered, 1 - 2 * floor))
        plots.beside(ax, name, (at, 2 * floor), (5, 7), colour, annotation_clip=False)
    for name, amount, colour in marks:
        y = float((known[colour] > amount / 1000).mean())
        ax.plot([amount / 1000], [y], "D", color=colour, ms=7)
        plots.beside(ax, name, (amount / 1000, y), (9, 9), colour, fontweight="normal")
    ax.set_yscale("log")
    ax.set(
        xlabel=f"a year's amount, thousand {currency}",
        ylabel="probability to exceed it",
        xlim=(0, 1.08 * right),
        ylim=(floor, 1.1),
    )
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:.1%}" if y < 0.01 else f"{y:.0%}")


def zones(rows: Sequence[tuple[str, float, float]], currency: str) -> None:
    """Where a fee for a better promise makes both sides better off.

    rows: promise, what it costs the vendor, what it is worth to you, money a year.
    """
    _, ax = plt.subplots(figsize=(7.6, 0.62 * len(rows) + 1.5))
    for y, (_, cost, worth) in enumerate(rows):
        colour = plots.GREEN if worth > cost else plots.RED
        low, high = sorted((cost / 1000, worth / 1000))
        ax.plot([low, high], [y, y], color=colour, lw=8, alpha=0.35, solid_capstyle="butt")
        label = y == 0
        ax.plot(
            cost / 1000, y, "s", color=plots.ORANGE, ms=8, label="costs the vendor" * label or None
        )
        ax.plot(worth / 1000, y, "o", color=plots.BLUE, ms=8, label="worth to you" * label or None)
    ax.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), fontsize=9)
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel=f"money a year, thousand {currency}", ylim=(len(rows) - 0.5, -0.5))
    ax.set_xlim(left=-0.03 * ax.get_xlim()[1])
    ax.grid(axis="y", visible=False)
