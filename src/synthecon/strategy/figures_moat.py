"""Figures of bottlenecks, debt and moat: queues, ranges of money, shares, adoption."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from synthecon import plots
from synthecon.strategy import adoption

Range = tuple[float, float, float]
"""5th percentile, middle, 95th percentile."""


def wait_curve(
    busy: np.ndarray,
    weeks: np.ndarray,
    dots: Sequence[tuple[float, float, str, str]],
    *,
    top: float,
) -> None:
    """Mean wait over utilisation, and some places: utilisation, weeks, name, colour.

    The curve is that of today's work per request.  A dotted line joins a place that lies off it to
    what the same utilisation would give: with more work in each request above, with less below.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.2))
    ax.plot(100 * busy, np.where(weeks <= top, weeks, np.nan), color=plots.MUTED)
    for x, y, name, colour in dots:
        ax.plot(100 * x, min(y, top), "D" if y <= top else "^", color=colour, ms=8, clip_on=False)
        told = f"{name}: {y:.1f} weeks"
        curve = float(np.interp(x, busy, weeks))
        if abs(y - curve) > 0.03 * curve:
            ends = [min(curve, top), min(y, top)]
            ax.plot([100 * x] * 2, ends, color=colour, lw=1.5, ls=(0, (1, 1.5)))
        under = y < 0.97 * curve  # the name stays on the same side
        offset = (9, -8) if under else (-9, 9)
        plots.beside(ax, told, (100 * x, min(y, top)), offset, colour)
    ax.set(xlabel="share of the label team's time that requests fill, %",
           ylabel="mean wait of a request, weeks", ylim=(0, 1.08 * top), xlim=(0, 100))  # fmt: skip


def backlog(
    months: np.ndarray, series: Sequence[tuple[str, np.ndarray, str]], cutover: float
) -> None:
    """Requests that wait, month by month, a panel each: name, [runs, months], colour.  Bands hold
    the middle 90 % of the runs, lines are means; the last panel marks a month."""
    _, axes = plt.subplots(1, len(series), figsize=(7.6, 3.6), sharey=True)
    top = max(float(np.quantile(runs, 0.95, axis=0).max()) for _, runs, _ in series)
    for ax, (name, runs, colour) in zip(axes, series, strict=True):
        low, high = np.quantile(runs, [0.05, 0.95], axis=0)
        ax.fill_between(months, low, high, color=colour, alpha=0.18, lw=0)
        ax.plot(months, runs.mean(0), color=colour)
        ax.set(xlabel="month", ylim=(0, 1.12 * top), xlim=(0, months[-1]))
        ax.set_xticks(np.arange(0, months[-1] + 1, 12))
        ax.set_title(name, color=colour, fontweight="bold")
    axes[0].set_ylabel("requests that wait")
    axes[-1].axvline(cutover, color=plots.MUTED, lw=1, ls=(0, (4, 3)))
    plots.beside(axes[-1], "the teacher labels", (cutover, 1.06 * top), (5, 0), plots.MUTED,
                 fontweight="normal", fontsize=9)  # fmt: skip


def drains(rows: Sequence[tuple[str, Range, Range, Range]], currency: str) -> None:
    """Present values over the horizon: what the status quo pays, what of it goes away and what that
    costs.  rows: name and three ranges in thousands."""
    _, ax = plt.subplots(figsize=(7.6, 0.95 * len(rows) + 1.4))
    looks = (
        ("paid as things are", plots.MUTED, -0.26),
        ("taken away", plots.BLUE, 0.0),
        ("cost of that", plots.ORANGE, 0.26),
    )
    for y, (_, *ranges) in enumerate(rows):
        for (low, middle, high), (name, colour, shift) in zip(ranges, looks, strict=True):
            if not any((low, middle, high)):
                continue
            ax.plot([low, high], [y + shift] * 2, color=colour, lw=7, alpha=0.35,
                    solid_capstyle="butt")  # fmt: skip
            ax.plot(middle, y + shift, "D", color=colour, ms=5)
            if y == 0:
                plots.beside(ax, name, (max(high, middle), y + shift), (8, 0), colour)
    ax.axvline(0, color=plots.MUTED, lw=1)
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel=f"present value of the whole horizon, thousand {currency}",
           ylim=(len(rows) - 0.5, -0.6))  # fmt: skip
    ax.set_xlim(right=1.25 * max(high for _, *ranges in rows for *_, high in ranges))
    ax.grid(axis="y", visible=False)


def shares(rows: Sequence[tuple[str, Range, str]], limit: float) -> None:
    """What a rival gets of an advantage: name, range in per cent, colour; and the limit."""
    _, ax = plt.subplots(figsize=(7.6, 0.62 * len(rows) + 1.5))
    for y, (_, ends, colour) in enumerate(rows):
        plots.range_row(ax, y, ends, f"{ends[1]:.0f} %".replace("-", "−"), colour)
    ax.axvline(limit, color=plots.INK, lw=1, ls=(0, (4, 3)))
    ax.axvline(0, color=plots.MUTED, lw=1)
    plots.beside(ax, "limit", (limit, -0.7), (5, 0), plots.INK, fontweight="normal", fontsize=9)
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel="share of our gain that a rival gets without what is ours, %",
           ylim=(len(rows) - 0.5, -0.9))  # fmt: skip
    ax.grid(axis="y", visible=False)


def adopters(
    seen: tuple[np.ndarray, np.ndarray],
    fits: Sequence[tuple[str, adoption.Fit, str]],
    ahead: adoption.Forecast,
    names: tuple[str, str],
) -> None:
    """Left: counts of an old practice with fitted curves (name, fit, colour).  Right: a forecast
    with its range.  names: of the two panels."""
    _, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.8))
    t, teams = seen
    x = np.linspace(0, t[-1], 120)
    left.plot(t, teams, "o", color=plots.INK, ms=5)
    for place, (name, fit, colour) in enumerate(fits):
        left.plot(x, fit.at(x), color=colour, ls="-" if place == 0 else (0, (4, 3)))
        at = 0.62 * t[-1]
        offset = (-8, 12) if place == 0 else (10, -16)
        plots.beside(left, name, (at, float(fit.at(at))), offset, colour)
    left.set(xlabel="month", ylabel="teams", title=names[0], ylim=(0, 1.05 * fits[0][1].teams))
    right.fill_between(ahead.t, ahead.low, ahead.high, step="mid", color=plots.BLUE, alpha=0.15,
                       lw=0)  # fmt: skip
    right.step(ahead.t, ahead.middle, where="mid", color=plots.BLUE)
    at = len(ahead.t) // 2
    plots.beside(right, f"{100 * ahead.level:.0f} % range", (ahead.t[at], ahead.low[at]), (4, -14),
                 plots.BLUE, va="top")  # fmt: skip
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(xlabel="month after the start", ylabel="teams", title=names[1],
              ylim=(0, 1.05 * max(1.0, float(ahead.high.max()))))  # fmt: skip
