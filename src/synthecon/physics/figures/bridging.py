"""Figures of the bridging notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from synthecon import plots
from synthecon.physics.bridge import Worth
from synthecon.stats import Interval


def gallery(rows: Sequence[tuple[str, Tensor]], columns: Sequence[str]) -> None:
    """A row a world, [columns, C, H, W]: name and pictures, with one heading a column."""
    _, axes = plt.subplots(
        len(rows), len(columns), figsize=(1.35 * len(columns), 1.3 * len(rows)), squeeze=False
    )
    for r, (name, images) in enumerate(rows):
        for c, ax in enumerate(axes[r]):
            picture = images[c].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
            grey = picture.shape[2] == 1
            ax.imshow(picture.squeeze(), cmap="gray_r" if grey else None, vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            for side in ax.spines.values():
                side.set_visible(False)
            if not r:
                ax.set_title(columns[c], loc="center", fontsize=8.5, pad=5)
        axes[r, 0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8, fontsize=9)


def closed(
    arms: Sequence[str], families: Mapping[str, tuple[Sequence[Interval], str]], limit: float
) -> None:
    """Share of the gap that each arm closes, a dot a family of worlds: name -> (intervals, colour).

    The line at `limit` is what the claim asks for.
    """
    _, ax = plt.subplots(figsize=(7.6, 0.56 * len(arms) + 1.3))
    ax.axvline(0, color=plots.MUTED, lw=1)
    ax.axvline(limit, color=plots.INK, lw=1.2, ls="--")
    for n, (intervals, colour) in enumerate(families.values()):
        y = np.arange(len(arms)) + 0.26 * (n - (len(families) - 1) / 2)
        for at, i in zip(y, intervals, strict=True):
            ax.plot([i.low, i.high], [at, at], color=colour, lw=2.5, solid_capstyle="round")
            ax.plot(i.value, at, "o", color=colour, ms=6)
    _names(ax, [(name, colour) for name, (_, colour) in families.items()])
    ax.set_yticks(range(len(arms)), arms)
    ax.set(
        xlabel="share of the gap that is closed (%, 95 % interval); dashed: what the claim asks",
        ylim=(len(arms) - 0.5, -0.5),
    )
    ax.grid(axis="y", visible=False)


def _names(ax: Axes, names: Sequence[tuple[str, str]]) -> None:
    """Names in their colours, side by side above the axes."""
    for n, (name, colour) in enumerate(names):
        ax.annotate(
            f"●  {name}",
            (n / len(names), 1.01),
            xycoords="axes fraction",
            va="bottom",
            color=colour,
            fontweight="bold",
            fontsize=9,
        )


def label_curve(
    panels: Sequence[tuple[str, np.ndarray, Sequence[tuple[str, Worth, float, str]]]],
    labels: Sequence[int],
    home: float,
) -> None:
    """A panel a family of worlds: title, label curves [splits, K] in per cent, and the repairs as
    (name, worth, accuracy, colour), each a dot on the curve with its interval in labels."""
    _, axes = plt.subplots(1, len(panels), figsize=(7.6, 4.4), sharey=True, squeeze=False)
    x = np.log1p(np.asarray(labels, dtype=float))
    for ax, (title, curves, repairs) in zip(axes[0], panels, strict=True):
        mean, spread = curves.mean(0), curves.std(0, ddof=1)
        ax.axhline(home, color=plots.MUTED, lw=1.2, ls=":")
        ax.annotate("at home", (0, home), xytext=(0, 3), textcoords="offset points", fontsize=8.5)
        ax.plot(x, mean, "o-", color=plots.INK, ms=4, lw=1.5)
        ax.fill_between(x, mean - spread, mean + spread, color=plots.INK, alpha=0.1, lw=0)
        low = min(float(mean.min()), *(accuracy for *_, accuracy, _ in repairs)) - 8
        places = _apart([accuracy for *_, accuracy, _ in repairs], 0.062 * (102 - low))
        for (name, found, accuracy, colour), place in zip(repairs, places, strict=True):
            i = found.interval
            ends = np.log1p([i.low, i.high])
            ax.plot(ends, [accuracy] * 2, color=colour, lw=2.5, solid_capstyle="round")
            ax.plot(np.log1p(i.value), accuracy, "D", color=colour, ms=6)
            ax.annotate(
                name,
                (max(ends[1], 0.2), accuracy),
                xytext=(x[-1] * 1.07, place),
                textcoords="data",
                va="center",
                color=colour,
                fontsize=8.5,
                fontweight="bold",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.6},
            )
        ax.set_title(title)
        ax.set_xticks(x, _sparse(labels, x), fontsize=8)
        ax.set(xlabel="newly labelled target images", ylim=(low, 102))
    axes[0, 0].set_ylabel("accuracy in the target (%)")


def _sparse(labels: Sequence[int], x: np.ndarray) -> list[str]:
    """Names of ticks, without those that would touch the one before or the last."""
    kept, last = [], -np.inf
    for label, at in zip(labels, x, strict=True):
        room = 0.11 * x[-1]
        fits = at - last > room and (at == x[-1] or x[-1] - at > room)
        kept.append(f"{label:,}" if fits else "")
        last = at if fits else last
    return kept


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """Heights for labels, in the order of `values`: at least `gap` apart, pushed down from 100."""
    order = np.argsort(values)[::-1]
    places, last = np.zeros(len(values)), 101.0
    for n in order:
        last = places[n] = min(values[n], last - gap)
    return list(places)


def losses(
    worlds: Sequence[str], lines: Mapping[str, tuple[Sequence[Interval | None], str]], limit: float
) -> None:
    """Points lost against home, world by world: name -> (an interval or None a world, colour)."""
    _, ax = plt.subplots(figsize=(7.6, 0.62 * len(worlds) + 1.5))
    ax.axvspan(-100, limit, color=plots.GRID, zorder=0)
    for n, (intervals, colour) in enumerate(lines.values()):
        for w, i in enumerate(intervals):
            if i is None:
                continue
            y = w + 0.22 * (n - (len(lines) - 1) / 2)
            ax.plot([i.low, i.high], [y, y], color=colour, lw=2.5, solid_capstyle="round")
            ax.plot(i.value, y, "o", color=colour, ms=6)
    _names(ax, [(name, colour) for name, (_, colour) in lines.items()])
    highs = [i.high for intervals, _ in lines.values() for i in intervals if i]
    lows = [i.low for intervals, _ in lines.values() for i in intervals if i]
    ax.set_yticks(range(len(worlds)), worlds)
    ax.set(
        xlabel="points lost against the same student at home (95 % interval); grey: tolerated",
        xlim=(min(-2.0, *lows) - 1, max(highs) + 3),
        ylim=(len(worlds) - 0.5, -0.5),
    )
    ax.grid(axis="y", visible=False)


def groups(
    panels: Sequence[tuple[str, Sequence[tuple[str, float, float]]]], rules: Sequence[int]
) -> None:
    """Accuracy before and after: a panel a place, with rows (group, before, after) in per cent.

    rules: rows above which a thin line parts kinds of groups.
    """
    rows = len(panels[0][1])
    _, axes = plt.subplots(
        1, len(panels), figsize=(7.6, 0.3 * rows + 1.5), sharey=True, squeeze=False
    )
    for ax, (title, points) in zip(axes[0], panels, strict=True):
        for y, (_, before, after) in enumerate(points):
            ax.plot([before, after], [y, y], color=plots.GRID, lw=3, zorder=1)
            ax.plot(before, y, "o", color=plots.MUTED, ms=6, mfc=plots.CARD, mew=1.8, zorder=2)
            ax.plot(after, y, "o", color=plots.ORANGE, ms=6, zorder=3)
        for rule in rules:
            ax.axhline(rule - 0.5, color=plots.MUTED, lw=0.8)
        ax.set_title(title)
        ax.set(xlabel="accuracy (%): ring before, dot after", ylim=(rows - 0.4, -0.6))
        ax.grid(axis="y", visible=False)
    axes[0, 0].set_yticks(range(rows), [name for name, *_ in panels[0][1]])
