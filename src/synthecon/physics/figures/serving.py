"""Figures of the serving-cost notebook."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt

from synthecon import plots
from synthecon.physics.figures import common


def pareto(points: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> None:
    """Accuracy against cost: name, cost, accuracy %, half-width, colour; the staircase is the
    front, the models that none beats on both."""
    _, ax = plt.subplots()
    front: list[tuple[float, float]] = []
    for name, cost, accuracy, half, colour in sorted(points, key=lambda p: p[1]):
        ax.errorbar(cost, accuracy, yerr=half, fmt="o", ms=8, color=colour, capsize=3)
        leads = not front or accuracy > front[-1][1]
        front += [(cost, accuracy)] if leads else []
        offset = (-8, 7) if leads else (8, -12)
        plots.beside(ax, name, (cost, accuracy), offset, colour, va="baseline")
    ax.step(*zip(*front, strict=True), where="post", color=plots.MUTED, lw=1.2, ls="--", zorder=0)
    ax.set(xlabel=xlabel, ylabel="test accuracy (%)")
    ax.margins(x=0.12)
    common.log_axis(ax)


def ladder(rows: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> None:
    """Ratios on a log scale with intervals: name, value, low, high, colour."""
    ax = common.named_rows(rows, xlabel)
    for y, (_name, value, low, high, colour) in enumerate(rows):
        ax.plot([1, value], [y, y], color=plots.GRID, lw=6, solid_capstyle="butt", zorder=0)
        ax.plot([low, high], [y, y], color=colour, lw=2.5)
        ax.plot(value, y, "o", color=colour, ms=8)
        plots.beside(ax, f"{value:.3g}×", (high, y), (9, 0), colour)
    ax.axvline(1, color=plots.MUTED, lw=1)
    ax.margins(x=0.15)
    common.log_axis(ax)


def prices(rows: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> None:
    """A price a row with its range from low to high inputs: name, base, low, high, colour."""
    ax = common.named_rows(rows, xlabel)
    for y, (_name, base, low, high, colour) in enumerate(rows):
        plots.range_row(ax, y, (low, base, high), common.plain(base), colour)
    common.log_axis(ax)
