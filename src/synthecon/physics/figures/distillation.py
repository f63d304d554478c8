"""Figures of the distillation notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
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
    top = max(error for _, _, error, _ in points)
    right = []
    for name, agreement, error, colour in points:
        ax.plot(agreement, error, "o", ms=9, color=colour)
        if agreement > middle:  # labels point outwards, away from the other dots
            right.append((agreement, error, name, colour))
        else:
            plots.beside(ax, name, (agreement, error), (-9, 0), colour)
    plots.label_ends(ax, right, gap=0.09 * top, shift=9)
    ax.set(
        xlabel="agreement with the teacher on test images (%)",
        ylabel="calibration error, ECE (%)",
        ylim=(0, 1.25 * top),
    )
    ax.margins(x=0.3)
