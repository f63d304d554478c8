"""Facts of money: what the pivot returns, what each way costs, what becomes of the accounts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from synthecon.economics import compare, outcome, tco, uncertain
from synthecon.economics.model import ancestors
from synthecon.strategy import choices
from synthecon.strategy import value as worth
from synthecon.strategy.printable import (
    CASH,
    MOST,
    QUARTER,
    SMALL,
    TAIL,
    WAY_NAMES,
    WAYS,
    YEAR,
    Collector,
    rests,
    share,
    tails,
)


def paid_back(sums: np.ndarray) -> np.ndarray:
    """Months until cumulated cash stays at zero or above: [S, n] -> [S]; infinite where never.

    Within the month in which it turns, cash is taken as even; as `cashflow.payback`.
    """
    below = sums < 0
    last = sums.shape[-1] - 1 - np.argmax(below[..., ::-1], axis=-1)
    ever = below.any(-1)
    late = np.minimum(last, sums.shape[-1] - 2)
    before = np.take_along_axis(sums, late[..., None], -1)[..., 0]
    after = np.take_along_axis(sums, late[..., None] + 1, -1)[..., 0]
    rise = np.where(after - before > 0, after - before, np.inf)
    found = np.where(last + 1 == sums.shape[-1], np.inf, late - before / rise)
    return np.where(ever, found, 0.0)


def returns(
    book: Collector, base: Mapping[str, float], drawn: compare.Values, result: choices.Result
) -> None:
    """What the pivot brings against the status quo, after tax, cash only."""
    model = book.model
    plan = model.plan(base)
    gain = tco.advantage(model.items, base, plan)
    gains = compare.over(model, drawn, lambda v: tco.advantage(model.items, v, model.plan(v)))
    npvs = tco.present(gains, np.asarray(drawn["finance.wacc"]))
    ends = tails(npvs)
    title = "Net present value of the pivot"
    book.money("npv.base", f"{title}, base case", float(tco.present(gain, plan.rate)), CASH, ends)
    for key, name, x in (
        ("p5", "low: fifth percentile", ends[0]),
        ("p50", "median", float(np.median(npvs))),
        ("p95", "high: 95th percentile", ends[1]),
        ("mean", "expected", float(npvs.mean())),
    ):
        book.money(f"npv.{key}", f"{title}, {name}", x)
    counted = [*CASH, *choices.risks(model)]
    book.money("npv.careful", f"{title}, expected, with the risks that it brings",
               float(result.careful.mean()), counted)  # fmt: skip
    book.money("risk.burden", "Present value of the risks that it brings, controls in the plan",
               float(np.mean(result.npv - result.careful)), counted)  # fmt: skip
    least = model.rows["board.min-probability"].base
    book.chance("probability.cash", "Chance that the pivot's cash pays, no new risk counted",
                float(np.mean(npvs > 0)), CASH, least)  # fmt: skip
    book.chance("probability.pays", "Chance that the pivot pays, with the risks that it brings",
                result.pays, counted, least)  # fmt: skip
    book.chance("probability.loses", "Chance that it loses money, with the risks that it brings",
                1 - result.pays, counted)  # fmt: skip
    knowing = uncertain.perfect_information(result.careful)
    book.money("information.worth", "Most that knowing the outcome beforehand is worth", knowing)

    now, all_ = np.cumsum(gain), np.cumsum(gains, axis=-1)
    measures = outcome.result(model, base).measures
    rate = measures["irr"]
    text = rate if isinstance(rate, str) else f"{share(rate)} a year"
    book.put("irr", "Internal rate of return", None if isinstance(rate, str) else rate, "1/year",
             text, CASH)  # fmt: skip
    back = paid_back(all_)
    book.month("payback.month", "Payback, base case", float(paid_back(now)), CASH, _finite(back))
    book.month("payback.p5", "Payback, early: fifth percentile", tails(back)[0])
    book.month("payback.p95", "Payback, late: 95th percentile", tails(back)[1])
    book.chance("payback.never", "Chance of no payback within the horizon",
                float(np.mean(np.isinf(back))))  # fmt: skip
    t = np.arange(model.months + 1) / YEAR
    factors = (1 + float(plan.rate)) ** -t
    book.month("payback.discounted", "Payback of discounted cash, base case",
               float(paid_back(np.cumsum(gain * factors))))  # fmt: skip

    depth, depths = max(0.0, -float(now.min())), np.maximum(0.0, -all_.min(-1))
    book.money("peak-cash", "Peak cash: deepest point of cumulated cash, base case", depth, CASH,
               tails(depths))  # fmt: skip
    for key, end in zip(("p5", "p95"), tails(depths), strict=True):
        name = "fifth percentile" if key == "p5" else "95th percentile"
        book.money(f"peak-cash.{key}", f"Peak cash, {name}", end)
    deepest = float(np.argmin(now)) if depth else 0.0
    book.month("peak-cash.month", "Month of the deepest point, base case", deepest)
    book.money("cash.end", "Cumulated cash at the end, base case", float(now[-1]))
    for year, amount in enumerate(compare.years(gain, day=True)):
        when = f"year {year}" if year else "day of the decision"
        book.money(f"fcf.delta.year-{year}", f"Change of free cash flow, {when}", amount)
    gross = max(0.0, -float(np.cumsum(choices.before_tax(model, base)).min()))
    need, name = tails(result.depth), "Cash tied up at the deepest point, before tax"
    book.money("need.base", f"{name}, base case", gross, CASH, need)
    book.money("need.p5", f"{name}, fifth percentile", need[0])
    book.money("need.p95", f"{name}, in {MOST} scenarios", need[1])
    book.chance("need.over", "Chance that more is tied up, before tax, than the board's limit",
                float(np.mean(result.depth > model.rows["board.cash-limit"].base)),
                [*CASH, "board.cash-limit"])  # fmt: skip


def _finite(months: np.ndarray) -> tuple[float | None, float | None]:
    low, high = (x if math.isfinite(x) else None for x in tails(months))
    return low, high


def costs(book: Collector, base: Mapping[str, float]) -> None:
    """What each way costs over the horizon, before tax and not discounted."""
    model = book.model
    missed: dict[str, tuple[float, list[tco.Item]]] = {}
    for key, way in WAYS.items():
        mine = [i for i in tco.of(model.items, way) if i.cash]
        parts = compare.split(model, base, way, "category")
        total = sum(float(x.sum()) for x in parts.values())
        name = WAY_NAMES[key]
        book.money(f"tco.{key}.total", f"Cost over the horizon, {name}", total, rests(model, mine))
        for category in ("CapEx", "OpEx", "People"):
            some = [i for i in mine if i.category == category]
            amount = float(parts[category].sum()) if category in parts else 0.0
            book.money(f"tco.{key}.{category.lower()}", f"Of it {category}, {name}", amount,
                       rests(model, some))  # fmt: skip
        apart = [i for i in tco.of(model.items, way) if not i.cash]
        lost = float(compare.not_cash(model, base, way).sum())
        title = f"Opportunity cost, {name}: no cash, in no other number"
        book.money(f"opportunity.{key}", title, lost, rests(model, apart))
        missed[key] = (lost, apart)
        some = [i for i in mine if i.line == "COGS"]
        for year, amount in enumerate(compare.cogs(model, base, way), 1):
            book.money(f"cogs-ml.{key}.year-{year}",
                       f"Machine learning in cost of goods sold, {name}, year {year}", amount,
                       rests(model, some))  # fmt: skip
    (staying, before), (pivoting, after) = missed["quo"], missed["pipe"]
    book.money("opportunity.net", "Opportunity cost of staying less that of the pivot: no cash",
               staying - pivoting, rests(model, [*before, *after]))  # fmt: skip


def accounts(book: Collector, base: Mapping[str, float], drawn: compare.Values) -> None:
    """EBITDA, gross margin and the worth of the enterprise, where the ledger has what they need."""
    model = book.model
    if not all(name in base for name in worth.NEEDED):
        return
    evidence = [*CASH, *worth.NEEDED]
    table = worth.summary(model, base)
    titles = {"revenue": "Revenue", "cogs": "Cost of goods sold", "ebitda": "EBITDA",
              "recurring": "Recurring EBITDA", "gross-margin": "Gross margin"}  # fmt: skip
    names = WAY_NAMES | {"delta": "change by the pivot"}
    for key, name in titles.items():
        for way, who in names.items():
            for year, x in enumerate(table[f"{key}.{way}"], 1):
                title = f"{name}, {who}, year {year}"
                at = f"{key}.{way}.year-{year}"
                if key != "gross-margin":
                    book.money(at, title, x, evidence)
                elif way == "delta":
                    text = f"{100 * x:.1f} points".replace("-", "−")
                    book.put(at, title, x, "share", text, evidence)
                else:
                    book.share(at, title, x, evidence, 1)
    here = worth.enterprise_value(model, base)

    def both(v: compare.Values) -> np.ndarray:
        some = worth.enterprise_value(model, v)
        return np.stack([some.explicit + some.by_multiple_now, some.by_dcf], axis=-1)

    spreads = compare.over(model, {k: v[:SMALL] for k, v in drawn.items()}, both)
    for place, (key, name, x) in enumerate(
        (
            (
                "multiple",
                "by three years' cash and a multiple of recurring EBITDA, today's money",
                here.explicit + here.by_multiple_now,
            ),
            ("dcf", "by discounted cash flow", here.by_dcf),
        )
    ):
        low, high = tails(spreads[:, place])
        title = f"What the pivot adds to enterprise value {name}"
        book.money(f"ev.{key}.low", f"{title}, low", low, evidence)
        book.money(f"ev.{key}.base", f"{title}, base case", float(x), evidence, (low, high))
        book.money(f"ev.{key}.high", f"{title}, high", high, evidence)
    name = (model.rows.get(worth.MULTIPLE) or model.derived[worth.MULTIPLE]).name
    low, high = tails(model.fill(drawn)[worth.MULTIPLE])
    for end, x in (("low", low), ("base", base[worth.MULTIPLE]), ("high", high)):
        book.put(f"ev.times.{end}", f"{name}, {end}", x, "times", f"{x:.1f} times",
                 sorted(ancestors({worth.MULTIPLE}, model.derived)))  # fmt: skip
    book.share("ev.tail-share", "Share of the discounted cash flow that lies after the horizon",
               float(here.tail_share), evidence)  # fmt: skip


EFFECTS = (
    ("save.inference", "Share of inference spend that goes away"),
    ("save.labelling", "Share of labels that people need no longer make"),
    ("save.retraining", "Share of retrainings that go away"),
    ("save.data", "Share of data licences that need not be renewed"),
    ("share.cashable", "Share of the saved hours that leave the payroll"),
    ("transfer.distil-inference", "Share of inference that the student takes over"),
)


def effects(book: Collector, base: Mapping[str, float]) -> None:
    """What was measured, and what the model makes of it."""
    model = book.model
    for key, title in EFFECTS:
        if key in base:
            book.share(f"effect.{key}", title, base[key], sorted(ancestors({key}, model.derived)))
    ratio = model.rows.get("measured.serving-ratio")
    if ratio:
        low, high = ratio.low, ratio.high
        loss = model.rows.get("measured.points-student")
        if loss:
            three = (f"{x:.1f}".replace("-", "−") for x in (loss.base, loss.low, loss.high))
            book.put("effect.student-loss", loss.name, loss.base, "points",
                     "{} points ({} to {})".format(*three), [loss.id, loss.source.split()[0]],
                     (loss.low, loss.high))  # fmt: skip
        book.put("effect.ratio", ratio.name, ratio.base, "times", f"{ratio.base:.1f} times",
                 [ratio.id, ratio.source.split()[0]], (low, high))  # fmt: skip
    if "bill.inference" in base:
        for key, way in WAYS.items():
            flow = compare.years(compare.inference(model, base, way))
            some = [i for i in tco.of(model.items, way) if compare.touches(model, i, "bill.inf")]
            title = f"Inference a year, {WAY_NAMES[key]}, year {len(flow)}"
            book.money(f"inference.{key}", title, float(flow[-1]), rests(model, some))


def curve(book: Collector, base: Mapping[str, float], drawn: compare.Values) -> None:
    """Cumulated cash, a point a quarter: base case, fifth and 95th percentile of each month."""
    model = book.model
    some = {k: v[:SMALL] for k, v in drawn.items()}
    gains = compare.over(model, some, lambda v: tco.advantage(model.items, v, model.plan(v)))
    now = np.cumsum(tco.advantage(model.items, base, model.plan(base)))
    low, high = np.quantile(np.cumsum(gains, axis=-1), (TAIL, 1 - TAIL), axis=0)
    for month in range(0, model.months + 1, QUARTER):
        for key, line, name in (
            ("low", low, "fifth percentile"), ("base", now, "base case"),
            ("high", high, "95th percentile"),
        ):  # fmt: skip
            book.money(f"cash.{key}.month-{month}", f"Cumulated cash after month {month}, {name}",
                       float(line[month]))  # fmt: skip
