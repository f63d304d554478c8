"""What a board can choose from: stay, the pipeline whole, or the pipeline without made-up data.

An option is the same model with other items, so that every number of it is computed in the same
way.  A whole that pays may hide a part that does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from synthecon.economics import compare, tco
from synthecon.economics.model import Model
from synthecon.strategy import debt, printable, risk

WHOLE, LEAN = "whole", "lean"
TITLES = {WHOLE: "the whole pipeline", LEAN: "the pipeline without made-up data"}
MISSED = ("opportunity.product-2", "opportunity.line", "opportunity.plateau")
"""Opportunity cost of staying that only made-up data avoids: it then stands in both ways."""
FUNDED = ("membership", "monitor")
"""Controls whose cost stands in the items of the pipeline.  No other is counted."""


def without(model: Model, subject: debt.Subject, missed: Collection[str] = ()) -> Model:
    """The model with a pipeline that leaves one subject as it is: the status quo's items of it, and
    the opportunities missed, stand in both ways, and the pipeline's are gone."""
    gone, same = {*subject.after, *subject.cost}, {*subject.spent, *missed}
    items = [
        replace(i, scenario=tco.SCENARIOS) if i.id in same else i
        for i in model.items
        if i.id not in gone
    ]
    return replace(model, items=items)


def options(model: Model) -> dict[str, Model]:
    """The pipelines to choose from, by name; a case without made-up data has only the whole."""
    part = debt.SUBJECTS["scarcity"]
    made_up = any(i.id in part.cost for i in model.items)
    return {WHOLE: model} | ({LEAN: without(model, part, MISSED)} if made_up else {})


def burden(
    model: Model, values: tco.Values, controls: Sequence[str] = FUNDED
) -> np.ndarray | float:
    """Present value, after tax, of the expected losses that only the pipeline brings: [...].

    A loss counts from the first month on, a twelfth a month; 0 where the ledger has no register.
    The same for every option: fewer parts bring fewer risks, but nobody has counted by how much.
    """
    if risk.missing(values.keys()):
        return 0.0
    kept = [c for c in risk.CONTROLS if c.id in controls]
    losses = risk.expected(model.rows, values, kept)
    year = sum(np.asarray(losses[one.id], float) for one in risk.RISKS if one.brought)
    plan = model.plan(values)
    months = np.ones(model.months + 1) * (np.arange(model.months + 1) > 0) / 12
    worth = tco.present(np.broadcast_to(months, (*np.shape(year), months.size)), plan.rate)
    return year * worth * (1 - np.asarray(plan.tax, float))


def risks(model: Model) -> list[str]:
    """Ledger rows that `burden` reads; none where there is no register."""
    if risk.missing(model.rows.keys() | model.derived.keys()):
        return []
    rows = [x for one in risk.RISKS if one.brought for x in (one.frequency, one.impact)]
    kept = [e.share for c in risk.CONTROLS if c.id in FUNDED for e in c.effects]
    return [*rows, risk.SCALE, *kept]


@dataclass(frozen=True)
class Result:
    """One option over scenarios: each [S], money.

    npv: cash after tax.  careful: that less the burden of new risks.  depth: deepest point of
    cumulated cash *before* tax, positive: tax that falls comes later, and buys no authority.
    """

    npv: np.ndarray
    careful: np.ndarray
    depth: np.ndarray

    @property
    def pays(self) -> float:
        """Share of the scenarios in which it pays, new risks counted."""
        return float(np.mean(self.careful > 0))


def before_tax(model: Model, values: tco.Values) -> np.ndarray:
    """Cash that the pivot brings month by month before tax: [..., months + 1]."""
    quo, pipe = (
        tco.flows([i for i in tco.of(model.items, way) if i.cash], values, model.months)
        for way in tco.SCENARIOS
    )
    return quo - pipe


def result(model: Model, drawn: tco.Values) -> Result:
    """An option over drawn scenarios."""

    def depth(values: tco.Values) -> np.ndarray:
        return np.maximum(0.0, -np.cumsum(before_tax(model, values), axis=-1).min(-1))

    npv = model.npv(drawn)
    return Result(npv, npv - weight(model, drawn), compare.over(model, drawn, depth))


def weight(model: Model, drawn: tco.Values) -> np.ndarray:
    """`burden` in every scenario: [S]."""

    def one(values: tco.Values) -> np.ndarray:
        return np.broadcast_to(burden(model, values), np.shape(values["finance.wacc"]))

    return compare.over(model, drawn, one)


def passes(found: Result, chance: float, limit: float) -> Mapping[str, bool]:
    """The board's rule, test by test.  chance: of paying, at least; limit: of the depth that
    `printable.MOST` scenarios stay within."""
    _, depth = printable.tails(found.depth)
    return {
        "probability": found.pays >= chance,
        "expected": float(found.careful.mean()) > 0,
        "cash": depth <= limit,
    }


def choose(found: Mapping[str, Result], chance: float, limit: float) -> tuple[str, bool]:
    """The option that is worth most on average, new risks counted, among those that pass every
    test; and whether any does: else it is the best of those that fail."""
    good = [k for k, r in found.items() if all(passes(r, chance, limit).values())]
    best = max(good or found, key=lambda k: float(found[k].careful.mean()))
    return best, bool(good)
