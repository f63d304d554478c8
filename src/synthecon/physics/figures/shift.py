"""Figures of the distribution-shift notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor

from synthecon import plots

COLOURS = {
    "KS on outputs": plots.BLUE,
    "χ² on answers": plots.ORANGE,
    "MMD": plots.GREEN,
    "energy distance": plots.SKY,
    "classifier": plots.PURPLE,
    "PSI, calibrated": plots.RED,
    "panel of three": plots.INK,
    "PSI above 0.2": plots.RED,
}
MARKS = {"energy distance": "s", "MMD": "^", "PSI, calibrated": "v", "panel of three": "D"}


def gallery(rows: Sequence[tuple[str, Tensor, Sequence[str]]]) -> None:
    """A row a kind of shift: its name, images [K, C, H, W], and a word under each image."""
    columns = len(rows[0][1])
    _, axes = plt.subplots(
        len(rows), columns, dpi=plots.SMALL, figsize=(0.82 * columns + 1.4, 1.12 * len(rows))
    )
    for r, (name, images, words) in enumerate(rows):
        for c, image in enumerate(images):
            ax = axes[r, c]
            picture = image.permute(1, 2, 0).cpu().numpy()
            grey = picture.shape[2] == 1
            ax.imshow(picture.squeeze(), cmap="gray_r" if grey else None, vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.spines[:].set_visible(False)
            ax.set_xlabel(words[c], fontsize=8, labelpad=2)
        axes[r, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, labelpad=8)


def false_alarms(
    sizes: Sequence[int], rates: Mapping[str, Sequence[tuple[float, float, float]]], promised: float
) -> None:
    """A row a detector: rate with its interval (value, low, high in per cent) at each size."""
    _, ax = plt.subplots(dpi=plots.SMALL, figsize=(7.6, 0.5 * len(rates) + 1.5))
    shades = plt.get_cmap("viridis")(np.linspace(0.85, 0.1, len(sizes)))
    for y, found in enumerate(rates.values()):
        for k, (value, low, high) in enumerate(found):
            at = y + 0.17 * (k - (len(sizes) - 1) / 2)
            ax.plot([low, high], [at, at], color=shades[k], lw=2)
            label = f"{sizes[k]} new images" if not y else None
            ax.plot(value, at, "o", color=shades[k], ms=5, label=label)
    ax.axvline(promised, color=plots.INK, lw=1.2, ls="--")
    ax.annotate(
        f"promised: {promised:g} %", (promised, -0.75), xytext=(4, 0), textcoords="offset points",
        va="center", fontsize=8.5,
    )  # fmt: skip
    ax.set_yticks(range(len(rates)), list(rates))
    ax.set(xlabel="false alarms when nothing has changed (%, log scale)", xscale="log")
    ax.set(ylim=(len(rates) - 0.4, -1.1), xlim=(0.4, 110))
    ax.set_xticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.grid(axis="y", visible=False)
    ax.legend(frameon=False, fontsize=8.5, loc="center right", bbox_to_anchor=(1, 0.45))


def power(
    panels: Sequence[tuple[str, str, Sequence[float], Mapping[str, np.ndarray]]], columns: int
) -> None:
    """Power curves: title, x label, x values, and detector -> share found, in per cent."""
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        dpi=plots.SMALL,
        figsize=(2.3 * columns + 0.4, 2.35 * rows + 0.5),
        sharey=True,
        squeeze=False,
    )
    for k, (title, xlabel, x, curves) in enumerate(panels):
        ax = axes[k // columns, k % columns]
        for name, values in curves.items():
            mark = MARKS.get(name, "o")
            ax.plot(range(len(x)), values, mark, ls="-", color=COLOURS[name], ms=4.5, lw=1.5)
        ax.set_xticks(range(len(x)), [f"{v:g}" for v in x])
        ax.set(ylim=(-4, 104), xlabel=xlabel)
        ax.set_title(title, fontsize=9.5, pad=6)
        if k % columns == 0:
            ax.set_ylabel("alarms (%)")
    lines = [
        plt.Line2D([], [], color=COLOURS[name], marker=MARKS.get(name, "o"), ms=5, label=name)
        for name in panels[0][3]
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=3, frameon=False, fontsize=9)


def estimates(points: Mapping[str, tuple[np.ndarray, np.ndarray, str, str]]) -> None:
    """Estimated against true accuracy, in per cent: name -> (true, estimated, colour, marker)."""
    _, ax = plt.subplots(dpi=plots.SMALL, figsize=(6.4, 5.2))
    ax.plot([0, 100], [0, 100], color=plots.MUTED, lw=1)
    ax.fill_between([0, 100], [-5, 95], [5, 105], color=plots.GRID, zorder=0, lw=0)
    for name, (true, guess, colour, marker) in points.items():
        ax.plot(true, guess, marker, color=colour, ms=6, alpha=0.8, label=name, mew=1.5)
    ax.annotate("within 5 points", (7, 8), rotation=40, fontsize=8.5, color=plots.MUTED)
    ax.set(
        xlim=(0, 101),
        ylim=(0, 101),
        xlabel="true accuracy on the shifted images (%)",
        ylabel="estimated without labels (%)",
    )
    ax.legend(frameon=False, fontsize=9, loc="lower right")


def one_year(
    weeks: np.ndarray,
    accuracy: np.ndarray,
    capital: np.ndarray,
    limit: float,
    moved: Sequence[int],
    trained: Sequence[int],
) -> None:
    """One stream: accuracy (%) above, the gamblers' capital below, with changes and retrainings."""
    _, (top, bottom) = plt.subplots(2, 1, dpi=plots.SMALL, figsize=(7.6, 4.6), sharex=True)
    top.step(weeks, accuracy, where="mid", color=plots.BLUE)
    top.set(ylabel="true accuracy (%)")
    bottom.semilogy(weeks, capital, color=plots.GREEN, marker="o", ms=3)
    bottom.axhline(limit, color=plots.RED, lw=1.2, ls="--")
    bottom.annotate(
        f"train again at {limit:g}",
        (1, limit),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        color=plots.RED,
        fontsize=9,
    )
    bottom.set(ylabel="capital (log scale)", xlabel="week")
    for ax in (top, bottom):
        for week in moved:
            ax.axvline(week - 0.5, color=plots.ORANGE, lw=1.5)
        for week in trained:
            ax.axvline(week + 0.5, color=plots.MUTED, lw=1.5, ls=":")
    handles = [
        plt.Line2D([], [], color=plots.ORANGE, label="the world changes"),
        plt.Line2D([], [], color=plots.MUTED, ls=":", label="trained again"),
    ]
    top.legend(
        handles=handles,
        frameon=False,
        fontsize=9,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
    )


def trade_off(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray, str]],
    marked: Sequence[tuple[float, float, str, str]],
) -> None:
    """Delay against false alarms: rule -> (share of quiet years with an alarm in %, weeks to
    notice, colour); marked settings: x, y, text, colour."""
    _, ax = plt.subplots(dpi=plots.SMALL)
    for name, (x, y, colour) in curves.items():
        ax.plot(x, y, color=colour, label=name)
    for x, y, text, colour in marked:
        ax.plot(x, y, "o", color=colour, ms=8)
        left = x > 60
        ax.annotate(
            text, (x, y), xytext=(-4 if left else 10, 9 if left else 4), textcoords="offset points",
            color=colour, fontsize=9, ha="right" if left else "left",
        )  # fmt: skip
    ax.set(
        xlabel="quiet years with at least one false alarm (%)",
        ylabel="weeks until a change is noticed (mean)",
        ylim=(0, None),
        xlim=(-3, 103),
    )
    ax.legend(frameon=False, fontsize=9)


def cycles(counts: Sequence[int], lines: Mapping[str, tuple[np.ndarray, np.ndarray, str]]) -> None:
    """Against changes a year: retrainings (left) and accuracy lost (right).

    Policy -> (retrainings a year, points of accuracy lost on average, colour)."""
    _, axes = plt.subplots(1, 2, dpi=plots.SMALL, figsize=(8.4, 3.8))
    for k, (ax, ylabel) in enumerate(
        zip(axes, ("retrainings a year", "accuracy lost (points, mean)"), strict=True)
    ):
        for name, found in lines.items():
            ax.plot(counts, found[k], "o-", color=found[2], label=name, ms=5)
        ax.set(xlabel="changes of the world a year", ylabel=ylabel, ylim=(0, None))
        ax.set_xticks(list(counts), [str(c) for c in counts])
    axes[0].plot(counts, counts, color=plots.MUTED, lw=1, ls=":")
    axes[1].plot([], [], color=plots.MUTED, lw=1, ls=":", label="one for each change")
    axes[1].legend(frameon=False, fontsize=8.5, loc="upper left")
