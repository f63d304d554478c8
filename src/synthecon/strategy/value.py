"""The company's accounts over three years, both ways; the bridge between them; its worth.

Works on one choice of values (floats) and on scenarios (arrays [S]) alike: every amount comes as
[..., 3], a year each, or as [...].  The formulas are those of `worth`, in NumPy.

What the model's items do not hold is taken from the audited books: revenue, and the cost lines
outside the classes of machine learning, which both ways pay.  Credits are left out, for they end.
Depreciation is that of the model's own capital: no register of older assets is in the books, and
what both ways have of it cancels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from synthecon import Problem
from synthecon.economics import classify, compare, tco
from synthecon.economics import model as models
from synthecon.economics.model import Model, ancestors

YEAR = 12
LINES = ("COGS", "R&D", "S&M", "G&A", "Other")
"""Lines of operating cost.  Other: sales tax on bills, and what no rule classified."""
CREDITS = "Credits"
OTHER_GROWTH, MULTIPLE, TAIL_GROWTH = "growth.other-cost", "value.multiple", "value.tail-growth"
NEEDED = ("revenue.month", "growth.revenue", OTHER_GROWTH, MULTIPLE, TAIL_GROWTH)
"""Ledger rows that these functions read beside those of the cash model."""

Values = tco.Values


@dataclass(frozen=True)
class Years:
    """Profit and loss, and cash, of one way: each [..., 3], amounts as a statement shows them.

    Costs are positive.  cogs, research, sales, administration, other: what recurs.  recurring:
    EBITDA of that alone.  one_off: operating cost that will not come again.  capital: spent on
    equipment, and what was capitalised.  fcf: ebitda − tax − capital.
    """

    revenue: np.ndarray
    cogs: np.ndarray
    research: np.ndarray
    sales: np.ndarray
    administration: np.ndarray
    other: np.ndarray
    one_off: np.ndarray
    depreciation: np.ndarray
    capital: np.ndarray
    rate: np.ndarray
    """Tax rate on profit, [..., 1]."""

    @property
    def gross_profit(self) -> np.ndarray:
        return self.revenue - self.cogs

    @property
    def gross_margin(self) -> np.ndarray:
        """A share of revenue."""
        return self.gross_profit / self.revenue

    @property
    def recurring(self) -> np.ndarray:
        overhead = self.research + self.sales + self.administration + self.other
        return self.gross_profit - overhead

    @property
    def ebitda(self) -> np.ndarray:
        return self.recurring - self.one_off

    @property
    def ebit(self) -> np.ndarray:
        return self.ebitda - self.depreciation

    @property
    def tax(self) -> np.ndarray:
        """Negative on a loss: it lowers the tax of a company that is profitable as a whole."""
        return self.rate * self.ebit

    @property
    def profit(self) -> np.ndarray:
        """After tax, before interest."""
        return self.ebit - self.tax

    @property
    def fcf(self) -> np.ndarray:
        return self.ebitda - self.tax - self.capital


def focus(model: Model, asked: Collection[str]) -> Model:
    """The model with its cash alone, and only the rows that the cash, the accounts and `asked` rest
    on: a row that another question adds to the ledger then changes no scenario here.

    Raises:
        Problem: the ledger lacks a row.
    """
    wanted = {*NEEDED, *asked}
    known = model.rows.keys() | model.derived.keys()
    if missing := sorted(wanted - known):
        path = model.folder / "ledger.csv"
        raise Problem("\n".join(f"{path}: there is no row {name!r}" for name in missing))
    lean = replace(model, items=[item for item in model.items if item.cash])
    ids = ancestors({*lean.used, *wanted}, model.derived)
    return replace(
        lean,
        rows={name: row for name, row in model.rows.items() if name in ids},
        derived={name: row for name, row in model.derived.items() if name in ids},
    )


def outside(model: Model) -> dict[str, float]:
    """Cost a month of the audited lines outside the ML classes, by line; credits left out.

    As the ledger's own rows are: averages over the last months of the books.
    """
    case = models.recent(model.audit.case)
    ml = {name for name, c in model.policy.classes.items() if c.ml}
    found = dict.fromkeys(LINES, 0.0)
    months, table = len(case.policy.months), case.lines.table
    for (name, line), amount in classify.totals(table, "class", "line").items():
        if name not in ml and line != CREDITS:
            found[line if line in LINES else "Other"] += float(amount) / months
    return found


def against_books(model: Model) -> dict[str, tuple[float, float]]:
    """Operating cost a year by line, of the audited books and of the status quo without growth.

    Both of the same months: the last ones, which the ledger's rows average too.

    Raises:
        Problem: a line that differs by a cent or more.
    """
    case = models.recent(model.audit.case)
    a_year = YEAR / len(case.policy.months)
    audited = dict.fromkeys(LINES, 0.0)
    for line, amount in classify.totals(case.lines.table, "line").items():
        if line != CREDITS:
            audited[line if line in LINES else "Other"] += float(amount) * a_year
    still = model.base(**{name: 0.0 for name in model.rows if name.startswith("growth.")})
    still |= {name: 0.0 for name in still if name.startswith("growth.")}
    start = years(model, still)[tco.SCENARIOS[0]]
    parts = (start.cogs, start.research, start.sales, start.administration, start.other)
    found = {line: (audited[line], float(part[0])) for line, part in zip(LINES, parts, strict=True)}
    if wrong := [
        f"{model.folder}: {line}: {books:,.2f} a year in the audited books, {ours:,.2f} in the "
        "status quo; look for an item of items.csv that is missing or counted twice"
        for line, (books, ours) in found.items()
        if abs(books - ours) >= 0.01
    ]:
        raise Problem("\n".join(wrong))
    return found


def is_one_off(model: Model, item: tco.Item) -> bool:
    """Whether an operating cost will not come again: paid once, or new and over before the end.

    What is left of today's cost while the old way fades out is no one-off: it is today's cost.
    """
    if item.category == "CapEx":
        return False
    ends = isinstance(item.end, str) or item.end < model.months
    return item.kind == "once" or (ends and compare.is_new(model, item))


def years(model: Model, values: Values, *, capitalised: Collection[str] = ()) -> dict[str, Years]:
    """The accounts of both ways, by scenario.

    values: every id, derived ones too, as `Model.base`, `fill` and `draw` give them.
    capitalised: ids of items whose cost goes to the balance sheet instead, and is amortised like
    equipment.  Empty for any valuation: it moves cost out of EBITDA, and no cash.

    Raises:
        ValueError: an id to capitalise that is no operating cost of the model.
    """
    operating = {i.id for i in model.items if i.cash and i.category != "CapEx"}
    if wrong := sorted(set(capitalised) - operating):
        raise ValueError(f"no operating cost of the model: {', '.join(wrong)}")
    sales = compare.revenue(model, values)
    common = _outside_years(model, values)
    amounts = _by_kind(model, values, frozenset(capitalised))
    plan = model.plan(values)
    rate = np.asarray(plan.tax, float)[..., None]
    found = {}
    for way in tco.SCENARIOS:
        flow = {
            key: sum((f for (s, k), f in amounts.items() if way in s and k == key), np.zeros(()))
            for key in (*LINES, "one-off", "capital")
        }
        flow = {key: np.broadcast_to(f, np.broadcast_shapes(f.shape, (model.months + 1,)))
                for key, f in flow.items()}  # fmt: skip
        charge = tco.depreciation(flow["capital"], round(YEAR * plan.life))
        lines = [compare.years(flow[line]) + common[line] for line in LINES]
        rest = (compare.years(f) for f in (flow["one-off"], charge, flow["capital"]))
        found[way] = Years(sales, *lines, *rest, rate)
    return found


def _by_kind(
    model: Model, values: Values, capitalised: frozenset[str]
) -> dict[tuple[tuple[str, ...], str], np.ndarray]:
    """Cash cost by month of the items, by the ways that pay it and by line, "one-off", "capital".

    What both ways pay is computed once.
    """
    groups: dict[tuple[tuple[str, ...], str], list[tco.Item]] = {}
    for item in model.items:
        if not item.cash:
            continue
        key = item.line if item.line in LINES else "Other"
        if item.category == "CapEx" or item.id in capitalised:
            key = "capital"
        elif is_one_off(model, item):
            key = "one-off"
        groups.setdefault((item.scenario, key), []).append(item)
    return {key: tco.flows(items, values, model.months) for key, items in groups.items()}


def _outside_years(model: Model, values: Values) -> dict[str, np.ndarray]:
    """The lines of `outside`, a year each, grown."""
    t = np.arange(1, model.months + 1) / YEAR
    growth = np.log1p(np.asarray(values[OTHER_GROWTH], float))[..., None]
    shape = np.exp(growth * t).reshape(*growth.shape[:-1], -1, YEAR).sum(-1)
    return {line: amount * shape for line, amount in outside(model).items()}


def delta(model: Model, values: Values, *, capitalised: Collection[str] = ()) -> Years:
    """Pipeline less status quo, field by field: costs that fall are negative.

    Properties hold for it as for a statement, save `gross_margin`: the sums are linear.
    """
    found = years(model, values, capitalised=capitalised)
    quo, pipe = (found[way] for way in tco.SCENARIOS)
    parts = {f.name: getattr(pipe, f.name) - getattr(quo, f.name) for f in fields(Years)}
    return Years(**(parts | {"rate": quo.rate}))


# -- The bridge -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One bar of a bridge.  amount: what it adds to EBITDA, [..., 3].

    id: a ledger row of today's cost, or "new.people", "new.bought", "one-off".  items: what is in
    it, ids.  lines: on which lines of the statement.
    """

    id: str
    name: str
    amount: np.ndarray
    items: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Bridge:
    """EBITDA of the status quo, the steps, EBITDA of the pipeline: they add up exactly.

    start, end: [..., 3], one-off cost in the end as in the accounts.
    """

    start: np.ndarray
    steps: tuple[Step, ...]
    end: np.ndarray


NEW = {"new.people": "People who run the pipeline", "new.bought": "Tools, compute, storage"}
ONE_OFF = "one-off"


def bridge(model: Model, values: Values) -> Bridge:
    """From the status quo's EBITDA to the pipeline's, by what drives the difference.

    Items of one way only, joined by the row of today's cost that they rest on; what rests on none
    is new; what will not come again stands apart.  A step is named after the status quo's item.
    """
    groups: dict[str, list[tco.Item]] = {}
    for item in model.items:
        if item.cash and item.category != "CapEx" and len(item.scenario) == 1:
            groups.setdefault(_driver(model, item), []).append(item)
    found = years(model, values)
    quo, pipe = (found[way].ebitda for way in tco.SCENARIOS)
    order = [k for k in groups if k not in (*NEW, ONE_OFF)]
    order += [k for k in (*NEW, ONE_OFF) if k in groups]
    steps = []
    for key in order:
        some = groups[key]
        before, after = (
            tco.flows(tco.of(some, way), values, model.months) for way in tco.SCENARIOS
        )
        today = [i.name for i in tco.of(some, tco.SCENARIOS[0])]
        name = NEW.get(key) or (today[0] if today else key)
        steps.append(
            Step(
                key,
                "One-off cost" if key == ONE_OFF else name,
                compare.years(before - after),
                tuple(i.id for i in some),
                tuple(dict.fromkeys(i.line for i in some)),
            )
        )
    return Bridge(quo, tuple(steps), pipe)


def _driver(model: Model, item: tco.Item) -> str:
    if is_one_off(model, item):
        return ONE_OFF
    rests = ancestors({name for name, _ in item.factors}, model.derived)
    today = sorted(k for k in rests if k.startswith(("bill.", "payroll.")) and k in model.rows)
    if today:
        return " + ".join(today)
    return "new.people" if item.category == "People" else "new.bought"


# -- Enterprise value -----------------------------------------------------------------------------


@dataclass(frozen=True)
class EnterpriseValue:
    """What the pivot adds to the value of the enterprise, two ways: each [...].

    recurring: EBITDA of the last year that the pivot adds, nothing one-off or capitalised in it.
    by_multiple: that times the multiple, at the *end* of the last year; by_multiple_now:
    discounted to today.  multiple_with_cash: that and the cash of the years before, which whoever
    sells at the end has had: this one can stand beside by_dcf, which holds that cash too.
    explicit: present value of the free cash flow of the three years (the model's NPV).  steady:
    free cash flow of a year after them.  later: what those years are worth at the end of the last
    year.  tail: the same, now; 0 when switched off.  by_dcf: explicit + tail.  tail_share: of
    |explicit| + |tail|.  The tail's cash comes at the ends of its years.  mid_year: what the tail
    would be more if it came in the middle of them, as most cash does; it is in no other number.
    own_multiple: of the added EBITDA, by its own cash: later ÷ recurring.
    """

    recurring: np.ndarray
    multiple: np.ndarray
    by_multiple: np.ndarray
    by_multiple_now: np.ndarray
    explicit: np.ndarray
    steady: np.ndarray
    later: np.ndarray
    tail: np.ndarray
    mid_year: np.ndarray

    @property
    def multiple_with_cash(self) -> np.ndarray:
        return self.explicit + self.by_multiple_now

    @property
    def own_multiple(self) -> np.ndarray:
        return multiple_for(self.recurring, self.later)

    @property
    def by_dcf(self) -> np.ndarray:
        return self.explicit + self.tail

    @property
    def tail_share(self) -> np.ndarray:
        whole = np.abs(self.explicit) + np.abs(self.tail)
        return np.divide(
            np.abs(self.tail), whole, out=np.zeros_like(whole), where=np.asarray(whole > 0)
        )


def enterprise_value(model: Model, values: Values, *, tail: bool = True) -> EnterpriseValue:
    """ΔEV by a multiple of recurring EBITDA and by discounted free cash flow.

    Nothing is capitalised and nothing that happens once is multiplied.  The tail replaces the
    equipment as often as it wears out, and grows (or fades) by `value.tail-growth` a year.

    Raises:
        ValueError: cash that grows for ever as fast as the discount rate, in some scenario.
    """
    change = delta(model, values)
    plan = model.plan(values)
    rate, growth = np.asarray(plan.rate, float), np.asarray(values[TAIL_GROWTH], float)
    if np.any(growth >= rate):
        raise ValueError(f"{TAIL_GROWTH} must be below the discount rate in every scenario")
    recurring = change.recurring[..., -1]
    multiple = np.asarray(values[MULTIPLE], float)
    discount = (1 + rate) ** (-model.months / YEAR)
    explicit = tco.present(_cash(model, values), rate)
    renewed = change.capital.sum(-1) / plan.life
    steady = (recurring - renewed) * (1 - np.asarray(plan.tax, float))
    later = steady * (1 + growth) / (rate - growth)
    tail_now = later * discount if tail else 0.0 * later
    return EnterpriseValue(
        recurring,
        multiple,
        recurring * multiple,
        recurring * multiple * discount,
        explicit,
        steady,
        later,
        tail_now,
        tail_now * (np.sqrt(1 + rate) - 1),
    )


def _cash(model: Model, values: Values) -> np.ndarray:
    """Free cash flow that the pivot adds, month by month: [..., 37]."""
    return tco.advantage(model.items, values, model.plan(values))


def growth_for(recurring: Any, steady: Any, multiple: Any, rate: Any) -> np.ndarray:
    """Growth for ever at which a year's cash after the plan is worth its EBITDA × multiple.

    Solved from steady × (1 + g) ÷ (rate − g) = recurring × multiple; below the rate where steady
    and multiple × recurring have the same sign.
    """
    target = np.asarray(recurring, float) * multiple
    return (target * np.asarray(rate, float) - steady) / (target + steady)


def multiple_for(recurring: Any, target: Any) -> np.ndarray:
    """The multiple at which a recurring EBITDA is worth `target`; not a number where it is 0."""
    recurring, target = np.asarray(recurring, float), np.asarray(target, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(recurring != 0, target / recurring, np.nan)


@dataclass(frozen=True)
class Arrival:
    """What becomes of the COGS that goes away, each [..., 3].

    saved − taken + other is the recurring EBITDA that the pivot adds.

    saved: COGS of the status quo less COGS of the pipeline.  taken: recurring cost that the
    pipeline brings on the other lines.  other: what else changes there, such as labels not bought.
    """

    saved: np.ndarray
    taken: np.ndarray
    other: np.ndarray

    @property
    def arrives(self) -> np.ndarray:
        """What is left in EBITDA of the COGS saved."""
        return self.saved - self.taken


def arrival(model: Model, values: Values) -> Arrival:
    """How much of the COGS saved is left in EBITDA, and what takes the rest."""
    change = delta(model, values)
    brought = [
        i
        for i in model.items
        if i.category != "CapEx"
        and i.line != "COGS"
        and compare.is_new(model, i)
        and not is_one_off(model, i)
    ]
    taken = compare.years(tco.flows(brought, values, model.months))
    return Arrival(-change.cogs, taken, change.recurring + change.cogs + taken)


def summary(model: Model, values: Values) -> Mapping[str, np.ndarray]:
    """The amounts that artefacts print, by name: each [..., 3], the ways and their difference."""
    found = years(model, values)
    quo, pipe = (found[way] for way in tco.SCENARIOS)
    names = ("revenue", "cogs", "gross_margin", "ebitda", "recurring", "fcf")
    table = {}
    for name in names:
        before, after = getattr(quo, name), getattr(pipe, name)
        key = name.replace("_", "-")
        table |= {f"{key}.quo": before, f"{key}.pipe": after, f"{key}.delta": after - before}
    return table
