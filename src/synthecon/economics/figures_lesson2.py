"""Figures of the three-year case, drawn from plain numbers that a notebook computed.

Money comes in whole units of the currency and is shown in thousands or millions, whichever keeps
the labels short.  Each function leaves one pyplot figure open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from numpy.typing import ArrayLike

from synthecon import plots
from synthecon.economics import explore, ledger

CATEGORIES = {"CapEx": plots.PURPLE, "OpEx": plots.BLUE, "People": plots.GREEN}
OPPORTUNITY = "Opportunity"
AT_LOW, AT_HIGH = plots.ORANGE, plots.BLUE
PAYS, LOSES, MUTED = plots.GREEN, plots.RED, plots.MUTED


@dataclass(frozen=True)
class Scale:
    """How money is shown: divided by `by`, in `unit`, with `decimals`."""

    by: float
    unit: str
    decimals: int

    def text(self, amount: float, sign: str = "") -> str:
        """The amount as a label, with a true minus sign."""
        return explore.number(amount / self.by, f"{sign},.{self.decimals}f")


def scale(amounts: ArrayLike, currency: str) -> Scale:
    """Millions from ten millions on, else thousands; a decimal where the numbers are small."""
    largest = float(np.max(np.abs(amounts)))
    by, word = (1e6, "million") if largest >= 1e7 else (1e3, "thousand")
    return Scale(by, f"{word} {currency}", int(largest / by < 100))


def _mark(ax: Axes, x: float, y: float, text: str, colour: str, shift: tuple[float, float],
          **style: object) -> None:  # fmt: skip
    """A label beside a point, `shift` in printer's points."""
    ax.annotate(text, (x, y), xytext=shift, textcoords="offset points", color=colour, **style)


def _headline(ax: Axes, left: tuple[str, str], right: tuple[str, str]) -> None:
    """Two texts with their colours over the axes, where nothing drawn can reach them."""
    for (text, colour), x, side in ((left, 0, "left"), (right, 1, "right")):
        _mark(ax, x, 1, text, colour, (0, 6), xycoords="axes fraction", ha=side, fontweight="bold")


def _thousands(axis: Axis) -> None:
    axis.set_major_formatter(lambda value, _: explore.number(value, ",.10g"))


def _percent(p: float) -> str:
    """A probability; what is rare is not nothing."""
    return "<1%" if 0 < p < 0.005 else ">99%" if 0.995 <= p < 1 else f"{p:.0%}"


def j_curve(
    middle: Sequence[float], low: Sequence[float], high: Sequence[float], currency: str,
    *, name: str = "base case", level: float = 0.9,
) -> None:  # fmt: skip
    """Cumulative cash of the pivot against the status quo, from month 0 on, with its band.

    low, high: in each month the ends of the middle `level` of the scenarios.

    Marks the deepest point of `middle` (what has to be financed) and the month from which it stays
    at or above zero.
    """
    show = scale([*middle, *low, *high], currency)
    months, line = np.arange(len(middle)), np.asarray(middle) / show.by
    _, ax = plt.subplots(figsize=(7.6, 4.4))
    bottom, top = np.asarray(low) / show.by, np.asarray(high) / show.by
    ax.fill_between(months, bottom, top, color=plots.BLUE, alpha=0.15, lw=0)
    ax.plot(months, line, color=plots.BLUE)
    ax.axhline(0, color=MUTED, lw=1)
    under, deepest = np.flatnonzero(line < 0), int(np.argmin(line))
    depth, back = ("never below zero", PAYS), ("", PAYS)
    if len(under):
        depth = (f"● deepest: {show.text(middle[deepest])} in month {deepest}", LOSES)
        back = ("not paid back in the period", LOSES)
        ax.plot(deepest, line[deepest], "o", color=LOSES, clip_on=False)
    if len(under) and under[-1] + 1 < len(line):
        even = int(under[-1]) + 1
        back = (f"● paid back in month {even}", PAYS)
        ax.plot(even, line[even], "o", color=PAYS, clip_on=False)
    _headline(ax, depth, back)
    last = float(months[-1])
    ends = [
        (last, float(line[-1]), f"{name}\n{show.text(middle[-1], '+')}", plots.BLUE),
        (last, float(top[-1]), f"{(1 + level) / 2:.0%} below\n{show.text(high[-1], '+')}", MUTED),
        (last, float(bottom[-1]), f"{(1 - level) / 2:.0%} below\n{show.text(low[-1], '+')}", MUTED),
    ]
    reach = max(float(top.max()), 0.0) - float(bottom.min())
    plots.label_ends(ax, ends, gap=0.13 * reach)
    _thousands(ax.yaxis)
    ax.set_xticks(range(0, len(months), 6))
    ax.set(xlabel="month", ylabel=f"cumulative cash, {show.unit}", xlim=(0, last))
    ax.margins(y=0.12)


def cost_stack(
    scenarios: Mapping[str, Mapping[str, float]], currency: str, *, period: str = "36 months"
) -> None:
    """Cost of each scenario by category, stacked; Opportunity apart, for it is no cash.

    scenarios: name -> category -> cost, 0 or more.  Categories: those of `CATEGORIES`, and
    optionally Opportunity.

    Raises:
        ValueError: an unknown category or a negative cost.
    """
    known = {*CATEGORIES, OPPORTUNITY}
    for name, costs in scenarios.items():
        if wrong := [f"{k} = {v:g}" for k, v in costs.items() if k not in known or v < 0]:
            raise ValueError(f"{name}: {', '.join(wrong)}: unknown category or negative cost")
    totals = {name: sum(c.get(k, 0.0) for k in CATEGORIES) for name, c in scenarios.items()}
    apart = {name: c[OPPORTUNITY] for name, c in scenarios.items() if OPPORTUNITY in c}
    show = scale([*totals.values(), *apart.values()], currency)
    reach = max([*totals.values(), *apart.values()]) / show.by
    rows = [(name, False) for name in scenarios] + [(name, True) for name in apart]
    _, ax = plt.subplots(figsize=(7.6, 0.95 * len(rows) + 1.4))
    places = [y + 0.6 * is_apart for y, (_, is_apart) in enumerate(rows)]
    for y, (name, is_apart) in zip(places, rows, strict=True):
        if is_apart:
            ax.barh(y, apart[name] / show.by, 0.5, facecolor=plots.CARD, edgecolor=MUTED,
                    hatch="///", lw=1)  # fmt: skip
            _mark(ax, apart[name] / show.by, y, show.text(apart[name]), plots.INK, (6, 0),
                  va="center", fontweight="bold")  # fmt: skip
            continue
        start, above = 0.0, -np.inf
        for category, colour in CATEGORIES.items():
            width = scenarios[name].get(category, 0.0) / show.by
            if not width:
                continue
            ax.barh(y, width, 0.5, left=start, color=colour, edgecolor=plots.CARD, lw=1)
            text = f"{category} {show.text(width * show.by)}"
            if width > 0.021 * len(text) * reach:
                ax.text(start + width / 2, y, text, color=plots.CARD, ha="center", va="center")
            else:  # too narrow: over the bar, and clear of the label before it
                x = max(start, above)
                ax.text(x, y - 0.29, text, color=colour, ha="left", va="bottom", fontsize=9)
                above = x + 0.021 * len(text) * reach
            start += width
        _mark(ax, start, y, show.text(totals[name]), plots.INK, (6, 0), va="center",
              fontweight="bold")  # fmt: skip
    if apart:
        ax.axhline(len(scenarios) - 0.2, color=MUTED, lw=1)
    names = [f"{name}:\nopportunity,\nnot cash" if a else name for name, a in rows]
    ax.set_yticks(places, names)
    ax.set(xlabel=f"cost over {period}, {show.unit}", xlim=(0, 1.16 * reach))
    ax.set_ylim(places[-1] + 0.45, -0.6)
    _thousands(ax.xaxis)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)


def npv_distribution(
    values: ArrayLike, currency: str,
    *, quantiles: Sequence[float] = (0.05, 0.5, 0.95), bins: int = 60,
) -> None:  # fmt: skip
    """Histogram of the NPV over scenarios, split at zero, with the probability that it pays.

    The axis holds the middle 99 % of the scenarios, so that a long tail does not flatten the rest;
    shares, quantiles and probabilities are of all.
    """
    values = np.asarray(values, dtype=float)
    ends = np.quantile(values, [0.005, 0.995])
    show = scale(ends, currency)
    left, right = ends / show.by
    # An edge at zero, so that no bar is both.
    width = (right - left) / bins or 1.0  # all scenarios alike: one bar
    first = np.floor(left / width)
    edges = np.arange(first, max(np.ceil(right / width), first + 1) + 1) * width
    counts, _ = np.histogram(values / show.by, edges)
    shares = 100 * counts / len(values)
    colours = [PAYS if edge >= -width / 2 else LOSES for edge in edges[:-1]]
    _, ax = plt.subplots(figsize=(7.6, 4.2))
    ax.bar(edges[:-1], shares, width, align="edge", color=colours, alpha=0.75)
    top = float(shares.max())
    ax.plot([0, 0], [0, top], color=plots.INK, lw=1)
    for place, q in enumerate(quantiles):
        at = float(np.quantile(values, q))
        end = (1.07 + 0.2 * (place % 2)) * top  # in turns, so that neighbours do not collide
        ax.plot([at / show.by] * 2, [0, end], color=plots.INK, lw=1, ls=(0, (4, 3)))
        name = "median" if q == 0.5 else f"{q:.0%} below"
        _mark(ax, at / show.by, end, f"{name}\n{show.text(at, '+')}", plots.INK, (0, 2),
              ha="center", va="bottom")  # fmt: skip
    pays = float(np.mean(values > 0))
    losing = f"does not pay in {_percent(1 - pays)} of scenarios"
    _headline(ax, (losing, LOSES), (f"pays in {_percent(pays)}", PAYS))
    ax.set(
        xlabel=f"net present value, {show.unit} (middle 99% shown)", ylabel="share of scenarios, %"
    )
    ax.set_ylim(0, 1.48 * top)
    _thousands(ax.xaxis)


@dataclass(frozen=True)
class Bar:
    """One row of a tornado.

    ends: the assumption's own low and high as text; results: the result at either, in money.
    """

    id: str
    unit: str
    ends: tuple[str, str]
    results: tuple[float, float]


def bar(row: ledger.Row, at_low: float, at_high: float) -> Bar:
    """The tornado's row of a ledger row, with the results at its low and high."""
    low, high = (explore.number(x, explore.short(row)) for x in (row.low, row.high))
    return Bar(row.id, explore.unit(row), (low, high), (at_low, at_high))


def tornado(bars: Sequence[Bar], base: float, currency: str, *, result: str = "NPV") -> None:
    """The result with one assumption at a time at its low and high, in the order given.

    base: the result with all at base, where the bars start.
    """
    show = scale([base, *(r for b in bars for r in b.results)], currency)
    start = base / show.by
    _, ax = plt.subplots(figsize=(7.6, 0.62 * len(bars) + 1.7))
    for y, b in enumerate(bars):
        ends = [r / show.by for r in b.results]
        # The longer first: where both ends are on one side, the shorter stays visible.
        for i in sorted((0, 1), key=lambda i: -abs(ends[i] - start)):
            ax.barh(y, ends[i] - start, 0.56, left=start, color=(AT_LOW, AT_HIGH)[i])
        first, last = sorted((0, 1), key=lambda i: ends[i])
        for i, side, shift in ((first, "right", -5), (last, "left", 5)):
            x = min(ends[i], start) if side == "right" else max(ends[i], start)
            _mark(ax, x, y, b.ends[i], (AT_LOW, AT_HIGH)[i], (shift, 0), ha=side, va="center",
                  fontweight="bold")  # fmt: skip
    everything = [start, *(r / show.by for b in bars for r in b.results)]
    low, high = min(everything), max(everything)
    if low < 0 < high:
        ax.axvline(0, color=MUTED, lw=1, ls=":")
    ax.vlines(start, -0.5, len(bars) - 0.4, color=plots.INK, lw=1)
    _mark(ax, start, -0.5, f"base case {show.text(base, '+')}", plots.INK, (0, 3), ha="center")
    _headline(ax, ("assumption at its low end", AT_LOW), ("at its high end", AT_HIGH))
    room = 0.03 + 0.017 * max(len(text) for b in bars for text in b.ends)
    ax.set_xlim(low - room * (high - low) * 1.3, high + room * (high - low) * 1.3)
    ax.set_yticks(range(len(bars)), [b.id + (f"\n{b.unit}" if b.unit else "") for b in bars])
    ax.set(xlabel=f"{result}, {show.unit}", ylim=(len(bars) - 0.4, -1.1))
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    _thousands(ax.xaxis)


def sobol(
    indices: Mapping[str, tuple[float, float]], *, result: str = "NPV",
    errors: Mapping[str, tuple[float, float]] | None = None,
) -> None:  # fmt: skip
    """First-order and total share of the variance by assumption or group, in the order given.

    errors: half the interval of either, drawn as a line over the end of its bar.
    """
    _, ax = plt.subplots(figsize=(7.6, 0.62 * len(indices) + 1.5))
    none = (0.0, 0.0)
    for y, (name, pair) in enumerate(indices.items()):
        halves = (errors or {}).get(name, none)
        ends = ((y - 0.17, AT_HIGH), (y + 0.17, AT_LOW))
        for value, half, (place, colour) in zip(pair, halves, ends, strict=True):
            ax.barh(place, 100 * value, 0.32, color=colour)
            if half:
                line = [100 * (value - half), 100 * (value + half)]
                ax.plot(line, [place, place], color=plots.INK, lw=1.2, solid_capstyle="butt")
            _mark(ax, max(0.0, 100 * (value + half)), place, explore.number(100 * value, ".0f"),
                  colour, (5, 0), va="center", fontsize=9)  # fmt: skip
    _headline(ax, ("by itself (first order)", AT_HIGH), ("with its interactions (total)", AT_LOW))
    top = 100 * max(
        value + half
        for name, pair in indices.items()
        for value, half in zip(pair, (errors or {}).get(name, none), strict=True)
    )
    ax.set_yticks(range(len(indices)), list(indices))
    ax.set(xlabel=f"share of the variance of the {result}, %", xlim=(0, 1.1 * top))
    ax.set_ylim(len(indices) - 0.45, -0.55)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)


def against(
    x: Sequence[float], npv: Sequence[float], base: tuple[float, float], name: str, currency: str,
    *, break_even: float | None, form: Callable[[float], str] | str = ",.2f",
    band: tuple[Sequence[float], Sequence[float]] | None = None, result: str = "NPV",
) -> None:  # fmt: skip
    """The result against one assumption, with its break-even and the base case marked.

    x: values of the assumption in rising order; npv: the result at each; base: the assumption's
    base and the result there; name: with its unit; break_even: where the result is zero, None
    where it keeps its sign; form: how a value of x is written, a number format or a function;
    band: low and high of the result at each x.
    """
    write = form if callable(form) else lambda v: explore.number(v, form)
    show = scale([*npv, *(v for side in band or () for v in side)], currency)
    line = np.asarray(npv) / show.by
    _, ax = plt.subplots(figsize=(7.6, 4.2))
    if band:
        ax.fill_between(x, *(np.asarray(side) / show.by for side in band), color=plots.BLUE,
                        alpha=0.13, lw=0)  # fmt: skip
    ax.plot(x, line, color=plots.BLUE)
    ax.axhline(0, color=MUTED, lw=1)
    rises, (low, high) = line[-1] >= line[0], ax.get_ylim()
    # Room for a label on either side of zero
    low, high = min(low, -0.12 * (high - low)), max(high, 0.12 * (high - low))
    ax.plot(base[0], base[1] / show.by, "D", color=plots.INK, ms=6, clip_on=False)
    if break_even is None:
        word, colour = ("pays", PAYS) if line[0] > 0 else ("does not pay", LOSES)
        verdict = f"{word} over the whole range"
    else:
        verdict, colour = f"pays {'above' if rises else 'below'} {write(break_even)}", plots.ORANGE
        ax.plot([break_even] * 2, [low, 0], color=colour, lw=1.5, ls=(0, (4, 3)))
        ax.plot(break_even, 0, "o", color=colour, clip_on=False)
        # Beside the dashed line, under a line that rises and over one that falls
        left = break_even > (x[0] + x[-1]) / 2
        under = rises != left
        _mark(ax, break_even, 0, f"break-even {write(break_even)}", colour,
              (-8 if left else 8, -15 if under else 8), ha="right" if left else "left")  # fmt: skip
    where = f"◆ base case {write(base[0])}: {show.text(base[1], '+')}"
    _headline(ax, (where, plots.INK), (verdict, colour))
    ax.set(xlabel=name, ylabel=f"{result}, {show.unit}", xlim=(x[0], x[-1]))
    ax.set_ylim(low, high)
    ax.xaxis.set_major_formatter(lambda v, _: write(v))
    _thousands(ax.yaxis)
