"""Figures and axes that several notebooks share."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from synthecon import plots
from synthecon.stats import Interval


def forest(rows: Sequence[tuple[str, Interval, str]], effect: float, xlabel: str) -> None:
    """Name, interval, colour; the band is the effect too small to matter."""
    _, ax = plt.subplots(figsize=(7.6, 0.42 * len(rows) + 1.2))
    ax.axvspan(-effect, effect, color=plots.GRID, zorder=0)
    ax.axvline(0, color=plots.MUTED, lw=1)
    for y, (_name, i, colour) in enumerate(rows):
        ax.plot([i.low, i.high], [y, y], color=colour, lw=2.5, solid_capstyle="round")
        ax.plot(i.value, y, "o", color=colour, ms=7)
        ax.annotate(
            f"{i.value:+.1f}",
            (i.value, y),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=colour,
        )
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.7))
    ax.grid(axis="y", visible=False)


def heatmap(
    values: np.ndarray,
    rows: Sequence[float],
    columns: Sequence[float],
    *,
    row_label: str,
    column_label: str,
    unit: str,
) -> None:
    """Signed values on a diverging scale centred at zero, each written in its cell."""
    _, ax = plt.subplots(figsize=(1.1 * len(columns) + 2.4, 0.62 * len(rows) + 1.4))
    bound = float(np.abs(values).max()) or 1.0
    picture = ax.imshow(values, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
    for r in range(len(rows)):
        for c in range(len(columns)):
            dark = abs(values[r, c]) > 0.6 * bound
            ax.text(
                c,
                r,
                f"{values[r, c]:+.1f}",
                ha="center",
                va="center",
                color="white" if dark else plots.INK,
            )
    ax.set_xticks(range(len(columns)), [f"{c:g}" for c in columns])
    ax.set_yticks(range(len(rows)), [f"{r:g}" for r in rows])
    ax.set(xlabel=column_label, ylabel=row_label)
    ax.grid(visible=False)
    ax.figure.colorbar(picture, label=unit)


def named_rows(rows: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> Axes:
    """Named rows from top to bottom over a log axis."""
    _, ax = plt.subplots(figsize=(7.6, 0.46 * len(rows) + 1.2))
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.8))
    ax.grid(axis="y", visible=False)
    return ax


def log_axis(ax: Axes) -> None:
    """A log axis in plain numbers: 1-2-5 steps over a short range, powers of ten over a long one.

    Call it when everything is drawn.
    """
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    steps = (1.0, 2.0, 5.0) if high / low < 3000 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps, numticks=99))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(x)))
    ax.xaxis.set_minor_locator(NullLocator())


def plain(x: float) -> str:
    """Two significant digits without an exponent: 0.0000052."""
    return np.format_float_positional(float(f"{x:.2g}"), trim="-")
