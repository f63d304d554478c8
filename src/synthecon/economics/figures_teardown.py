"""Figures of what a part costs: hours, answers, labels, detectors, and what carries over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter

from synthecon import plots
from synthecon.economics.teardown import Policy

Three = tuple[float, float, float]
"""Low, base, high."""


def busy_hours(busy: np.ndarray, own: np.ndarray, rent: Three, even: float, currency: str) -> None:
    """Price of a busy hour against the busy share: owned machine, and rent with its range."""
    _, ax = plt.subplots()
    ax.fill_between([0, 100], rent[0], rent[2], color=plots.ORANGE, alpha=0.15, lw=0)
    ax.axhline(rent[1], color=plots.ORANGE)
    ax.plot(100 * busy, own, color=plots.BLUE)
    top = 2.2 * rent[2]
    plots.beside(ax, "rented, paid only while busy", (1, rent[1]), (4, 9), plots.ORANGE)
    first = int(np.argmax(own < 0.9 * top))
    plots.beside(ax, "owned", (100 * busy[first], own[first]), (9, 4), plots.BLUE)
    if even <= 1:
        ax.plot(100 * even, rent[1], "o", color=plots.INK, ms=7)
        plots.beside(ax, f"even at {even:.0%}", (100 * even, rent[1]), (8, -14), plots.INK)
    ax.set(
        xlabel="share of all hours in which the machine is busy, %",
        ylabel=f"{currency} a busy hour",
        xlim=(0, 100),
        ylim=(0, top),
    )


def millions(
    rows: Sequence[tuple[str, str, float, tuple[float, float], tuple[float, float] | None]],
    currency: str,
) -> None:
    """Price of a million on a log axis: name, colour, base, range of the price, and the interval
    of the measurement, where the record has one."""
    _, ax = plt.subplots(figsize=(7.6, 0.62 * len(rows) + 1.2))
    for y, (name, colour, base, price, interval) in enumerate(rows):
        ax.plot(price, [y, y], color=colour, lw=6, alpha=0.3, solid_capstyle="butt")
        if interval:
            ax.plot(interval, [y, y], color=colour, lw=3, solid_capstyle="butt")
        ax.plot(base, y, "D", color=colour, ms=6)
        plots.beside(ax, name, (base, y), (0, 9), colour, va="baseline")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_yticks([])
    ax.grid(axis="y", visible=False)
    ax.set(xlabel=f"{currency} a million, log scale", ylim=(len(rows) - 0.5, -0.9))
    ax.margins(x=0.25)


def labels(rows: Sequence[tuple[str, Three, str]], human: float, currency: str) -> None:
    """Price of making a label unnecessary, beside that of a human one: name, range, colour."""
    _, ax = plt.subplots(figsize=(7.6, 0.7 * len(rows) + 1.5))
    for y, (name, (low, base, high), colour) in enumerate(rows):
        ax.plot([low, high], [y, y], color=colour, lw=6, alpha=0.35, solid_capstyle="butt")
        ax.plot(base, y, "D", color=colour, ms=7)
        plots.beside(
            ax, f"{name}: {base:.2g}", (low, y), (0, 14), colour, ha="left",
            bbox={"fc": plots.CARD, "ec": "none", "pad": 1},
        )  # fmt: skip
    ax.axvline(human, color=plots.INK, lw=1, ls=(0, (4, 3)))
    ax.annotate(
        f"a label from the agency: {human:.2f}", (human, 0), xycoords=("data", "axes fraction"),
        xytext=(5, 6), textcoords="offset points", fontsize=9,
    )  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_yticks([])
    ax.grid(axis="y", visible=False)
    ax.set(
        xlabel=f"{currency} for each human label replaced, log scale",
        xlim=(
            min(human, *(ends[0] for _, ends, _ in rows)) / 2,
            8 * max(ends[2] for _, ends, _ in rows),
        ),
        ylim=(len(rows) - 0.3, -0.8),
    )


def detectors(
    policies: Sequence[Policy], colours: Sequence[str], per_error: float, errors: Three,
    currency: str,
) -> None:  # fmt: skip
    """Yearly cost of each policy against the cost of one error.

    per_error: value of a point for a year, for each unit of an error's cost.  errors: the range
    shown, and between its ends the value marked.
    """
    _, ax = plt.subplots()
    x = np.array([0.0, errors[2]])
    ends = []
    for policy, colour in zip(policies, colours, strict=True):
        y = np.array([policy.cost(e * per_error) for e in x]) / 1000
        ax.plot(x, y, color=colour)
        ends.append((float(x[-1]), float(y[-1]), policy.name, colour))
    top = max(end[1] for end in ends)
    ax.axvline(errors[1], color=plots.MUTED, lw=1, ls=":")
    ax.annotate(
        "the ledger's base", (errors[1], 1), xycoords=("data", "axes fraction"), xytext=(4, -10),
        textcoords="offset points", color=plots.MUTED, fontsize=9,
    )  # fmt: skip
    plots.label_ends(ax, ends, gap=0.075 * top)
    ax.set(
        xlabel=f"cost of one wrong answer, {currency}",
        ylabel=f"thousand {currency} a year",
        xlim=(0, errors[2]),
        ylim=(0, 1.08 * top),
    )


def stacks(
    rows: Sequence[tuple[str, Mapping[str, float]]], colours: Mapping[str, str], xlabel: str
) -> None:
    """Bars made of parts: name, amount by part.  The colour's name stands above its first bar."""
    _, ax = plt.subplots(figsize=(7.6, 0.75 * len(rows) + 1.3))
    told: set[str] = set()
    widest = max(sum(parts.values()) for _, parts in rows)
    for y, (_, parts) in enumerate(rows):
        left = 0.0
        for part, amount in parts.items():
            ax.barh(y, amount, left=left, color=colours[part], height=0.5)
            if amount > 0.06 * widest and part not in told:
                told.add(part)
                ax.annotate(
                    part, (left, y - 0.25), xytext=(1, 3), textcoords="offset points",
                    color=colours[part], fontweight="bold", fontsize=9,
                )  # fmt: skip
            left += amount
        ax.annotate(
            f"{left:.3g}", (left, y), xytext=(5, 0), textcoords="offset points", va="center"
        )
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.7))
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.12)


def carried(rows: Sequence[tuple[str, float, float | None]], currency: str) -> None:
    """Measured share of a bill, and what the transfer leaves: name, naive, transferred."""
    _, ax = plt.subplots(figsize=(7.6, 0.75 * len(rows) + 1.3))
    widest = max(naive for _, naive, _ in rows)
    for y, (_, naive, left) in enumerate(rows):
        ax.barh(y, naive / 1000, height=0.56, color=plots.MUTED, alpha=0.3)
        ax.annotate(
            f"{naive / 1000:,.1f}", (naive / 1000, y), xytext=(5, 0), textcoords="offset points",
            va="center", color=plots.MUTED,
        )  # fmt: skip
        if left is not None:
            ax.barh(y, left / 1000, height=0.32, color=plots.GREEN)
            inside = left > 0.1 * widest
            ax.annotate(
                f"{left / 1000:,.1f}", (left / 1000, y), xytext=(-4 if inside else 4, 0),
                ha="right" if inside else "left", va="center", textcoords="offset points",
                color="white" if inside else plots.GREEN, fontsize=9, fontweight="bold",
            )  # fmt: skip
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set(xlabel=f"saving, thousand {currency} a month", ylim=(len(rows) - 0.5, -0.6))
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.1)
