"""Figures of the autopilot: what a search spent, what it found, and what it decided on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from synthecon import plots


def front(
    share: np.ndarray, gaps: Sequence[tuple[np.ndarray, np.ndarray]], mean: np.ndarray,
    budget: float, unit: str,
) -> None:  # fmt: skip
    """Points below the best against money, as a share of the exhaustive search's.

    share [n], mean [n]: an exhaustive search in random order.  gaps: for each split the shares at
    which the pipeline knew more, and the gap from there on.
    """
    _, ax = plt.subplots()
    ax.plot(100 * share, mean, color=plots.MUTED)
    above = max(1.0, float(np.interp(0.72, share, mean)))  # of the line at one point, too
    plots.beside(ax, "every candidate, in random order", (72, above), (0, 12), plots.MUTED)
    for x, y in gaps:
        ax.step(100 * x, y, where="post", color=plots.SKY, lw=1, alpha=0.8)
        ax.plot(100 * x[-1], y[-1], "o", color=plots.BLUE, ms=6)
    lowest = max(float(y[-1]) for _, y in gaps)
    plots.beside(
        ax, "pipeline, a line a split", (100 * budget, max(1.0, lowest)), (14, 12), plots.BLUE
    )
    ax.axvline(100 * budget, color=plots.ORANGE, ls="--", lw=1.5)
    top = max(float(mean.max()), *(float(y.max()) for _, y in gaps))
    plots.beside(ax, "budget", (100 * budget, 1.02 * top), (6, 0), plots.ORANGE)
    ax.axhline(1, color=plots.GREEN, ls=":", lw=1.5)
    plots.beside(ax, "one point", (100, 1), (-4, -10), plots.GREEN)
    ax.set(
        xlabel=f"spent on the search (% of training every candidate, {unit})",
        ylabel="points below the best on the test set",
        xlim=(0, 102),
        ylim=(-0.1, None),
    )


def timeline(
    rows: Sequence[tuple[tuple[int, int], float, str]], marks: Sequence[str], unit: str
) -> None:
    """One split's decisions in their order.

    rows: ((round, training steps), accuracy in %, decision) of each candidate at each look; marks:
    what else was decided, a line each, above the picture.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.6))
    names = list(dict.fromkeys(stage for stage, _, _ in rows))
    looks = {"goes on": (plots.BLUE, "o", plots.BLUE), "waits": (plots.MUTED, "o", "none"),
             "trained whole": (plots.ORANGE, "D", plots.ORANGE)}  # fmt: skip
    for decision, (edge, marker, face) in looks.items():
        some = [(names.index(s), y) for s, y, d in rows if d == decision]
        if some:
            x, y = np.array(some).T
            order = np.argsort(np.argsort(y)) / max(1, len(y))
            ax.plot(x + 0.5 * (order - 0.5), y, marker, color=edge, mfc=face, ms=6, ls="")
    y_low, y_high = ax.get_ylim()
    ax.set_ylim(y_low - 0.1 * (y_high - y_low), y_high)
    ax.set_title("\n".join(marks), fontsize=9, fontweight="normal")
    for decision, at in zip(looks, (0.02, 0.19, 0.34), strict=True):
        edge, marker, face = looks[decision]
        ax.plot(at, 0.05, marker, color=edge, mfc=face, ms=6, transform=ax.transAxes)
        ax.text(at + 0.02, 0.05, decision, transform=ax.transAxes, va="center", fontsize=9,
                color=edge)  # fmt: skip
    rounds = [number for number, _ in names]
    middle = {rounds.index(n) + (rounds.count(n) - 1) // 2: n for n in rounds}
    words = [f"{s:,}" + (f"\nround {middle[i]}" if i in middle else "")
             for i, (_, s) in enumerate(names)]  # fmt: skip
    ax.set_xticks(range(len(names)), words, fontsize=9)
    ax.set(ylabel="right on validation (%)", xlabel=unit)
    ax.grid(axis="x", visible=False)


def bills(bars: Mapping[str, Mapping[str, float]], unit: str) -> None:
    """A stacked bar a search: money by what it went to."""
    colours = (plots.MUTED, plots.PURPLE, plots.BLUE, plots.ORANGE)
    _, ax = plt.subplots(figsize=(7.6, 2.6))
    parts = list(next(iter(bars.values())))
    for y, row in enumerate(bars.values()):
        left = 0.0
        for part, colour in zip(parts, colours, strict=False):
            ax.barh(y, row[part], left=left, color=colour, height=0.55)
            left += row[part]
        plots.beside(ax, f"{left:,.0f}", (left, y), (6, 0), plots.INK)
    whole = list(bars.values())[-1]
    widest = sum(whole.values())
    letter = widest / 60  # about as wide as one; words of thin parts move to the right
    left = free = 0.0
    for part, colour in zip(parts, colours, strict=False):
        at = max(left + whole[part] / 2, free + letter * len(part) / 2)
        plots.beside(ax, part, (at, len(bars) - 1), (0, -27), colour)
        free = at + letter * (len(part) / 2 + 1)
        left += whole[part]
    ax.set_yticks(range(len(bars)), list(bars))
    ax.set(xlabel=f"{unit} for one search, mean over splits", ylim=(len(bars) - 0.2, -0.6),
           xlim=(0, 1.1 * widest))  # fmt: skip
    ax.grid(axis="y", visible=False)
