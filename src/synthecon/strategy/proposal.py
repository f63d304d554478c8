"""The rules behind a proposal: what to ask for, when to stop, what is no EBITDA, which number has
no source; and the numbers of the learner's own model among those of the case.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synthecon import Problem
from synthecon.economics import tco
from synthecon.economics.model import Model
from synthecon.strategy import choices, facts_money, pages, printable
from synthecon.strategy.printable import Fact

Numbers = Mapping[str, Fact]

# ---- the few lines behind the exercises


def ask(paths: Sequence[Sequence[float]], share: float = 0.95) -> float:
    """Money to ask for: the depth of the cash trough that a share of the scenarios stays within.

    paths: of each scenario the cash flow of each month, out is negative.  A depth is 0 or more,
    and one that occurs: nothing is interpolated.

    Raises:
        ValueError: no scenario, or a share outside (0, 1].
    """
    if not paths or not 0 < share <= 1:
        raise ValueError(f"needs a scenario and a share above 0, up to 1, got {share}")
    depths = sorted(max(0.0, -float(np.cumsum(flows).min(initial=0.0))) for flows in paths)
    return depths[math.ceil(share * len(depths) - 1e-9) - 1]


def decide(
    chance: float, least: float, mean: float, trough: float, limit: float
) -> tuple[str, float, list[str]]:
    """Recommendation, amount asked, and the tests that fail, by the exact numbers.

    chance, least: that the pivot pays, and what the board demands, 0 to 1.  mean: expected net
    present value.  trough: peak cash at its 95 % end, 0 or more.  limit: of the cash tied up.
    """
    holds = {"probability": chance >= least, "expected": mean > 0, "cash": trough <= limit}
    failed = [name for name, good in holds.items() if not good]
    return (printable.QUO, 0.0, failed) if failed else (printable.PIVOT, trough, [])


@dataclass(frozen=True)
class Swing:
    """One assumption of a tornado.  at_low, at_high: the net present value at its ends."""

    name: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def break_even(self) -> float | None:
        """Where the net present value is zero, on a straight line; None outside the range."""
        if self.at_low * self.at_high > 0 or self.at_low == self.at_high:
            return None
        part = self.at_low / (self.at_low - self.at_high)
        return self.low + (self.high - self.low) * part


def sensitivities(swings: Iterable[Swing], count: int = 3) -> list[tuple[str, float | None]]:
    """Names and break-evens of those that move the value most, widest swing first."""
    widest = sorted(swings, key=lambda s: -abs(s.at_high - s.at_low))
    return [(s.name, s.break_even) for s in widest[:count]]


def kill_criteria(swings: Iterable[Swing], date: str) -> list[tuple[str, str, float, str]]:
    """(name, "below" or "above", threshold, date): stop when the record of that date says so.

    An assumption whose range holds no break-even gives none: no record of it can stop anything.
    """
    return [
        (s.name, "below" if s.at_high > s.at_low else "above", even, date)
        for s in swings
        if (even := s.break_even) is not None
    ]


COSTS = ("COGS", "R&D", "S&M", "G&A")
Line = tuple[str, float, float, bool]
"""Line of the P&L, its amount as we are, with the pipeline, and whether it recurs."""


def recurring_bridge(lines: Iterable[Line]) -> dict[str, float]:
    """EBITDA from "before" to "after" by line, without what happens once; that is in "one-off".

    Amounts are positive, revenue as well as costs.  A fall of a cost is a step up.  Other lines
    (capex, depreciation, interest, tax, opportunity) are no part of EBITDA.
    """
    steps = {"before": 0.0} | dict.fromkeys(("Revenue", *COSTS), 0.0)
    once = 0.0
    for line, old, new, recurs in lines:
        if line not in steps:
            continue
        sign = 1 if line == "Revenue" else -1
        if recurs:
            steps["before"] += sign * old
            steps[line] += sign * (new - old)
        else:
            once += sign * (new - old)
    return steps | {"after": sum(steps.values()), "one-off": once}


NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def unsourced(text: str, allowed: Iterable[str] = ()) -> list[str]:
    """Numbers in digits that no placeholder brought, in order.  allowed: those that may be typed,
    whole: "3" does not allow "30".  Longer texts such as "November 2026" may be allowed too."""
    text = pages.PLACE.sub(" ", text)
    short = {one for one in allowed if NUMBER.fullmatch(one)}
    for phrase in sorted(set(allowed) - short, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", " ", text)
    return [found for found in NUMBER.findall(text) if found not in short]


# ---- numbers


LAB_2 = {
    "npv.base": "Net present value, base case",
    "npv.p5": "Net present value, low: fifth percentile",
    "npv.p50": "Net present value, median",
    "npv.p95": "Net present value, high: 95th percentile",
    "npv.mean": "Net present value, expected",
    "probability.pays": "Chance that its cash pays",
    "peak-cash": "Peak cash after tax, base case",
    "payback-month": "Payback, base case",
}
"""Numbers of lab 2's page: the whole pipeline, cash after tax, no new risk counted."""
MINE = "mine."
"""How their ids begin on a page of lab 3."""


def lab_2(model: Model, scenarios: int = 16384, seed: int = 1) -> dict[str, float | None]:
    """The page of lab 2, by the package: what a finished lab writes into labs/tco.json."""
    base = model.base()
    npvs = np.asarray(model.npv(model.draw(scenarios, seed)))
    sums = np.cumsum(tco.advantage(model.items, base, model.plan(base)))
    month = float(facts_money.paid_back(sums[None])[0])
    low, middle, high = np.quantile(npvs, (0.05, 0.5, 0.95))
    return {
        "npv.base": float(np.squeeze(model.npv(base))),
        "npv.p5": float(low),
        "npv.p50": float(middle),
        "npv.p95": float(high),
        "npv.mean": float(npvs.mean()),
        "probability.pays": float(np.mean(npvs > 0)),
        "peak-cash": float(sums.min(initial=0.0)),
        "payback-month": math.ceil(month - 1e-9) if math.isfinite(month) else None,
    }


def numbers(found: Numbers, mine: Mapping[str, Any] | None = None) -> dict[str, Fact]:
    """Facts of a case, and the learner's own lab 2 under ids of its own: {mine.npv.base}.

    Where a fact is the same quantity, of the whole pipeline, their number stands in its place too.
    The board's rule counts new risks, and cash before tax: it does not follow from lab 2.

    mine: the page of this company in labs/tco.json, or `lab_2`.

    Raises:
        Problem: a page without what is needed.
    """
    told = dict(found)
    if mine is None:
        return told
    if absent := [name for name in LAB_2 if name not in mine]:
        raise Problem(f"labs/tco.json lacks {', '.join(absent)}: run the lab of lesson 2 again")
    same = _same(found)
    for name, title in LAB_2.items():
        # its trough is the lowest running sum, which is negative
        x = -mine[name] if name == "peak-cash" else mine[name]
        text = _printed(x, name, found)
        of = f"{title}: the whole pipeline, by your lab of lesson 2"
        told[MINE + name] = Fact(MINE + name, of, x, "", text, evidence=("labs/tco.json",))
        if key := same.get(name):
            told[key] = replace(told[key], value=x, text=text, evidence=("labs/tco.json",))
    return told


def _same(found: Numbers) -> dict[str, str]:
    """Facts that are the same quantity as a number of lab 2, by its name."""
    pairs = {name: name for name in LAB_2}
    pairs |= {"probability.pays": "probability.cash", "payback-month": "payback.month"}
    if found["option.id"].text != choices.WHOLE:
        pairs = {"npv.base": f"option.{choices.WHOLE}.npv"}
    return {name: key for name, key in pairs.items() if key in found}


def _printed(x: float | None, name: str, found: Numbers) -> str:
    if name == "payback-month":
        return f"not in {found['horizon.months'].text}" if x is None else f"month {math.ceil(x)}"
    if not name.startswith("probability."):
        return printable.money(x, found["company.currency"].text)
    return "below 1 %" if x < 0.005 else "above 99 %" if x > 0.995 else printable.share(x)


def apart(mine: Mapping[str, Any], ours: Mapping[str, Any], tolerance: float = 0.01) -> list[str]:
    """Names of lab 2's page that differ from the package's by more than a hundredth: the page was
    written from another ledger, or not by a finished lab.  Months of payback are not compared:
    they are whole there."""
    return [
        name
        for name in LAB_2
        if name != "payback-month"
        and not math.isclose(mine[name], ours[name], rel_tol=tolerance, abs_tol=tolerance)
    ]


def rule(found: Numbers) -> tuple[str, float, list[str]]:
    """`decide`, on the facts of a case: new risks are counted, and cash is before tax."""
    keys = ("probability.pays", "board.min-probability", "npv.careful", "need.p95")
    values = [found[key].value if key in found else None for key in (*keys, "board.cash-limit")]
    return decide(*(x if isinstance(x, int | float) else math.nan for x in values))
