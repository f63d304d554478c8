"""The figures of the noise notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor

from synthecon import plots
from synthecon.physics import corrupt
from synthecon.physics.figures.common import log_axis
from synthecon.physics.noise import Stream
from synthecon.stats import Interval

Lines = Mapping[str, tuple[Sequence[float], str]]


def words(name: str) -> str:
    """`gaussian_noise` -> `gaussian noise`."""
    return name.replace("_", " ")


def gallery(image: Tensor, seed: int = 0) -> None:
    """One image [C, H, W] under every corruption (columns) and severity (rows)."""
    columns = len(corrupt.NAMES)
    _, axes = plt.subplots(6, columns, figsize=(7.6, 4.9), dpi=plots.SMALL)
    for column, name in enumerate(corrupt.NAMES):
        for row in range(6):
            ax = axes[row, column]
            shown = image if not row else corrupt.apply(image[None], name, row, seed)[0]
            picture = shown.cpu().permute(1, 2, 0).numpy()
            ax.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.grid(visible=False)
            for side in ax.spines.values():
                side.set(visible=True, color=plots.GRID)
            if not column:
                ax.set_ylabel(str(row) if row else "clean", rotation=0, ha="right", va="center")
        axes[0, column].set_title(
            words(name).replace(" ", "\n"), fontsize=7.5, fontweight="normal", loc="center", pad=4
        )


def grid(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], *, unit: str, cut: int = 0
) -> None:
    """Signed values [rows, columns] on a diverging scale, each written in its cell.

    cut: draw a line below so many rows.
    """
    _, ax = plt.subplots(figsize=(7.6, 0.36 * len(rows) + 1.3), dpi=plots.SMALL)
    bound = float(np.abs(values).max()) or 1.0
    picture = ax.imshow(values, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            ax.text(
                *(c, r, f"{value:+.0f}".replace("-", "−")),
                ha="center",
                va="center",
                fontsize=8.5,
                color="white" if abs(value) > 0.6 * bound else plots.INK,
            )
    if cut:
        ax.axhline(cut - 0.5, color=plots.INK, lw=1.2)
    ax.set_xticks(range(len(columns)), columns, fontsize=10 if len(columns) < 8 else 7.2)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(visible=False)
    ax.figure.colorbar(picture, label=unit, pad=0.02)


def attacked(epsilons: Sequence[float], lines: Lines) -> None:
    """Accuracy in percent against the attack's ε, a named line each."""
    _, ax = plt.subplots(figsize=(7.6, 4.2), dpi=plots.SMALL)
    for values, colour in lines.values():
        ax.plot(epsilons, values, "o-", color=colour, ms=4)
    ends = [(epsilons[-1], values[-1], name, c) for name, (values, c) in lines.items()]
    plots.label_ends(ax, ends, gap=5.5)
    ax.set(xlabel="ε, largest change of a pixel", ylabel="accuracy under PGD (%)", ylim=(-10, 102))
    ax.set_xticks(list(epsilons), [f"{e:g}" for e in epsilons])
    ax.set_xlim(epsilons[0], epsilons[-1] * 1.28)


def reliability(panels: Mapping[str, tuple[np.ndarray, float]]) -> None:
    """Accuracy against confidence: for each name, bins [3, bins] of `noise.reliability`, ECE in %.

    The area of a dot is the share of images in its bin; below the diagonal a network is too sure.
    """
    _, axes = plt.subplots(1, len(panels), figsize=(7.6, 2.5), sharey=True, dpi=plots.SMALL)
    for ax, (name, (bins, error)) in zip(axes, panels.items(), strict=True):
        count, confidence, right = bins[:, bins[0] > 0]
        ax.plot([0, 1], [0, 1], color=plots.MUTED, lw=1)
        x, y = confidence / count, right / count
        ax.plot(x, y, color=plots.BLUE, lw=1.2)
        ax.scatter(x, y, s=4 + 220 * count, color=plots.BLUE, alpha=0.7, lw=0, clip_on=False)
        ax.set_title(name, fontsize=9)
        ax.text(0.95, 0.06, f"ECE {error:.1f} %", transform=ax.transAxes, fontsize=8.5, ha="right")
        ax.set(xlim=(0.15, 1.04), ylim=(-0.03, 1.08))
        ax.set_xticks([0.2, 0.6, 1.0], ["20", "60", "100"])
        ax.set_yticks([0, 0.5, 1], ["0", "50", "100"])
    axes[0].set_ylabel("accuracy (%)")
    axes[0].figure.supxlabel("confidence (%)", fontsize=10)


def sizes(
    counts: Sequence[int],
    lines: Mapping[str, tuple[Sequence[float], Sequence[float], str]],
    gains: Sequence[Interval],
    effect: float,
) -> None:
    """Left: training (dashed) and test accuracy (%) by training-set size.  Right: the test gain."""
    _, (left, right) = plt.subplots(
        1, 2, figsize=(7.6, 3.7), width_ratios=(1.25, 1), dpi=plots.SMALL
    )
    for name, (known, tested, colour) in lines.items():
        left.plot(counts, known, "--", color=colour, lw=1.4)
        left.plot(counts, tested, "o-", color=colour, ms=4, label=name)
    left.legend(frameon=False, loc="lower right", fontsize=9)
    left.set(xlabel="training images", ylabel="accuracy (%)")
    left.set_title("dashed: on training images", fontsize=9.5, fontweight="normal")
    right.axhspan(-effect, effect, color=plots.GRID, zorder=0)
    right.axhline(0, color=plots.MUTED, lw=1)
    middle = np.array([i.value for i in gains])
    low, high = (np.array([getattr(i, side) for i in gains]) for side in ("low", "high"))
    right.errorbar(
        counts, middle, [middle - low, high - middle], color=plots.BLUE, fmt="o-", capsize=3, ms=5
    )
    right.set(xlabel="training images", ylabel="gain in test accuracy (points)")
    right.set_title("what noise adds", fontsize=9.5, fontweight="normal")
    for ax in (left, right):
        log_axis(ax)
        ax.set_xticks(list(counts), [f"{c:,}" for c in counts], fontsize=8.5)


def streams(panels: Mapping[str, Mapping[str, tuple[Stream, str]]], floor: float) -> None:
    """Audits by month, one panel a kind of drift; a triangle where triggers were pulled.

    Lines are means over networks and streams; a triangle's size is the share of streams in which
    the month's audit triggered a retrain.
    """
    _, axes = plt.subplots(1, len(panels), figsize=(7.6, 3.9), sharey=True, dpi=plots.SMALL)
    for ax, (title, arms) in zip(axes, panels.items(), strict=True):
        bottom = 100 * floor - 3
        for at, (name, (seen, colour)) in enumerate(arms.items()):
            months = np.arange(1, len(seen.severity) + 1)
            ax.plot(months, 100 * seen.audits.mean((0, 1)), color=colour, label=name)
            share = seen.triggers.mean((0, 1))
            y = np.full(len(months), 46.0 - 5 * at)
            ax.scatter(months, y, s=70 * share, marker="^", color=colour, lw=0)
        ax.axhline(100 * floor, color=plots.MUTED, lw=1, ls=":")
        ax.text(1, bottom, "floor", color=plots.MUTED, fontsize=8.5, va="top")
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="month", ylim=(37, 101))
        ax.text(1, 50.5, "retrains", color=plots.MUTED, fontsize=8.5)
    axes[0].set_ylabel("audited accuracy (%)")
    axes[0].legend(frameon=False, loc="center left", bbox_to_anchor=(0, 0.42), fontsize=8.5)
