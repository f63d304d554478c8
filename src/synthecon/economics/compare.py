"""Two ways side by side, over one choice of values or many scenarios; and what the result rests on.

`tco` turns items into money a month.  Here the money is added up by year, by category and by line,
turned into what a board asks for, and its doubt is traced back to the sources of the ledger.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from synthecon import Problem, stats
from synthecon.economics import ledger, tco, uncertain
from synthecon.economics.model import Model, ancestors

YEAR = 12
Values = tco.Values
Measure = Callable[[Values], np.ndarray]
"""Every id, derived ones too -> a result [S], or [S, n]."""
Chosen = Callable[[tco.Item], bool]


ASKED = (
    "bill.inference", "cost.distil.month", "finance.inflation", "growth.inference", "growth.labels",
    "growth.revenue", "hours.cashable", "hours.reallocated", "hours.saved", "price.engineer-hour",
    "price.label-hour", "revenue.month", "time.cutover", "time.fade",
)  # fmt: skip
"""What the measures below ask of a ledger, beside what its items rest on."""

STUDENT = ("bill.inference", "cost.distil.")
"""What an item rests on that is there only where a student answers."""

LABEL_WORK = ("payroll.labelling",)
REVIEW = ("cost.expert.", "cost.labels.month")
"""Pay for people who label and review: on today's payroll, and newly for the pipeline."""

COUNSEL = ("payroll.data-acquisition",)
"""Pay for licences and data compliance: neither label work nor an engineer's."""


def focus(model: Model) -> Model:
    """The model with its cash alone, and only the rows that cash and the measures below rest on.

    A row that another question adds to the ledger then changes no scenario here.

    Raises:
        Problem: the ledger lacks a row that a measure asks for.
    """
    known = model.rows.keys() | model.derived.keys()
    if missing := [name for name in ASKED if name not in known]:
        path = model.folder / "ledger.csv"
        raise Problem("\n".join(f"{path}: there is no row {name!r}" for name in missing))
    lean = replace(model, items=[item for item in model.items if item.cash])
    paid = {f"hours.{n.removeprefix('payroll.')}" for n in lean.used if n.startswith("payroll.")}
    ids = ancestors({*lean.used, *ASKED, *paid & known}, model.derived)
    return replace(
        lean,
        rows={name: row for name, row in model.rows.items() if name in ids},
        derived={name: row for name, row in model.derived.items() if name in ids},
    )


# -- Money by year --------------------------------------------------------------------------------


def years(flow: np.ndarray, *, day: bool = False) -> np.ndarray:
    """Sums of twelve months: [..., 37] -> [..., 3].  What is paid now (month 0) is in year 1.

    day: keep it apart instead, as year 0, the day of the decision: [..., 4], as in the workbook.
    """
    months = flow[..., 1:].reshape(*flow.shape[:-1], -1, YEAR).sum(-1)
    if day:
        return np.concatenate([flow[..., :1], months], -1)
    months[..., 0] += flow[..., 0]
    return months


def split(
    model: Model, values: Values, scenario: str, field: str, *, day: bool = False
) -> dict[str, np.ndarray]:
    """Cash cost of a scenario before tax, a year, by an item's `category` or `line`.

    Items that are no cash are left out: they stand in no total.  day: see `years`.
    """
    items = [item for item in tco.of(model.items, scenario) if item.cash]
    names = dict.fromkeys(getattr(item, field) for item in items)
    return {
        name: years(
            tco.flows([i for i in items if getattr(i, field) == name], values, model.months),
            day=day,
        )
        for name in names
    }


def not_cash(model: Model, values: Values, scenario: str) -> np.ndarray:
    """What the items without cash (opportunity, capacity) come to, a year: shown apart."""
    items = [item for item in tco.of(model.items, scenario) if not item.cash]
    return years(tco.flows(items, values, model.months))


@dataclass(frozen=True)
class Statement:
    """What the pivot changes in the accounts, a year: each [3], or [4] with the day of the decision
    apart; a gain is positive.

    ebitda: operating cost saved.  depreciation: charged more, as a positive number.  ebit: what is
    left of the first.  tax: paid more.  capital: spent more.  cash: ebitda − tax − capital.
    """

    ebitda: np.ndarray
    depreciation: np.ndarray
    ebit: np.ndarray
    tax: np.ndarray
    capital: np.ndarray
    cash: np.ndarray


def statement(model: Model, values: Values, *, day: bool = False) -> Statement:
    """Pipeline against status quo, before any capitalising of the build.  day: see `years`."""
    plan = model.plan(values)
    operating = saved(model, values, lambda i: i.cash and i.category != "CapEx")
    capital = -saved(model, values, lambda i: i.cash and i.category == "CapEx")
    charge = tco.depreciation(capital, int(YEAR * plan.life))
    ebitda, depreciation, spent = (years(flow, day=day) for flow in (operating, charge, capital))
    ebit = ebitda - depreciation
    tax = np.asarray(plan.tax)[..., None] * ebit
    return Statement(ebitda, depreciation, ebit, tax, spent, ebitda - tax - spent)


def saved(model: Model, values: Values, chosen: Chosen) -> np.ndarray:
    """Cost of the chosen items, status quo less pipeline, month by month, before tax."""
    # What both pay would cancel, at the price of computing it twice.
    apart = [item for item in model.items if len(item.scenario) == 1 and chosen(item)]
    quo, pipe = (tco.flows(tco.of(apart, s), values, model.months) for s in tco.SCENARIOS)
    return quo - pipe


def cost(model: Model, values: Values, scenario: str, chosen: Chosen) -> np.ndarray:
    """Cost of the chosen items of one scenario, month by month, before tax."""
    items = [item for item in tco.of(model.items, scenario) if chosen(item)]
    return tco.flows(items, values, model.months)


def touches(model: Model, item: tco.Item, prefix: str) -> bool:
    """Whether the item's amount rests on a ledger row whose id begins so ("bill.inference")."""
    found = ancestors({name for name, _ in item.factors}, model.derived)
    return any(name.startswith(prefix) for name in found)


def is_new(model: Model, item: tco.Item) -> bool:
    """Whether only the pipeline brings it, and it is no part of what the company pays today."""
    today = any(touches(model, item, prefix) for prefix in ("bill.", "payroll."))
    return item.scenario == ("pipeline",) and item.cash and not today


# -- Measures of the claims -----------------------------------------------------------------------


def cogs(model: Model, values: Values, scenario: str) -> np.ndarray:
    """Cost of goods sold a year, of the items of the model: [..., 3]."""
    return years(cost(model, values, scenario, lambda i: i.cash and i.line == "COGS"))


def revenue(model: Model, values: Values) -> np.ndarray:
    """Revenue a year: today's month, grown: [..., 3]."""
    t = np.arange(model.months + 1) / YEAR
    rate = np.asarray(values["growth.revenue"], float)[..., None]
    flow = np.asarray(values["revenue.month"], float)[..., None] * np.exp(np.log1p(rate) * t)
    flow[..., 0] = 0.0
    return years(flow)


def margin_points(
    model: Model, values: Values, year: int = 3, chosen: Chosen = lambda item: True
) -> np.ndarray:
    """Gross margin of the pipeline less that of the status quo, in percentage points of revenue.

    chosen: the items of the cost of goods sold that may differ; the others stay as they are today.
    What both ways pay, in the model or outside it, cancels."""
    flow = saved(model, values, lambda i: i.cash and i.line == "COGS" and chosen(i))
    return 100 * years(flow)[..., year - 1] / revenue(model, values)[..., year - 1]


def without_student(model: Model) -> Chosen:
    """Items that would be there if nothing but the data were replaced: none that rests on today's
    inference bill, and none that keeps a student up to date."""
    return lambda item: not any(touches(model, item, prefix) for prefix in STUDENT)


def inference(model: Model, values: Values, scenario: str) -> np.ndarray:
    """Spend on machines that answer, month by month: [..., 37]."""
    return cost(model, values, scenario, lambda i: touches(model, i, "bill.inference"))


def growth_last_year(flow: np.ndarray) -> np.ndarray:
    """Growth of a monthly flow over the last twelve months, in per cent a year."""
    return 100 * (flow[..., -1] / flow[..., -1 - YEAR] - 1)


def months_bought(model: Model, values: Values) -> np.ndarray:
    """After how many months of growth spend is back where it was before the cut: ln of the cut in
    the last month over ln of a month's growth.  Infinite where spend does not grow."""
    quo, pipe = (inference(model, values, s) for s in tco.SCENARIOS)
    month = np.log1p(np.asarray(values["growth.inference"], float)) / YEAR
    with np.errstate(divide="ignore"):
        found = np.log(quo[..., -1] / pipe[..., -1]) / month
    return np.where(month > 0, found, np.inf)


def hours(model: Model, values: Values) -> dict[str, np.ndarray]:
    """Hours by month, [..., 37], of two kinds of people.

    Label work: `saved` = `cashable` + `reallocated`, which grow with the labels needed and begin as
    the old way fades out; `review`, spent on the pipeline by those who label and review.
    Engineers and scientists: `engineers`, what the pay for their work today falls by; `spent`, what
    they build and run.

    Only pay for somebody's time is turned into hours, at the price of that somebody's hour, so that
    wages cancel.  What the law asks for (line G&A) is neither kind's time.
    """
    full = tco.Item(
        "hours", "Hours", ("pipeline",), "People", "none", False, "monthly",
        1.0, 0.0, float(model.months), 0.0, (), "growth.labels", "",
    )  # fmt: skip
    old = replace(full, end="time.cutover", fade="time.fade")

    def gone(name: str) -> np.ndarray:
        some = [replace(item, factors=((name, 1),)) for item in (full, old)]
        all_, left = (tco.flows([item], values, model.months) for item in some)
        return all_ - left

    def is_review(item: tco.Item) -> bool:
        return any(touches(model, item, prefix) for prefix in REVIEW)

    def at_price(price: str, review: bool) -> np.ndarray:
        work = [
            replace(item, growth="", factors=(*item.factors, (price, -1)))
            for item in model.items
            if item.category == "People" and item.line != "G&A" and is_new(model, item)
            if is_review(item) == review
        ]
        return tco.flows(work, values, model.months)

    found = {name: gone(f"hours.{name}") for name in ("saved", "cashable", "reallocated")}
    return found | {
        "review": at_price("price.label-hour", True),
        "engineers": _hours_of_engineers(model, values),
        "spent": at_price("price.engineer-hour", False),
    }


def _hours_of_engineers(model: Model, values: Values) -> np.ndarray:
    """Hours a month by which the payroll of engineers and scientists falls: [..., 37].

    Nothing where both ways pay the same of it, as in a ledger in which no row says otherwise."""
    total = tco.flows([], values, model.months)
    for pay in model.rows:
        if not pay.startswith("payroll.") or pay in (*LABEL_WORK, *COUNSEL):
            continue
        if not model.rows[pay].base:
            continue  # nobody is paid for it
        unit = (("hours." + pay.removeprefix("payroll."), 1), (pay, -1))
        own = [
            replace(item, growth="", factors=(*item.factors, *unit))
            for item in model.items
            if item.category == "People" and len(item.scenario) == 1 and touches(model, item, pay)
        ]
        quo, pipe = (tco.flows(tco.of(own, s), values, model.months) for s in tco.SCENARIOS)
        total = total + quo - pipe
    return total


# -- Scenarios ------------------------------------------------------------------------------------


def scenarios(model: Model, count: int, scramblings: int, seed: int) -> dict[str, np.ndarray]:
    """`count` scenarios of the ledger's own rows, from so many independent scramblings.

    One scrambling gives no error estimate: its points are no independent draws.  Several do.

    Raises:
        ValueError: fewer than two scramblings, or a count that they do not divide.
    """
    if scramblings < 2 or count % scramblings:
        raise ValueError(f"{count} scenarios cannot be dealt to {scramblings} scramblings (2 up)")
    each = [
        uncertain.draw(model.rows, count // scramblings, seed + number)
        for number in range(scramblings)
    ]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


def over(model: Model, values: Values, measure: Measure) -> np.ndarray:
    """A measure in every scenario; values: of the ledger's own rows, derived ones are computed."""
    own = {k: v for k, v in values.items() if k not in model.derived}
    found = [np.asarray(measure(model.fill(some))) for some in tco.chunks(own)]
    return found[0] if len(found) == 1 else np.concatenate(found)


def estimate(
    results: np.ndarray, scramblings: int, statistic: Callable[[np.ndarray], float]
) -> stats.Interval:
    """A statistic with the error of the simulation: Student's t over the scramblings, 95 %."""
    each = [float(statistic(part)) for part in np.split(results, scramblings)]
    return replace(stats.paired(each), method=f"t over {scramblings} scramblings")


# -- What knowing is worth, and what the result rests on ------------------------------------------


def partial_information(driver: np.ndarray, results: np.ndarray, bins: int = 64) -> float:
    """Expected value of knowing one assumption before deciding: E[max(E[result|x], 0)] −
    max(E[result], 0).

    The conditional mean is that of a bin of equally many scenarios.  Binned means are noisy, and
    noise adds value that is not there: use thousands of scenarios a bin.

    Source: Strong and Oakley 2013, Medical Decision Making 33, for the estimate from one sample.
    """
    order = np.argsort(driver, kind="stable")
    means = [part.mean() for part in np.array_split(results[order], bins)]
    weights = [len(part) for part in np.array_split(order, bins)]
    known = float(np.average(np.maximum(means, 0.0), weights=weights))
    return known - max(float(results.mean()), 0.0)


KINDS = {
    "measured": ("measured",),
    "own books": ("invoice",),
    "sourced": ("public", "quote", "expert"),
    "transferred": ("transfer",),
    "illustrative": ("illustrative",),
}
"""Kinds of evidence, the strongest first, and the ledger's source types in each."""


def kind(row: ledger.Row) -> str:
    """The kind of evidence that a row is."""
    return next(name for name, types in KINDS.items() if row.source_type in types)


def leverage(model: Model, measure: Measure) -> dict[str, float]:
    """Share of each kind of evidence in what the result leans on, together 1.

    Each input is moved by one per cent of itself, the rest at base; the absolute moves are added
    up by kind.  It says where an error would hurt, whether or not one is likely.

    Raises:
        ValueError: no input moves the result.
    """
    base, names = uncertain.base(model.rows), list(model.rows)
    values = {name: np.full(2 * len(names), x) for name, x in base.items()}
    for place, name in enumerate(names):
        values[name][2 * place : 2 * place + 2] *= 0.995, 1.005
    moves = np.abs(np.diff(over(model, values, measure).reshape(-1, 2))).ravel()
    found = dict.fromkeys(KINDS, 0.0)
    for name, move in zip(names, moves, strict=True):
        found[kind(model.rows[name])] += float(move)
    return _shares(found)


def doubt(model: Model, measure: Measure, count: int, seed: int) -> dict[str, float]:
    """Share of each kind of evidence in the variance of the result, together 1: Shapley effects.

    Kinds are frozen together in every combination; each gets what it explains on average over all
    orders in which the kinds could become known, so that interactions are shared evenly.  Rows
    that move together across kinds count as the weakest kind among them.

    Raises:
        ValueError: nothing varies.

    Source: Owen 2014, SIAM/ASA J. Uncertainty Quantification 2; the variances by pick and freeze.
    """
    players = _players(model.rows)
    one, other = _two_draws(model.rows, count, seed)
    whole = over(model, one, measure)
    names = sorted(set(players.values()), key=list(KINDS).index)
    if not names or not whole.var() > 0:
        raise ValueError("nothing varies: there is no doubt to share out")
    explained: dict[frozenset[str], float] = {
        frozenset(): 0.0,
        frozenset(names): float(whole.var()),
    }
    for size in range(1, len(names)):
        for frozen in map(frozenset, itertools.combinations(names, size)):
            mixed = {k: (one if players.get(k) in frozen else other)[k] for k in one}
            found = over(model, mixed, measure)
            middle = (whole + found).mean() / 2  # one mean for both: less noise (Janon 2014)
            explained[frozen] = float(np.mean(whole * found) - middle**2)
    return _shares(dict.fromkeys(KINDS, 0.0) | shapley(names, explained))


@dataclass(frozen=True)
class Indices:
    """Sobol's indices of one assumption or group: shares of the variance, with the error of the
    simulation."""

    first: stats.Interval
    total: stats.Interval


def sobol(
    model: Model, measure: Measure, count: int, scramblings: int, seed: int
) -> dict[str, Indices]:
    """First-order and total index of each assumption that the cash rests on, by group.

    Rows of a group are picked and frozen together, drawn with the correlation that the ledger gives
    them; groups are independent of each other, as the indices need.  count: scenarios of each
    scrambling.  The intervals are Student's over the scramblings, 95 %.

    Raises:
        ValueError: fewer than two scramblings, or nothing varies.

    Source: Saltelli et al. 2010, Computer Physics Communications 181, table 2 (b) and (f).
    """
    moving = [r for r in model.rows.values() if r.distribution != "fixed" and r.high > r.low]
    keys = {r.id: uncertain.group(r)[0] or r.id for r in moving if r.id in model.used}
    shares: dict[str, list[tuple[float, float]]] = {key: [] for key in keys.values()}
    for number in range(scramblings):
        one, other = _two_draws(model.rows, count, seed + number)
        here, there = over(model, one, measure), over(model, other, measure)
        middle, spread = (here.mean() + there.mean()) / 2, (here.var() + there.var()) / 2
        if not spread > 0:
            raise ValueError("nothing varies: there is no variance to share out")
        for key, found in shares.items():
            mixed = over(
                model, {k: (other if keys.get(k) == key else one)[k] for k in one}, measure
            )
            alone = np.mean((there - middle) * (mixed - here)) / spread
            found.append((float(alone), float(np.mean((here - mixed) ** 2) / 2 / spread)))
    method = f"t over {scramblings} scramblings of {count}"
    return {
        key: Indices(*(replace(stats.paired(part), method=method) for part in zip(*f, strict=True)))
        for key, f in shares.items()
    }


def _two_draws(
    rows: Mapping[str, ledger.Row], count: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Two independent draws, as one sequence of twice the dimensions.

    Two scramblings of one sequence would not do: their points share their leading bits.
    """
    copies = {
        f"other.{row.id}": replace(
            row, id=f"other.{row.id}", group=f"other.{row.group}" if row.group else ""
        )
        for row in rows.values()
    }
    both = uncertain.draw({**rows, **copies}, count, seed)
    return {k: both[k] for k in rows}, {k: both[f"other.{k}"] for k in rows}


def shapley(players: Sequence[str], worth: Mapping[frozenset[str], float]) -> dict[str, float]:
    """Shapley values: what a player adds, averaged over all orders of joining.

    worth: of each set of players, the empty one too.
    """
    n, found = len(players), {}
    for player in players:
        others = [p for p in players if p != player]
        found[player] = sum(
            (worth[frozenset({*some, player})] - worth[frozenset(some)])
            / (n * math.comb(n - 1, size))
            for size in range(n)
            for some in itertools.combinations(others, size)
        )
    return found


def _players(rows: Mapping[str, ledger.Row]) -> dict[str, str]:
    """The kind that each row which varies counts as."""
    moving = [row for row in rows.values() if row.distribution != "fixed" and row.high > row.low]
    order = list(KINDS)
    weakest: dict[str, str] = {}
    for row in moving:
        name = uncertain.group(row)[0] or row.id
        weakest[name] = max(weakest.get(name, order[0]), kind(row), key=order.index)
    return {row.id: weakest[uncertain.group(row)[0] or row.id] for row in moving}


def _shares(amounts: Mapping[str, float]) -> dict[str, float]:
    total = sum(amounts.values())
    if not total > 0:
        raise ValueError("the result rests on nothing that could move")
    return {name: amount / total for name, amount in amounts.items()}
