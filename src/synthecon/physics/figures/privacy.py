"""Figures of the privacy notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor

from synthecon import plots
from synthecon.stats import Interval


def shadows(panels: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """For some candidates what the shadows said: title, confidence with it, without it."""
    _, axes = plt.subplots(1, len(panels), figsize=(7.6, 2.3))
    for ax, (title, with_it, without) in zip(np.atleast_1d(axes), panels, strict=True):
        for y, (values, colour) in enumerate(((without, plots.BLUE), (with_it, plots.ORANGE))):
            spread = 0.28 * np.sin(2.4 * np.arange(len(values)))  # apart, and the same every time
            ax.plot(values, y + spread, "o", color=colour, alpha=0.55, ms=6, mew=0)
            if len(values):  # a short rehearsal may have none
                ax.plot([values.mean()] * 2, [y - 0.42, y + 0.42], color=colour, lw=2.5)
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="confidence in the label (log odds)", ylim=(-0.6, 1.6))
        ax.set_yticks([0, 1], ["not a\nmember", "member"] if ax is np.atleast_1d(axes)[0] else [])
        ax.grid(axis="y", visible=False)


def gallery(images: Tensor, names: Sequence[str], titles: tuple[str, str]) -> None:
    """Two rows of images [2M, C, H, W], the label of each under it."""
    columns = len(images) // 2
    _, axes = plt.subplots(2, columns, figsize=(7.6, 2.6))
    for i, ax in enumerate(axes.flat):
        picture = images[i].permute(1, 2, 0).cpu().numpy()
        ax.imshow(picture.squeeze(), cmap="gray_r" if picture.shape[2] == 1 else None)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(names[i][:9], fontsize=8, labelpad=2)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
    for row, title in zip(axes, titles, strict=True):
        row[0].set_title(title, fontsize=10, pad=5)


def curves(
    fpr: np.ndarray,
    lines: Mapping[str, tuple[np.ndarray, str]],
    bounds: Mapping[str, tuple[np.ndarray, str]] | None = None,
) -> None:
    """ROC curves over two log axes, each named at its left end; bounds are dotted lines."""
    _, ax = plt.subplots(figsize=(7.6, 4.6))
    ax.plot(fpr, fpr, color=plots.MUTED, lw=1, ls="--")
    for group, style in ((lines, "-"), (bounds or {}, ":")):
        for name, (tpr, colour) in group.items():
            ax.plot(fpr, tpr, color=colour, ls=style, label=name)
    ax.set(xscale="log", yscale="log", xlim=(fpr[0], fpr[-1]), ylim=(fpr[0] / 2, 1.08))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda x, _: f"{100 * x:g}")
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    ax.set(
        xlabel="non-members named by mistake (%, log scale)",
        ylabel="members named (%, log scale)",
    )


def leaks(rows: Sequence[tuple[str, Interval, Interval, str]], limit: float) -> None:
    """A release a row: AUC over all candidates (dot) and over outliers (ring), with intervals."""
    _, ax = plt.subplots(figsize=(7.6, 0.5 * len(rows) + 1.5))
    ax.axvspan(0.4, limit, color=plots.GRID, zorder=0)
    ax.axvline(0.5, color=plots.MUTED, lw=1)
    for y, (_name, whole, odd, colour) in enumerate(rows):
        for shift, i, face in ((-0.14, whole, colour), (0.16, odd, plots.CARD)):
            ax.plot([i.low, i.high], [y + shift] * 2, color=colour, lw=2.2)
            ax.plot(i.value, y + shift, "o", mec=colour, mfc=face, mew=1.8, ms=7)
    ax.plot([], [], "o", color=plots.INK, label="all candidates")
    ax.plot([], [], "o", mec=plots.INK, mfc=plots.CARD, mew=1.8, label="outliers only")
    ax.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    low = min([0.45, *(i.low - 0.01 for _, a, b, _ in rows for i in (a, b))])
    ax.set(xlabel="attack AUC (0.5: a coin)", xlim=(low, 1.01), ylim=(len(rows) - 0.4, -0.6))
    ax.grid(axis="y", visible=False)


def price(
    budgets: Sequence[str],
    accuracy: Sequence[Interval],
    leak: Sequence[Interval],
    reference: float,
    limit: float,
) -> None:
    """What ε buys and costs: accuracy on the left, attack AUC on the right, over the budgets."""
    _, axes = plt.subplots(1, 2, figsize=(7.6, 3.4))
    x = range(len(budgets))
    for ax, values, colour, label in (
        (axes[0], accuracy, plots.BLUE, "accuracy on unseen images (%)"),
        (axes[1], leak, plots.ORANGE, "attack AUC"),
    ):
        y = np.array([i.value for i in values])
        error = np.array([[i.value - i.low for i in values], [i.high - i.value for i in values]])
        ax.errorbar(x, y, yerr=error, fmt="o-", color=colour, capsize=3)
        ax.set_xticks(x, budgets)
        ax.set(xlabel="privacy budget ε", ylabel=label)
        ax.grid(axis="x", visible=False)
    axes[0].axhline(reference, color=plots.INK, lw=1.2, ls="--")
    axes[0].annotate(
        "same network, plain training",
        (x[-1], reference),
        xytext=(0, 5),
        textcoords="offset points",
        ha="right",
        fontsize=9,
    )
    axes[0].margins(y=0.12)
    axes[1].axhspan(axes[1].get_ylim()[0], limit, color=plots.GRID, zorder=0)
    axes[1].axhline(0.5, color=plots.MUTED, lw=1)


def trade(
    points: Sequence[tuple[str, float, float, str]],
    path: Sequence[tuple[str, float, float]],
    limit: float,
) -> None:
    """Accuracy against attack AUC: name, accuracy %, AUC, colour of each release; `path` are the
    private networks from budget to budget, name, accuracy %, AUC."""
    _, ax = plt.subplots(figsize=(7.6, 4.0))
    ax.axvspan(0, limit, color=plots.GRID, zorder=0)
    _, accuracies, aucs = zip(*path, strict=True)
    ax.plot(aucs, accuracies, "o-", ms=7, color=plots.GREEN)
    for name, accuracy, leak in path:
        look = {"va": "baseline", "fontweight": "normal", "fontsize": 9}
        plots.beside(ax, name, (leak, accuracy), (-5, 6), plots.GREEN, **look)
    plots.beside(ax, "DP-SGD", (aucs[-1], accuracies[-1]), (9, 0), plots.GREEN, fontsize=9)
    placed: list[tuple[float, float]] = []
    for name, accuracy, leak, colour in sorted(points, key=lambda p: (-p[2], -p[1])):
        ax.plot(leak, accuracy, "o", ms=8, color=colour)
        crowd = sum(abs(leak - x) < 0.03 and abs(accuracy - y) < 3 for x, y in placed)
        placed.append((leak, accuracy))
        offset = (0, -14 * crowd - 6) if crowd else (9, 0)
        plots.beside(ax, name, (leak, accuracy), offset, colour, fontsize=9)
    ax.set(
        xlabel="attack AUC (0.5: a coin)",
        ylabel="accuracy on unseen images (%)",
    )
    every = [*aucs, *(leak for _, _, leak, _ in points)]
    ax.set_xlim(min(0.48, min(every) - 0.02), max(every) + 0.03)
    ax.margins(y=0.12)
