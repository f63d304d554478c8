"""Figures of the money: drawn from amounts that the notebook computed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import matplotlib.pyplot as plt

from synthecon import plots
from synthecon.economics.audit import Lever


def pareto(rows: Sequence[tuple[str, Decimal, float]], currency: str) -> None:
    """Spend by class, largest first, with the cumulated share: title, amount, share."""
    _, ax = plt.subplots(figsize=(7.6, 0.5 * len(rows) + 1.6))
    amounts = [float(a) / 1000 for _, a, _ in rows]
    places = range(len(rows))
    ax.barh(places, amounts, color=plots.BLUE)
    for y, (_, amount, share) in enumerate(rows):
        ax.annotate(
            f"{float(amount) / 1000:,.0f}   (together {share:.0%})",
            (float(amount) / 1000, y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    ax.set_yticks(places, [title for title, *_ in rows])
    ax.set(xlabel=f"spend in the period, thousand {currency}", ylim=(len(rows) - 0.4, -0.6))
    ax.set_xlim(right=max(amounts) * 1.45)
    ax.grid(axis="y", visible=False)


def months(
    series: Sequence[tuple[str, Sequence[float], str]], names: Sequence[str], currency: str
) -> None:
    """Monthly spend of some classes as lines: title, thousands a month, colour."""
    _, ax = plt.subplots()
    ends = []
    for title, values, colour in series:
        ax.plot(range(len(values)), values, color=colour)
        ends.append((len(values) - 1, values[-1], title, colour))
    top = max(max(values) for _, values, _ in series)
    plots.label_ends(ax, ends, gap=0.07 * top)
    ax.set_xticks(range(0, len(names), 3), [names[i] for i in range(0, len(names), 3)])
    ax.set(ylabel=f"thousand {currency} a month", ylim=(0, 1.1 * top))


def savings(levers: Sequence[Lever], currency: str) -> None:
    """Net saving of each lever from low to high, with the base case as a dot."""
    _, ax = plt.subplots(figsize=(7.6, 0.62 * len(levers) + 1.4))
    for y, lever in enumerate(levers):
        low, base, high = (x / 1000 for x in (lever.net.low, lever.net.base, lever.net.high))
        colour = plots.GREEN if base > 0 else plots.RED
        plots.range_row(ax, y, (low, base, high), f"{base:+,.0f}".replace("-", "−"), colour)
    ax.axvline(0, color=plots.MUTED, lw=1)
    ax.set_yticks(range(len(levers)), [lever.id for lever in levers])
    ax.set(xlabel=f"net saving in the period, thousand {currency}", ylim=(len(levers) - 0.5, -0.7))
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.1)
