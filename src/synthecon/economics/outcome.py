"""What the model says at one choice of values: flows by month, and the measures of the pivot.

Outflows are negative here, as on every page that shows money in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from synthecon import Problem
from synthecon.economics import cashflow, ledger, model, tco, uncertain

CASES = ("base", "cautious", "confident", "corner: all low", "corner: all high")
ENDS = ("low", "high", "–")  # the third: the present value does not move
CATEGORIES = ("CapEx", "OpEx", "People")
LINES = ("COGS", "R&D", "S&M", "G&A", "Capex")
MEASURES = {
    "npv": "Net present value of the pivot",
    "irr": "Internal rate of return",
    "payback": "Payback",
    "discounted-payback": "Discounted payback",
    "peak-cash": "Lowest point of cumulated cash",
    "peak-month": "Month of the lowest point",
}


@dataclass(frozen=True)
class Course:
    """The flows of one scenario by month, outflows negative: [months + 1] each."""

    category: Mapping[str, np.ndarray]
    line: Mapping[str, np.ndarray]
    opportunity: np.ndarray
    depreciation: np.ndarray
    tax: np.ndarray
    after: np.ndarray

    @property
    def operating(self) -> np.ndarray:
        return self.category["OpEx"] + self.category["People"]


@dataclass(frozen=True)
class Result:
    """What the model says at one choice of values.  measures: keys of MEASURES; a text where there
    is no such number."""

    courses: Mapping[str, Course]
    advantage: np.ndarray
    measures: Mapping[str, float | str]


def choose(
    found: model.Model, case: str = "base", overrides: Mapping[str, float] | None = None
) -> dict[str, float]:
    """The values that the workbook's switch and its overrides mean.

    case: of CASES.  cautious: each row at the end of its range at which the net present value is
    worse, the rest at base; confident: at the other end.  A corner has every row at the same end of
    its own range, whatever that does.

    Raises:
        Problem: no such case; an override of an id that has no number of its own.
    """
    if case not in CASES:
        raise Problem(f"no case {case!r}: {', '.join(CASES)}")
    if unknown := sorted((overrides or {}).keys() - found.rows.keys()):
        raise Problem(f"{found.folder / 'ledger.csv'}: no row with a number: {unknown[0]!r}")
    ends = worse_ends(found) if case in ("cautious", "confident") else {}
    own = {r.id: _chosen(r, case, ends.get(r.id, "–")) for r in found.rows.values()}
    return found.fill(own | (overrides or {}))


def _chosen(row: ledger.Row, case: str, worse: str) -> float:
    if case.startswith("corner"):
        return row.low if case.endswith("low") else row.high
    if worse not in ENDS[:2]:
        return row.base
    return row.low if (worse == "low") == (case == "cautious") else row.high


def worse_ends(found: model.Model) -> dict[str, str]:
    """At which end of its range each row makes the pivot worth less, the others at base: of ENDS.

    One row at a time: where rows act together, the worst of all corners may be another one.
    """
    ends = dict.fromkeys(found.rows, ENDS[2])
    for swing in uncertain.tornado(found.npv, found.rows):
        if swing.width:
            ends[swing.id] = "low" if swing.low < swing.high else "high"
    return ends


def course(found: model.Model, values: Mapping[str, float], scenario: str) -> Course:
    """The flows of one scenario."""
    plan = found.plan(values)
    mine = tco.of(found.items, scenario)

    def flow(wanted: Callable[[tco.Item], bool]) -> np.ndarray:
        return 0.0 - tco.flows([i for i in mine if wanted(i)], values, found.months)

    category = {c: flow(lambda i, c=c: i.cash and i.category == c) for c in CATEGORIES}
    line = {n: flow(lambda i, n=n: i.cash and i.line == n) for n in LINES}
    charge = 0.0 - tco.depreciation(-category["CapEx"], round(12 * plan.life))
    return Course(
        category, line, flow(lambda i: i.category == "Opportunity"), charge,
        -plan.tax * (category["OpEx"] + category["People"] + charge),
        0.0 - tco.after_tax(mine, values, plan),
    )  # fmt: skip


def result(found: model.Model, values: Mapping[str, float]) -> Result:
    """The whole answer at one choice of values.

    irr: a year; only where cumulated cash changes its sign once, from minus to plus: then exactly
    one rate above zero exists (Norstrom 1972).  peak-cash: the lowest cumulated cash after tax.
    """
    courses = {s: course(found, values, s) for s in tco.SCENARIOS}
    plan = found.plan(values)
    gain = courses["pipeline"].after - courses["status-quo"].after
    sums, flows = np.cumsum(gain), [float(x) for x in gain]
    never = f"not within {found.months} months"

    def months(rate: float) -> float | str:
        back = cashflow.payback(flows, rate)
        return never if back is None else back

    rate = "no single rate"
    if sums[0] < 0 < sums[-1] and np.sum(np.sign(sums[1:]) * np.sign(sums[:-1]) < 0) == 1:
        rate = (1 + next(r for r in cashflow.irr(flows) if r > 0)) ** 12 - 1
    lowest = min(0.0, float(sums.min()))
    measures = {
        "npv": float(tco.npv(found.items, values, plan)),
        "irr": rate,
        "payback": months(0.0),
        "discounted-payback": months(cashflow.per_period(float(plan.rate), 12)),
        "peak-cash": lowest,
        "peak-month": float(np.argmin(sums)) if lowest < 0 else 0.0,
    }
    return Result(courses, gain, measures)


def text(value: float | str, key: str, currency: str) -> str:
    """A measure for people."""
    if isinstance(value, str):
        return value
    if key == "irr":
        return f"{value:.1%} a year"
    if key in ("npv", "peak-cash"):
        return f"{value:,.0f} {currency}".replace("-", "−")
    return f"{value:.1f} months" if key != "peak-month" else f"month {value:.0f}"
