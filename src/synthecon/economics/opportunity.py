"""What waiting costs: worth of a point, months gained, the right to start later, and a wall.

Opportunity cost is money that nobody pays.  It is on no line of the profit and loss statement, and
in no cash flow.  `kept_apart` proves that of a model; the rest of the module puts amounts on it.
Amounts may be numbers or arrays, one value a scenario.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import get_args

import numpy as np

from synthecon import Problem
from synthecon.economics import tco, timing

Amount = float | np.ndarray


def point_value(decisions: Amount, error_cost: Amount) -> Amount:
    """Worth of one point of accuracy, money a month: decisions a month × 1 % × cost of an error.

    error_cost: what an error costs on average over all errors, those that somebody catches too.
    """
    return decisions * error_cost / 100


def affordable_factor(value: Amount, months: float, archive: Amount) -> Amount:
    """How many times today's labels one may own for one more point, and not a label more.

    value: of a point, money a month.  archive: what today's labels would cost to buy again; k times
    the labels cost (k − 1) archives more.  Not discounted: the labels are paid now, the value comes
    later, so the true factor is lower.
    """
    return 1 + value * months / archive


def brought_forward(value: Amount, months: Amount, lost: Amount, lasting: Amount) -> Amount:
    """Cost of the delay that `months` gained avoid: `timing.cost_of_delay` for arrays.

    value: contribution a month of the product once it sells, not its revenue.  lost: share of a
    delayed month that never comes back; the rest is only late.  lasting: see `cost_of_delay`.
    """
    return value * lost * months * (1 + lasting)


def gained_today(wait: Amount, share: Amount, stands: Amount) -> Amount:
    """Months gained by a product that waits already: a share of what is left when the pipeline
    stands, `stands` months from now, and nothing if the wait is over by then."""
    return share * np.maximum(wait - stands, 0.0)


@dataclass(frozen=True)
class Job:
    """A product in the queue of one team.

    value: contribution a month once it sells.  months: of the team's work.  wait: months from the
    start of the round until its data may be used; the team can work on another product meanwhile.
    """

    name: str
    value: Amount
    months: Amount
    wait: Amount = 0.0


def delay(jobs: Sequence[Job]) -> Amount:
    """Contribution not earned until all are done, one after the other in this order.

    A job starts when the team is free and its data are there.  Without waits it is
    `timing.delay_cost_of_order`.
    """
    done: Amount = 0.0
    lost: Amount = 0.0
    for job in jobs:
        done = np.maximum(done, job.wait) + job.months
        lost = lost + job.value * done
    return lost


def ranked(jobs: Sequence[Job]) -> list[Job]:
    """By cost of delay divided by duration (CD3), largest first: best where nothing waits."""
    return sorted(jobs, key=lambda job: -timing.cd3(float(job.value), float(job.months)))


def cheapest(jobs: Sequence[Job]) -> list[Job]:
    """The best of all orders, by trying them."""
    return list(min(itertools.permutations(jobs), key=delay))


def least(jobs: Sequence[Job]) -> np.ndarray:
    """The cost of delay of the best order; for arrays, of the best one in each scenario."""
    return np.min([delay(order) for order in itertools.permutations(jobs)], axis=0)


def lag_option(
    value: Amount, outlay: Amount, ready: Amount, lapses: Amount, volatility: Amount, rate: Amount,
    leak: Amount, *, steps: int = 144,
) -> np.ndarray:  # fmt: skip
    """Value today of the right to start a line of products, usable only once its data are there.

    Binomial (Cox, Ross, Rubinstein 1979): as `options.binomial`, but before `ready` one can only
    wait.  A right that lapses before the data come is worth nothing.

    Args:
        value: present value of the line's flows, without its outlay.
        outlay: what starting costs.
        ready: years until the data are there.
        lapses: years until the right is gone.
        volatility: of the value, a year.
        rate: risk-free, continuously compounded, a year.
        leak: share of the value lost a year by not having started.

    Raises:
        ValueError: value, outlay, lapses or volatility not positive; too few steps for the rate.
    """
    given = np.broadcast_arrays(value, outlay, ready, lapses, volatility, rate, leak)
    v, k, first, last, sigma, r, q = (x.astype(float)[..., None] for x in given)
    if min(v.min(), k.min(), last.min(), sigma.min()) <= 0:
        raise ValueError("value, outlay, lapses and volatility must be positive")
    step = last / steps
    up = np.exp(sigma * np.sqrt(step))
    p = (np.exp((r - q) * step) - 1 / up) / (up - 1 / up)
    if p.min() <= 0 or p.max() >= 1:
        raise ValueError(f"{steps} steps are too few for these rates")
    discount, worth = np.exp(-r * step), np.zeros(0)
    for n in range(steps, -1, -1):
        start = np.maximum(v * up ** (2.0 * np.arange(n + 1) - n) - k, 0.0)
        start = np.where(n * step >= first - 1e-9, start, 0.0)
        wait = 0.0 if n == steps else discount * (p * worth[..., 1:] + (1 - p) * worth[..., :-1])
        worth = np.maximum(start, wait)
    return worth[..., 0]


def worth(
    items: Sequence[tco.Item], names: Sequence[str], values: tco.Values, plan: tco.Plan
) -> np.ndarray:
    """Present value of the items with these ids, before tax: [] or [S].

    Raises:
        Problem: an id that is no item.
    """
    known = {item.id: item for item in items}
    if missing := [name for name in names if name not in known]:
        raise Problem(f"items.csv: there is no item {missing[0]!r}")
    some = [known[name] for name in names]
    return tco.present(tco.flows(some, values, plan.months), plan.rate)


def sides(
    items: Sequence[tco.Item], values: tco.Values, plan: tco.Plan
) -> tuple[np.ndarray, np.ndarray]:
    """Opportunity cost that the pipeline avoids, and that it creates: each [] or [S], before tax.

    Avoided is what the status quo suffers, created what the pipeline does.  What both suffer is in
    both, and drops out of the difference.
    """
    some = [i for i in items if i.category == "Opportunity"]
    avoided, created = (
        tco.present(tco.flows(tco.of(some, s), values, plan.months), plan.rate)
        for s in ("status-quo", "pipeline")
    )
    return avoided, created


# -- Kept apart from cash -------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """One statement about the model, and whether it is true of it."""

    name: str
    holds: bool


VIEWS = ("cash", "capacity", "opportunity")


def view(item: tco.Item) -> tuple[str, ...]:
    """The views an item is counted in.  Exactly one, or the totals lie.

    capacity: no cash and no opportunity, such as freed hours of people who stay on the payroll.
    """
    found = {
        "cash": item.cash,
        "capacity": not item.cash and item.category != "Opportunity",
        "opportunity": item.category == "Opportunity",
    }
    return tuple(name for name in VIEWS if found[name])


def tenfold(items: Sequence[tco.Item]) -> list[tco.Item]:
    """The same items, each opportunity ten times as large."""
    return [
        replace(i, factors=(*i.factors, ("10", 1))) if i.category == "Opportunity" else i
        for i in items
    ]


def totals(
    items: Sequence[tco.Item], values: tco.Values, months: int
) -> tuple[Fraction, dict[str, Fraction]]:
    """Sum of all items over all months, and by view; exact, so that no rounding hides a leak."""
    each = {
        i.id: sum((Fraction(float(x)) for x in tco.flows([i], values, months)), Fraction())
        for i in items
    }
    by_view = {name: Fraction() for name in VIEWS}
    for item in items:
        for name in view(item):
            by_view[name] += each[item.id]
    return sum(each.values(), Fraction()), by_view


def kept_apart(items: Sequence[tco.Item], values: tco.Values, plan: tco.Plan) -> list[Check]:
    """Proof by change: ten times the opportunity cost, and not a bit of cash or profit moves.

    Both scenarios must have some, or the proof says nothing about one of them.  values: one number
    an assumption.  NPV, cash after tax of each scenario and each line of its profit and loss
    statement are compared bit by bit, the totals of the views exactly.
    """
    more = tenfold(items)
    found = [
        Check("each item is in exactly one view", all(len(view(i)) == 1 for i in items)),
        Check(
            "NPV of the pivot", np.array_equal(*(tco.npv(i, values, plan) for i in (items, more)))
        ),
    ]
    for scenario in tco.SCENARIOS:
        one, ten = tco.of(items, scenario), tco.of(more, scenario)
        lines = all(
            np.array_equal(*(_line(some, line, values, plan.months) for some in (one, ten)))
            for line in get_args(tco.Line)
            if line != "none"
        )
        cash = np.array_equal(*(tco.after_tax(some, values, plan) for some in (one, ten)))
        whole, parts = totals(one, values, plan.months)
        _, tens = totals(ten, values, plan.months)
        rest = [name for name in VIEWS if name != "opportunity"]
        found += [
            Check(f"{scenario}: cash after tax, every month", cash),
            Check(f"{scenario}: every line of the P&L, so EBITDA too", lines),
            Check(f"{scenario}: total = sum of the views", whole == sum(parts.values())),
            Check(f"{scenario}: no other view moved", all(parts[n] == tens[n] for n in rest)),
        ]
    # Without these two, a model that has lost its opportunity items would pass all the others, and
    # so would one that counts them on the side of the status quo alone.
    for scenario in tco.SCENARIOS:
        one, ten = (
            totals(tco.of(some, scenario), values, plan.months)[1]["opportunity"]
            for some in (items, more)
        )
        reached = one > 0 and bool(np.isclose(float(ten), 10 * float(one), rtol=1e-9))
        found.append(Check(f"{scenario}: the opportunity view itself became tenfold", reached))
    return found


def _line(items: Sequence[tco.Item], line: str, values: tco.Values, months: int) -> np.ndarray:
    return tco.flows([i for i in items if i.line == line], values, months)


def cost_of_views(
    items: Sequence[tco.Item], values: Mapping[str, float], months: int
) -> dict[str, dict[str, float]]:
    """Money over all months by scenario and view, before tax and undiscounted, and the total."""
    found = {}
    for scenario in tco.SCENARIOS:
        whole, parts = totals(tco.of(items, scenario), values, months)
        found[scenario] = {k: float(x) for k, x in parts.items()} | {"total": float(whole)}
    return found
