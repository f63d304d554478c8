"""Figures of lesson 1.  Each draws one picture from numbers that the notebook computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from torch import Tensor

from synthecon import plots
from synthecon.physics import losses
from synthecon.stats import Interval


def soft_targets(
    images: Tensor, logits: Tensor, classes: Sequence[str], temperatures: Sequence[float]
) -> None:
    """A row an image: the picture, then the teacher's distribution at each temperature.

    images [M, C, H, W], logits [M, classes].
    """
    rows, columns = len(images), len(temperatures) + 1
    _, axes = plt.subplots(
        rows,
        columns,
        figsize=(1.75 * columns, 1.35 * rows),
        width_ratios=[0.7] + [1] * (columns - 1),
    )
    for r in range(rows):
        ax = axes[r, 0]
        picture = images[r].permute(1, 2, 0).cpu().numpy()
        ax.imshow(picture.squeeze(), cmap="gray_r" if picture.shape[2] == 1 else None)
        ax.set_axis_off()
        for c, t in enumerate(temperatures):
            ax = axes[r, c + 1]
            p = losses.soft_targets(logits[r].view(1, -1, 1), t)[0, :, 0].cpu().numpy()
            top = int(p.argmax())
            colours = [plots.ORANGE if i == top else plots.BLUE for i in range(len(p))]
            ax.bar(range(len(p)), p, color=colours)
            ax.set(ylim=(0, 1.05), yticks=[0, 0.5, 1], xticks=range(len(p)))
            ax.tick_params(labelsize=7, length=0)
            ax.set_xticklabels(
                [str(c)[:5] for c in classes] if r == rows - 1 else [],
                rotation=90 if len(str(classes[0])) > 2 else 0,
            )
            if c:
                ax.set_yticklabels([])
            if not r:
                ax.set_title(f"T = {t:g}", loc="center", fontsize=10, pad=6)
    axes[rows // 2, 1].set_ylabel("probability", fontsize=8)


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


def budgets(
    budgets: Sequence[int], lines: Mapping[str, tuple[np.ndarray, np.ndarray, str]]
) -> None:
    """Accuracy against label budget: name -> (mean, half-width, colour), in per cent."""
    _, ax = plt.subplots()
    ends = []
    for name, (mean, half, colour) in lines.items():
        ax.plot(budgets, mean, "o-", color=colour)
        ax.fill_between(budgets, mean - half, mean + half, color=colour, alpha=0.12, lw=0)
        ends.append((budgets[-1], float(mean[-1]), name, colour))
    low, high = ax.get_ylim()
    plots.label_ends(ax, ends, (high - low) / 17)
    ax.set(
        xscale="log",
        xlabel="label budget (images with a label, log scale)",
        ylabel="test accuracy (%)",
    )
    ax.set_xticks(budgets, [f"{b:,}" for b in budgets])
    ax.minorticks_off()


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


def curves(steps: Sequence[int], lines: Mapping[str, tuple[np.ndarray, str]], ylabel: str) -> None:
    """Learning curves with a band of one standard deviation: name -> ([T, splits] %, colour)."""
    _, ax = plt.subplots()
    ends = []
    for name, (values, colour) in lines.items():
        mean, spread = values.mean(1), values.std(1, ddof=1)
        ax.plot(steps, mean, color=colour)
        ax.fill_between(steps, mean - spread, mean + spread, color=colour, alpha=0.12, lw=0)
        ends.append((steps[-1], float(mean[-1]), name, colour))
    low, high = ax.get_ylim()
    plots.label_ends(ax, ends, (high - low) / 17)
    ax.set(xlabel="training step", ylabel=ylabel)


def sizes(
    widths: Sequence[int],
    lines: Mapping[str, tuple[Sequence[Interval], str]],
    effect: float,
    xlabel: str,
) -> None:
    """Gain against student size, one line a source of labels, with intervals."""
    _, ax = plt.subplots()
    ax.axhspan(-effect, effect, color=plots.GRID, zorder=0)
    ends = []
    for n, (name, (gains, colour)) in enumerate(lines.items()):
        x = np.arange(len(widths)) + 0.08 * (n - (len(lines) - 1) / 2)
        y = np.array([g.value for g in gains])
        error = np.array([[g.value - g.low for g in gains], [g.high - g.value for g in gains]])
        ax.errorbar(x, y, yerr=error, fmt="o-", color=colour, capsize=3)
        ends.append((x[-1], y[-1], name, colour))
    low, high = ax.get_ylim()
    plots.label_ends(ax, ends, (high - low) / 14, shift=12)
    ax.set_xticks(range(len(widths)), [str(w) for w in widths])
    ax.set(xlabel=xlabel, ylabel="gain over own labels (points)")


def staircase(rows: Sequence[tuple[str, str, float, float, str]], reference: float) -> None:
    """Accuracy of students that saw no raw image: name, what was released, mean, half-width,
    colour; the line is the same student on raw images."""
    _, ax = plt.subplots(figsize=(7.6, 0.5 * len(rows) + 1.2))
    for y, (_name, releases, mean, half, colour) in enumerate(rows):
        ax.barh(y, mean, color=colour, height=0.62)
        ax.errorbar(mean, y, xerr=half, color=plots.INK, capsize=3, lw=1.2)
        inside = mean > 50
        ax.annotate(f"{mean:.1f} %", (102, y), va="center", fontweight="bold")
        ax.annotate(
            f"releases {releases}",
            (1 if inside else mean + half + 2, y),
            va="center",
            fontsize=8.5,
            color="white" if inside else plots.MUTED,
        )
    ax.axvline(reference, color=plots.INK, lw=1.2, ls="--")
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(
        xlabel="test accuracy on real images (%); dashed: same student on raw images",
        xlim=(0, 114),
        ylim=(len(rows) - 0.4, -0.6),
    )
    ax.set_xticks(range(0, 101, 20))
    ax.grid(axis="y", visible=False)


def calibration(points: Sequence[tuple[str, float, float, str]]) -> None:
    """Agreement with the teacher against calibration error, a labelled dot a method."""
    _, ax = plt.subplots(figsize=(7.6, 3.6))
    middle = sum(agreement for _, agreement, _, _ in points) / len(points)
    for name, agreement, error, colour in points:
        right = agreement > middle  # labels point outwards, away from the other dots
        ax.plot(agreement, error, "o", ms=9, color=colour)
        ax.annotate(
            name,
            (agreement, error),
            xytext=(9 if right else -9, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            color=colour,
            fontweight="bold",
        )
    ax.set(
        xlabel="agreement with the teacher on test images (%)",
        ylabel="calibration error, ECE (%)",
        ylim=(0, 1.25 * max(error for _, _, error, _ in points)),
    )
    ax.margins(x=0.3)


def pareto(points: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> None:
    """Accuracy against cost: name, cost, accuracy %, half-width, colour; the staircase is the
    front, the models that none beats on both."""
    _, ax = plt.subplots()
    front: list[tuple[float, float]] = []
    for name, cost, accuracy, half, colour in sorted(points, key=lambda p: p[1]):
        ax.errorbar(cost, accuracy, yerr=half, fmt="o", ms=8, color=colour, capsize=3)
        leads = not front or accuracy > front[-1][1]
        front += [(cost, accuracy)] if leads else []
        ax.annotate(
            name,
            (cost, accuracy),
            xytext=(-8, 7) if leads else (8, -12),
            textcoords="offset points",
            ha="right" if leads else "left",
            color=colour,
            fontweight="bold",
        )
    ax.step(*zip(*front, strict=True), where="post", color=plots.MUTED, lw=1.2, ls="--", zorder=0)
    ax.set(xlabel=xlabel, ylabel="test accuracy (%)")
    ax.margins(x=0.12)
    _log(ax)


def ladder(rows: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> None:
    """Ratios on a log scale with intervals: name, value, low, high, colour."""
    ax = _rows(rows, xlabel)
    for y, (_name, value, low, high, colour) in enumerate(rows):
        ax.plot([1, value], [y, y], color=plots.GRID, lw=6, solid_capstyle="butt", zorder=0)
        ax.plot([low, high], [y, y], color=colour, lw=2.5)
        ax.plot(value, y, "o", color=colour, ms=8)
        ax.annotate(
            f"{value:.3g}×",
            (high, y),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
        )
    ax.axvline(1, color=plots.MUTED, lw=1)
    ax.margins(x=0.15)
    _log(ax)


def prices(rows: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> None:
    """A price a row with its range from low to high inputs: name, base, low, high, colour."""
    ax = _rows(rows, xlabel)
    for y, (_name, base, low, high, colour) in enumerate(rows):
        ax.plot([low, high], [y, y], color=colour, lw=6, alpha=0.35, solid_capstyle="butt")
        ax.plot(base, y, "D", color=colour, ms=7)
        ax.annotate(
            plain(base),
            (base, y),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontweight="bold",
        )
    _log(ax)


def _rows(rows: Sequence[tuple[str, float, float, float, str]], xlabel: str) -> Axes:
    """Named rows from top to bottom over a log axis."""
    _, ax = plt.subplots(figsize=(7.6, 0.46 * len(rows) + 1.2))
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.8))
    ax.grid(axis="y", visible=False)
    return ax


def _log(ax: Axes) -> None:
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
