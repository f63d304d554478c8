"""Figures of the language-model notebook."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from synthecon import plots
from synthecon.stats import Interval

Point = tuple[str, Interval, Interval, str]  # name, x, y, colour


def two_metrics(points: Sequence[Point], effect: float) -> None:
    """A cross a recipe: share of the gap closed on held-out text and on own text, both in per
    cent; plain training is the origin, and what is within `effect` of it on an axis is grey."""
    _, ax = plt.subplots(figsize=(7.6, 4.4))
    ax.axvspan(-effect, effect, color=plots.GRID, zorder=0, alpha=0.6, lw=0)
    ax.axhspan(-effect, effect, color=plots.GRID, zorder=0, alpha=0.6, lw=0)
    ax.plot(0, 0, "+", ms=12, mew=2, color=plots.INK)
    for name, x, y, colour in points:
        ax.errorbar(
            x.value, y.value, fmt="o", ms=8, color=colour, capsize=3,
            xerr=[[x.value - x.low], [x.high - x.value]],
            yerr=[[y.value - y.low], [y.high - y.value]],
        )  # fmt: skip
        side = -1 if x.value < 0 else 1  # names point away from plain training
        plots.beside(ax, name, (x.value, y.value), (8 * side, 8), colour, va="baseline")
    ax.annotate(
        "plain", (0, 0), xytext=(16, -8), textcoords="offset points", va="top", fontweight="bold"
    )
    ax.set(
        xlabel="held-out text: share of the gap to the teacher closed (%)",
        ylabel="own text: share of the gap closed (%)",
    )
    ax.margins(x=0.2, y=0.12)


def cooling(
    distinct: np.ndarray,
    surprise: np.ndarray,
    temperatures: Sequence[float],
    points: Sequence[tuple[str, float, float, str]],
    name: str,
) -> None:
    """A student's curve over sampling temperatures, [T] each, and other recipes as labelled dots:
    name, distinct runs, teacher's surprise, colour."""
    _, ax = plt.subplots(figsize=(7.6, 4.4))
    ax.plot(100 * distinct, surprise, "o-", color=plots.BLUE, ms=5, zorder=1)
    for x, y, t in zip(distinct, surprise, temperatures, strict=True):
        ax.annotate(
            f"T = {t:g}", (100 * x, y), xytext=(8, -5), textcoords="offset points",
            va="top", fontsize=9, color=plots.BLUE,
        )  # fmt: skip
    order = np.argsort(distinct)
    for label, x, y, colour in points:
        line = np.interp(x, distinct[order], surprise[order])
        above = y > line - 0.1 * np.ptp(surprise)  # names keep off the line and its numbers
        ax.plot(100 * x, y, "D", ms=8, color=colour)
        offset, va = ((-9, 4), "bottom") if above else ((9, -4), "top")
        plots.beside(ax, label, (100 * x, y), offset, colour, va=va)
    ax.set(
        xlabel=f"different runs of 4 characters (%), blue line: {name}, sampled colder",
        ylabel="teacher's surprise at own text (nats)",
    )
    ax.margins(x=0.16, y=0.12)
