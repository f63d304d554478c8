"""Figures of the notebook on what synthetic data is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor

from synthecon import plots
from synthecon.stats import Interval


def gallery(rows: Mapping[str, Tensor]) -> None:
    """A row a source: its name, then its images [M, C, H, W]."""
    count = max(len(x) for x in rows.values())
    _, axes = plt.subplots(
        len(rows),
        count + 1,
        figsize=(7.6, 0.66 * len(rows) + 0.1),
        width_ratios=[2.6] + [1] * count,
    )
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.set_axis_off()
        line[0].text(1, 0.5, name, ha="right", va="center", fontsize=9.5, wrap=True)
        for ax, image in zip(line[1:], images, strict=False):
            picture = image.permute(1, 2, 0).cpu().numpy()
            grey = picture.shape[2] == 1
            ax.imshow(picture.squeeze(), cmap="gray_r" if grey else None, vmin=0, vmax=1)


def curves(
    counts: Sequence[int],
    synthetics: Sequence[int],
    surface: np.ndarray,
    lines: Mapping[int, np.ndarray],
) -> None:
    """Iso-accuracy curves over the grid: surface [R, S] in %, lines: labels alone -> [S] labels.

    Synthetic counts stand at equal distances, so that the first step is as wide as the last.
    """
    _, ax = plt.subplots(figsize=(7.6, 4.4))
    x = np.arange(len(synthetics))
    fine = np.exp(np.linspace(np.log(counts[0]), np.log(counts[-1]), 200))
    filled = np.array(
        [np.interp(np.log(fine), np.log(counts), surface[:, s]) for s in range(len(x))]
    )
    picture = ax.contourf(x, fine, filled.T, levels=14, cmap="Blues", alpha=0.75)
    across, down = np.meshgrid(x, counts)
    ax.plot(across.ravel(), down.ravel(), ".", color=plots.MUTED, ms=4)
    for start, curve in lines.items():
        ax.plot(x, curve, "o-", color=plots.ORANGE, ms=5)
        look = {"fontsize": 9, "annotation_clip": False}
        name = f"like {start:,} labels alone"
        plots.beside(ax, name, (x[-1], curve[-1]), (8, 0), plots.ORANGE, **look)
    ax.set_xticks(x, [f"{s:,}" for s in synthetics])
    ax.set_yscale("log")
    ax.set_yticks(counts, [f"{c:,}" for c in counts])
    ax.minorticks_off()
    ax.set(xlabel="synthetic images on top", ylabel="human labels (log scale)")
    ax.grid(visible=False)
    ax.figure.colorbar(picture, label="test accuracy (%)", pad=0.03)


def gains(
    counts: Sequence[int], lines: Mapping[str, tuple[Sequence[Interval], str]], effect: float
) -> None:
    """Points gained over labels alone against the labels at hand: name -> (intervals, colour)."""
    _, ax = plt.subplots()
    ax.axhspan(-effect, effect, color=plots.GRID, zorder=0)
    ax.axhline(0, color=plots.MUTED, lw=1)
    ends = []
    for n, (name, (found, colour)) in enumerate(lines.items()):
        x = np.arange(len(found)) + 0.07 * (n - (len(lines) - 1) / 2)
        y = np.array([i.value for i in found])
        error = np.array([[i.value - i.low for i in found], [i.high - i.value for i in found]])
        ax.errorbar(x, y, yerr=error, fmt="o-", color=colour, capsize=3)
        ends.append((len(found) - 1, float(y[-1]), name, colour))
    low, high = ax.get_ylim()
    plots.label_ends(ax, ends, (high - low) / 15, shift=14)
    ax.set_xticks(range(len(counts)), [f"{c:,}" for c in counts])
    ax.set(xlabel="human labels at hand", ylabel="gain over labels alone (points)")


def rates(
    steps: Sequence[str], lines: Mapping[str, tuple[Sequence[Interval], str]], unit: int
) -> None:
    """Marginal rate of substitution by step along iso-accuracy curves, for `unit` images."""
    _, ax = plt.subplots()
    ax.axhline(0, color=plots.MUTED, lw=1)
    ends = []
    for n, (name, (found, colour)) in enumerate(lines.items()):
        x = np.arange(len(found)) + 0.06 * (n - (len(lines) - 1) / 2)
        y = unit * np.array([i.value for i in found])
        error = unit * np.array(
            [[i.value - i.low for i in found], [i.high - i.value for i in found]]
        )
        ax.errorbar(x, y, yerr=error, fmt="o-", color=colour, capsize=3)
        ends.append((len(found) - 1, float(y[-1]), name, colour))
    low, high = ax.get_ylim()
    plots.label_ends(ax, ends, (high - low) / 15, shift=14)
    ax.set_xticks(range(len(steps)), steps)
    ax.set(
        xlabel="from so many synthetic images to so many",
        ylabel=f"labels saved by {unit:,} more of them",
    )


def generations(
    numbers: Sequence[int],
    panels: Sequence[tuple[str, Mapping[str, tuple[np.ndarray, np.ndarray, str]]]],
) -> None:
    """Side by side, one line an arm: (y label, name -> (mean, half-width, colour)).

    Generations stand at equal distances: most of it happens early.
    """
    _, axes = plt.subplots(1, len(panels), figsize=(7.6, 3.9))
    x = np.arange(len(numbers))
    for number, (ax, (label, lines)) in enumerate(zip(np.atleast_1d(axes), panels, strict=True)):
        ends = []
        for name, (mean, half, colour) in lines.items():
            ax.plot(x, mean, "o-", color=colour, ms=4)
            ax.fill_between(x, mean - half, mean + half, color=colour, alpha=0.13, lw=0)
            ends.append((x[-1], float(mean[-1]), name, colour))
        low, high = ax.get_ylim()
        if number == len(panels) - 1:
            plots.label_ends(ax, ends, (high - low) / 13)
        ax.set_xticks(x, [str(n) for n in numbers])
        ax.set(xlabel="generation")
        ax.set_title(label, fontsize=9.5)


def bills(
    targets: Sequence[float],
    lines: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, str]],
    ylabel: str,
) -> None:
    """Cost against target accuracy: name -> (base, low, high, colour); NaN where out of reach."""
    _, ax = plt.subplots()
    ends = []
    for name, (base, low, high, colour) in lines.items():
        ax.plot(targets, base, "o-", color=colour, ms=4)
        ax.fill_between(targets, low, high, color=colour, alpha=0.12, lw=0)
        last = int(np.flatnonzero(np.isfinite(base))[-1])
        ends.append((targets[last], float(np.log10(base[last])), name, colour))
    ax.set_yscale("log")
    bottom, top = (float(np.log10(v)) for v in ax.get_ylim())
    gap = (top - bottom) / 15
    places: list[float] = []
    for _, y, *_ in sorted(ends, key=lambda end: end[1]):
        places.append(max(y, places[-1] + gap) if places else y)
    for place, (x, _, name, colour) in zip(
        places, sorted(ends, key=lambda end: end[1]), strict=True
    ):
        plots.beside(ax, name, (x, 10**place), (8, 0), colour, annotation_clip=False)
    ax.set(xlabel="target accuracy (%)", ylabel=ylabel)
