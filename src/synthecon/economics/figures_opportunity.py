"""Figures of what waiting costs: learning curves, the price of a point, delays, options."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from synthecon import plots
from synthecon.economics.plateau import Curve, Law

Labelled = tuple[str, np.ndarray, str]
"""Name, values, colour."""


def _labels_axis(ax: plt.Axes, ticks: Sequence[float]) -> None:
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{t:,.0f}" for t in ticks])
    ax.minorticks_off()


def curves(
    fits: Sequence[tuple[Curve, Law, Law, str]], *, reach: float = 4.0, level: float = 0.95
) -> None:
    """Measured errors with their laws: curve, law, simulated laws, colour.

    Solid where there are measurements, dashed up to `reach` times the last; the band holds the
    middle `level` of the simulated laws.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.4))
    ends, last = [], max(float(c.labels[-1]) for c, *_ in fits)
    for curve, law, draws, colour in fits:
        n = np.geomspace(curve.labels[0], reach * last, 80)
        inside = n <= curve.labels[-1]
        low, high = np.quantile(draws.error(n), [(1 - level) / 2, (1 + level) / 2], axis=0)
        ax.fill_between(n, low, high, color=colour, alpha=0.13, lw=0)
        ax.plot(n[inside], law.error(n[inside]), color=colour)
        ax.plot(n[~inside], law.error(n[~inside]), color=colour, ls=(0, (4, 3)))
        ax.errorbar(curve.labels, curve.error, 2 * curve.sd, fmt="o", ms=4, lw=1, color=colour)
        ends.append((float(n[-1]), float(law.error(n[-1])), curve.name, colour))
    ax.axvline(last, color=plots.MUTED, lw=1, ls=":")
    ax.annotate(
        "last measurement", (last, ax.get_ylim()[1]), xytext=(4, -12), color=plots.MUTED,
        textcoords="offset points", fontsize=9,
    )  # fmt: skip
    _labels_axis(ax, [20, 50, 100, 200, 500, 1500, 6000])
    plots.label_ends(ax, ends, gap=1.6)
    ax.set(xlabel="human labels, log scale", ylabel="error, points", ylim=(0, None))


def factors(rows: Sequence[tuple[str, str, Sequence[tuple[float, float, float, float]]]],
            affordable: float, top: float) -> None:  # fmt: skip
    """Times the labels that one more point takes: name, colour, (labels, value, low, high) each.

    A bar that leaves the figure at `top` ends in an arrow: no number of labels may be enough.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.2))
    for place, (name, colour, points) in enumerate(rows):
        shift = 1.07 ** (place - (len(rows) - 1) / 2)
        for labels, value, low, high in points:
            x = labels * shift
            ax.plot([x, x], [low, min(high, top)], color=colour, lw=5, alpha=0.35,
                    solid_capstyle="butt")  # fmt: skip
            if high > top:
                ax.plot(x, top * 0.985, "^", color=colour, ms=7, clip_on=False)
            if value <= top:
                ax.plot(x, value, "o", color=colour, ms=6)
        above = place > 0
        labels, _, low, high = points[len(points) // 2] if above else points[-2]
        ax.annotate(name, (labels * shift, high if above else low), color=colour,
                    xytext=(0, 6 if above else -16), textcoords="offset points",
                    ha="right" if above else "center", fontweight="bold")  # fmt: skip
    ax.axhline(affordable, color=plots.INK, lw=1, ls=(0, (4, 3)))
    ax.annotate(
        "what a point is worth buys this much", (1, affordable), xytext=(-4, 5), ha="right",
        xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=9,
    )  # fmt: skip
    ax.set_yscale("log")
    ticks = [t for t in (1, 1.2, 1.5, 2, 3, 5, 10) if t <= top]
    ax.set_yticks(ticks, [f"{t:g} ×" for t in ticks])
    _labels_axis(ax, [labels for labels, *_ in rows[0][2]])
    ax.minorticks_off()
    ax.set(xlabel="human labels in hand, log scale", ylabel="labels for one more point",
           ylim=(0.82, top))  # fmt: skip
    ax.margins(x=0.12)


def against(
    rows: Sequence[tuple[str, tuple[float, float, float], tuple[float, float, float]]],
    names: tuple[str, str],
    currency: str,
) -> None:
    """Two ranges (low, middle, high) a row, in thousands: what it is worth, and what it costs."""
    _, ax = plt.subplots(figsize=(7.6, 0.78 * len(rows) + 1.3))
    for y, (_, worth, cost) in enumerate(rows):
        for shift, (low, middle, high), colour in (
            (-0.16, worth, plots.BLUE),
            (0.16, cost, plots.ORANGE),
        ):
            ax.plot([low, high], [y + shift] * 2, color=colour, lw=8, alpha=0.35,
                    solid_capstyle="butt")  # fmt: skip
            ax.plot(middle, y + shift, "D", color=colour, ms=6)
    (_, (_, worth, _), (_, cost, _)) = rows[0]
    for shift, x, name, colour, lift in (
        (-0.16, worth, names[0], plots.BLUE, 9),
        (0.16, cost, names[1], plots.ORANGE, -17),
    ):
        ax.annotate(name, (x, shift), xytext=(0, lift), textcoords="offset points",
                    color=colour, fontweight="bold", ha="center")  # fmt: skip
    ax.axvline(0, color=plots.MUTED, lw=1)
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel=f"present value, thousand {currency}", ylim=(len(rows) - 0.4, -0.75))
    ax.grid(axis="y", visible=False)


def lines(
    x: np.ndarray, series: Sequence[Labelled], *, xlabel: str, ylabel: str,
    marks: Sequence[tuple[float, str]] = (), dots: Sequence[tuple[float, float, str]] = (),
) -> None:  # fmt: skip
    """Curves over x with their names at their ends; marks: vertical lines; dots: (x, y, text)."""
    _, ax = plt.subplots()
    top = max(0.0, *(float(np.max(y)) for _, y, _ in series))
    bottom = min(0.0, *(float(np.min(y)) for _, y, _ in series))
    span = top - bottom
    for _, y, colour in series:
        ax.plot(x, y, color=colour)
    ends = [(float(x[-1]), float(y[-1]), name, colour) for name, y, colour in series]
    plots.label_ends(ax, ends, gap=0.075 * span)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_ylim(bottom - (0.06 * span if bottom < 0 else 0), top + 0.15 * span)
    for place, (at, name) in enumerate(marks):
        ax.axvline(at, color=plots.MUTED, lw=1, ls=(0, (4, 3)))
        ax.annotate(name, (at, 1.0), xycoords=("data", "axes fraction"), fontsize=9,
                    xytext=(4, -12 - 13 * place), textcoords="offset points",
                    color=plots.MUTED)  # fmt: skip
    for at, y, text in dots:
        ax.plot(at, y, "D", color=plots.INK, ms=6)
        ax.annotate(text, (at, y), xytext=(9, -13), textcoords="offset points")
