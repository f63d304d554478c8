"""Figures that hold short sums against the model: drawn from what the notebook computed."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from synthecon import plots


def curves(lines: Sequence[tuple[str, Sequence[float], str]], currency: str) -> None:
    """Cumulated cash by month: name, amounts from month 0 on, colour; named at their ends."""
    _, ax = plt.subplots(figsize=(7.6, 4.2))
    ends, every = [], [0.0]
    for name, amounts, colour in lines:
        shown = np.asarray(amounts) / 1000
        ax.plot(range(len(shown)), shown, color=colour)
        ends.append((float(len(shown) - 1), float(shown[-1]), name, colour))
        every += [float(shown.min()), float(shown.max())]
    ax.axhline(0, color=plots.MUTED, lw=1)
    plots.label_ends(ax, ends, gap=0.07 * (max(every) - min(every)))
    ax.set_xticks(range(0, int(ends[0][0]) + 1, 6))
    ax.set(xlabel="month", ylabel=f"cumulated cash, thousand {currency}")
    ax.set_xlim(0, ends[0][0])


def answers(
    sums: Sequence[tuple[str, np.ndarray]], truth: np.ndarray, currency: str, most: int = 1500
) -> None:
    """Value by a short sum across, by the model upward; corners of unlike sign are shaded.

    most: dots drawn, evenly taken from all.
    """
    _, axes = plt.subplots(1, len(sums), figsize=(7.6, 3.9), sharey=True, squeeze=False)
    some = slice(None, None, max(1, len(truth) // most))
    for ax, (name, values) in zip(axes[0], sums, strict=True):
        across, up = values / 1000, truth / 1000
        same = (values > 0) == (truth > 0)
        for kind, colour in ((same, plots.BLUE), (~same, plots.ORANGE)):
            at = kind[some]
            ax.plot(across[some][at], up[some][at], ".", ms=2.5, color=colour, alpha=0.6)
        left, right = ax.get_xlim()
        low, high = ax.get_ylim()
        left, right, low, high = min(left, 0), max(right, 0), min(low, 0), max(high, 0)
        for x, y in (((0, right), (low, 0)), ((left, 0), (0, high))):
            ax.fill_between(x, *y, color=plots.ORANGE, alpha=0.12, lw=0)
        ax.axhline(0, color=plots.MUTED, lw=1)
        ax.axvline(0, color=plots.MUTED, lw=1)
        ax.set(xlim=(left, right), ylim=(low, high), xlabel=f"{name}, thousand {currency}")
        ax.set_title(f"same answer in {100 * same.mean():.0f} %", fontsize=10)
    axes[0][0].set_ylabel(f"model, thousand {currency}")
