"""Facts of the decision: whose it is, what decides it, what may happen, what the rule says."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy import optimize

from synthecon.economics import compare, ledger, tco, uncertain
from synthecon.economics import model as models
from synthecon.economics.model import Model
from synthecon.strategy import adoption, choices, debt, risk
from synthecon.strategy import gates as gates_
from synthecon.strategy.printable import (
    CASH,
    MOST,
    NEEDED,
    PIVOT,
    QUO,
    SMALL,
    TAIL,
    YEAR,
    Collector,
    in_unit,
    later,
    rests,
    share,
    tails,
    together,
)

GATES = ("time.student", "time.cutover", "time.fade", "time.licence-end")
"""Ledger rows that set the dates of the gates, where the case has them."""
KINDS = {
    "measured": "measured",
    "invoice": "own books",
    "public": "sourced",
    "transfer": "transferred",
    "illustrative": "illustrative",
}
"""Kinds of evidence here, and what `compare` calls them."""
VALUE_RULES = ("probability", "expected")


def case(book: Collector, scenarios: int, seed: int) -> None:
    """Whose decision, over which months, by which method."""
    policy, model = book.model.policy, book.model
    book.word("company.name", "Company", policy.name, ["policy.toml"])
    kind = "a fictional company" if policy.fictional else "its own books"
    book.word("company.kind", "What kind of company", kind, ["policy.toml"])
    book.word("company.currency", "Currency", model.currency, ["policy.toml"])
    book.date("period.first", "First month of the books", policy.first_month, ["policy.toml"])
    book.date("period.last", "Last month of the books", policy.last_month, ["policy.toml"])
    book.date("ask.date", "Date of the decision", later(policy.last_month, 1), ["policy.toml"])
    review = model.rows["board.review"].base
    book.put("review.months", "Months until the board looks again", review, "months",
             f"{review:.0f} months", ["board.review"])  # fmt: skip
    book.date("review.date", "Date of the next look", later(policy.last_month, 1 + review),
              ["policy.toml", "board.review"])  # fmt: skip
    book.put("horizon.months", "Months looked at", model.months, "months",
             f"{model.months} months", ["items.csv"])  # fmt: skip
    book.put("horizon.years", "Years looked at", model.months / YEAR, "years",
             f"{model.months / YEAR:.0f} years", ["items.csv"])  # fmt: skip
    book.put("method.scenarios", "Scenarios drawn", scenarios, "scenarios", f"{scenarios:,}",
             ["ledger.csv"])  # fmt: skip
    book.put("method.seed", "Seed of the draw", seed, "", f"{seed}", ["ledger.csv"])
    book.share("method.low", "Share of scenarios below a printed low", TAIL, ["ledger.csv"])
    book.share("method.high", "Share of scenarios below a printed high", 1 - TAIL, ["ledger.csv"])
    book.word("method.most", "Scenarios within a printed low or high", MOST, ["ledger.csv"])
    for name, row in (("rate", "finance.wacc"), ("tax", "finance.tax")):
        book.share(f"method.{name}", model.rows[row].name, model.rows[row].base, [row])
    months = len(policy.months)
    books = models.books(model.audit)
    spend = float(models.reconcile(model)[-1].left)
    revenue = books["revenue"].value
    book.money("today.revenue", "Revenue of a month today", revenue, ["revenue.csv"])
    book.money("today.ml", "Machine learning cost of a month today", spend,
               [k for k in model.rows if k.startswith(("bill.", "payroll."))])  # fmt: skip
    book.share("today.ml-share", "Machine learning cost in revenue today", spend / revenue,
               ["revenue.csv"], 1)  # fmt: skip
    book.share(
        "gross-margin.today", "Gross margin of the audited period", model.audit.margin, ["audit"], 1
    )
    for name in ("min-probability", "cash-limit"):
        row = model.rows[f"board.{name}"]
        put = book.money if row.currency else book.share
        put(f"board.{name}", row.name, row.base, [row.id])
    found = [x for x in model.audit.levers if not x.synthetic and x.net.base > 0]
    total = sum(x.net.base for x in found) / months
    titles = ", ".join(x.title.lower() for x in found)
    book.money("housekeeping.month", "Housekeeping that needs no pipeline, saved a month", total,
               [e for x in found for e in x.evidence])  # fmt: skip
    book.word("housekeeping.what", "Housekeeping that needs no pipeline", titles,
              [e for x in found for e in x.evidence])  # fmt: skip
    digest = hashlib.sha256()
    for name in CASH:
        digest.update((model.folder / name).read_bytes())
    book.word("case.hash", "Hash of items.csv and ledger.csv", digest.hexdigest()[:12], CASH)


def options(
    book: Collector,
    every: Mapping[str, Model],
    results: Mapping[str, choices.Result],
    best: str,
) -> None:
    """What the board can choose from, and which of it the other facts are about."""
    book.word("option.id", "The option that these numbers are about", best, ["items.csv"])
    book.word("option.name", "The option that these numbers are about", choices.TITLES[best],
              ["items.csv"])  # fmt: skip
    least = book.model.rows["board.min-probability"].base
    counted = [*CASH, *choices.risks(book.model)]
    for name, model in every.items():
        found, title = results[name], choices.TITLES[name].capitalize()
        key = f"option.{name}"
        book.money(f"{key}.npv", f"{title}: net present value, base case",
                   float(model.npv(model.base())), CASH, tails(found.npv))  # fmt: skip
        book.money(f"{key}.careful", f"{title}: expected value, with the risks that it brings",
                   float(found.careful.mean()), counted)  # fmt: skip
        book.chance(f"{key}.pays", f"{title}: chance that it pays, with those risks", found.pays,
                    counted, least)  # fmt: skip
        book.money(f"{key}.need", f"{title}: cash tied up before tax, in {MOST} scenarios",
                   tails(found.depth)[1])  # fmt: skip
        limits = (book.model.rows[f"board.{k}"].base for k in ("min-probability", "cash-limit"))
        held = all(choices.passes(found, *limits).values())
        book.word(f"{key}.rule", f"{title}: the board's rule", "passes" if held else "fails",
                  [*counted, *list(NEEDED)[:2]])  # fmt: skip


def stresses(book: Collector, drawn: compare.Values, result: choices.Result) -> None:
    """The recommendation under what its rule does not count."""
    model = book.model

    def missed(v: compare.Values) -> np.ndarray:
        quo, pipe = (
            tco.flows([i for i in tco.of(model.items, way) if not i.cash], v, model.months)
            for way in tco.SCENARIOS
        )
        rate, tax = (np.asarray(v[f"finance.{k}"], float) for k in ("wacc", "tax"))
        return tco.present(quo - pipe, rate) * (1 - tax)

    found = result.careful + compare.over(model, drawn, missed)
    least = model.rows["board.min-probability"].base
    evidence = [*CASH, *choices.risks(model)]
    what = "opportunity cost of both ways counted, after tax"
    book.chance("stress.opportunity.pays", f"Chance that it pays, {what}",
                float(np.mean(found > 0)), evidence, least)  # fmt: skip
    book.money("stress.opportunity.mean", f"Expected value, {what}", float(found.mean()),
               evidence)  # fmt: skip
    forecast = adoption.ahead(model)
    if forecast is None:
        return
    mean, chance = adoption.adoption_stress(model, drawn, forecast)
    what = "teams taking it up as fast as an earlier practice"
    names = [*evidence, "adoption.csv", "adoption.teams"]
    book.chance("stress.adoption.pays", f"Chance that it pays, {what}", chance, names, least)
    book.money("stress.adoption.mean", f"Expected value, {what}", mean, names)


def zero_at(measure: Callable[[float], float], low: float, high: float) -> float | None:
    """Where a measure is zero: between low and high, else within three widths of that range."""
    width = high - low
    for a, b in ((low, high), (low - 3 * width, low), (high, high + 3 * width)):
        try:
            if measure(a) * measure(b) <= 0:
                return float(optimize.brentq(measure, a, b))
        except (ValueError, ZeroDivisionError, FloatingPointError):
            continue
    return None


def bounds(row: ledger.Row) -> tuple[float, float]:
    """The least and the largest value that a row may have at all."""
    if row.unit == "1/year":
        return -0.99, math.inf
    return 0.0, 1.0 if row.unit == "share" and row.low >= 0 and row.high <= 1 else math.inf


def break_even(model: Model, row: ledger.Row) -> float | None:
    """The value of one row at which the pivot is worth nothing, the rest at base; also outside its
    range, where it is still a possible value."""
    least, most = bounds(row)

    def npv(x: float) -> float:
        with np.errstate(all="ignore"):
            found = float(np.squeeze(model.npv(model.base(**{row.id: x}))))
        return found

    def clipped(x: float) -> float:
        return npv(min(max(x, least if least > 0 else least + 1e-9), most))

    found = zero_at(clipped, row.low, row.high)
    return found if found is not None and least <= found <= most else None


def sensitivities(book: Collector) -> None:
    """The three assumptions that move the result most, one at a time."""
    model = book.model
    swings = [s for s in uncertain.tornado(model.npv, model.rows) if s.width > 0][:3]
    alone = 0
    for rank, swing in enumerate(swings, 1):
        row, key = model.rows[swing.id], f"sensitivity.{rank}"
        known = (*CASH, row.id)
        book.word(f"{key}.id", f"Sensitivity {rank}: ledger row", row.id, [row.id])
        book.word(f"{key}.name", f"Sensitivity {rank}: assumption", row.name, [row.id])
        book.word(f"{key}.source", f"Sensitivity {rank}: kind of source", row.source_type, [row.id])
        for end in ("low", "base", "high"):
            x = getattr(row, end)
            book.put(f"{key}.at.{end}", f"{row.name}, {end}", x, row.unit, in_unit(x, row),
                     [row.id])  # fmt: skip
        three = [in_unit(x, row) for x in (row.low, row.base, row.high)]
        book.word(f"{key}.range", f"{row.name}: low, base, high", together(three), [row.id])
        book.money(f"{key}.low", f"NPV with it at low: {row.name}", swing.low, known)
        book.money(f"{key}.high", f"NPV with it at high: {row.name}", swing.high, known)
        even = break_even(model, row)
        alone += even is not None
        text = "no value" if even is None else in_unit(even, row)
        title = f"Value at which the NPV is zero: {row.name}"
        book.put(f"{key}.break-even", title, even, row.unit, text, known)
        inside = even is None or row.low <= even <= row.high
        book.put(f"{key}.zero", f"Value at which the NPV is zero, and whether in range: {row.name}",
                 even, row.unit, text if inside else f"{text}, out of range", known)  # fmt: skip
    book.put("alone.count", "Of the assumptions that move the NPV most, those that bring it to "
             "zero alone", alone or None, "", f"{alone or 'none'}", CASH)  # fmt: skip


def evidence_kinds(book: Collector, seed: int) -> None:
    """What the result rests on, by kind of evidence: its doubt, and its leverage."""
    model = book.model

    def npv(values: compare.Values) -> np.ndarray:
        return np.atleast_1d(model.npv(values))

    titles = {
        "share": ("Share of the NPV's uncertainty", compare.doubt(model, npv, SMALL, seed)),
        "rests": ("Share of the evidence that the NPV leans on", compare.leverage(model, npv)),
    }
    for prefix, (title, raw) in titles.items():
        # An estimated share may fall below zero by the noise of the estimate.
        total = sum(max(x, 0.0) for x in raw.values())
        found = {kind: max(x, 0.0) / total for kind, x in raw.items()}
        for key, kind in KINDS.items():
            ids = [r.id for r in model.rows.values() if compare.kind(r) == kind]
            book.share(f"{prefix}.{key}", f"{title}: {kind}", found[kind],
                       [k for k in ids if k in model.used])  # fmt: skip


def risks(book: Collector, drawn: compare.Values) -> None:
    """What may happen beside the plan, in money a year before tax: it is in no cash flow above."""
    model = book.model
    values = model.fill(drawn)
    if risk.missing(values.keys()):
        return
    paid = [c for c in risk.CONTROLS if c.id in choices.FUNDED]
    bare, kept = (risk.expected(model.rows, values, some) for some in ((), paid))
    events = risk.draw(
        model.rows, values, np.random.default_rng(int(book.found["method.seed"].value or 0))
    )
    for one in risk.RISKS:
        rows, title = [one.frequency, one.impact, risk.SCALE], one.name
        controls = [e.share for c in paid for e in c.effects if e.risk == one.id]
        row = model.rows[one.frequency]
        often = float(np.mean(values[row.id]))
        book.put(f"risk.{one.id}.often", f"{title}: expected events a year", often, row.unit,
                 f"{often:.2g} a year", [row.id])  # fmt: skip
        book.money(f"risk.{one.id}.impact", f"{title}: mean cost of one event",
                   risk.mean(model.rows[one.impact]), [one.impact])  # fmt: skip
        book.money(f"risk.{one.id}.loss", f"{title}: expected loss a year, no control",
                   float(np.mean(bare[one.id])), rows)  # fmt: skip
        book.money(f"risk.{one.id}.left", f"{title}: expected loss a year, controls in the plan",
                   float(np.mean(kept[one.id])), [*rows, *controls])  # fmt: skip
    all_rows = [x for one in risk.RISKS for x in (one.frequency, one.impact)] + [risk.SCALE]
    shares = [e.share for c in paid for e in c.effects]
    for key, some, title in (
        ("total", risk.RISKS, "All risks"),
        ("brought", [r for r in risk.RISKS if r.brought], "Risks that only the pipeline brings"),
    ):
        for end, table, what, ids in (
            ("loss", bare, "no control", all_rows),
            ("left", kept, "controls in the plan", [*all_rows, *shares]),
        ):
            amount = sum(float(np.mean(table[one.id])) for one in some)
            book.money(f"risk.{key}.{end}", f"{title}: expected loss a year, {what}", amount, ids)
    for end, controls in (("bare", ()), ("kept", paid)):
        total = risk.losses(events, values, controls).sum(axis=1)
        book.money(f"risk.shortfall.{end}", "Mean loss of the worst years (one in twenty), "
                   + ("no control" if end == "bare" else "controls in the plan"),
                   risk.expected_shortfall(total, 1 - TAIL), [*all_rows, *shares])  # fmt: skip
    for found in risk.worths(model.rows, values):
        key = f"control.{found.control.id}"
        ids = [found.control.cost, *(e.share for e in found.control.effects)]
        book.money(f"{key}.cost", f"{found.control.name}: cost a year",
                   float(np.mean(found.cost)), [found.control.cost])  # fmt: skip
        book.money(f"{key}.removes", f"{found.control.name}: expected loss a year that it removes",
                   float(np.mean(found.alone)), [*all_rows, *ids])  # fmt: skip


def verdict(book: Collector, passed: bool) -> None:
    """What the board's own rule says, and why."""
    found, needed = book.found, list(NEEDED)[:2]
    chance, least = found["probability.pays"], found["board.min-probability"]
    mean, depth, limit = found["npv.careful"], found["need.p95"], found["board.cash-limit"]
    tests = (
        ("probability", chance.value >= least.value,
         f"its chance of paying, with the risks that it brings, is {chance.text}, and the board "
         f"demands {least.text}"),
        ("expected", mean.value > 0, f"its expected net present value is then {mean.text}"),
        ("cash", depth.value <= limit.value,
         f"one scenario in {1 / TAIL:.0f} ties up more than {depth.text} before tax, and the limit "
         f"is {limit.text}"),
    )  # fmt: skip
    for name, holds, _ in tests:
        book.word(f"test.{name}", f"The board's rule: {name}", "holds" if holds else "fails",
                  [*CASH, *needed])  # fmt: skip
    pivot = all(holds for _, holds, _ in tests)
    if pivot is not passed:
        raise ValueError("the rule was read in two ways")
    told = [text for _, holds, text in tests if holds == pivot]
    book.word("recommendation", "Recommendation", PIVOT if pivot else QUO, [*CASH, *needed])
    book.word("reason", "Reason", "; ".join(told), [*CASH, *needed])
    # Money is asked for what may be needed, not for what is expected.
    book.money("ask.amount", "Amount asked", depth.value if pivot else 0.0, [*CASH, *needed])


def gates(book: Collector, base: Mapping[str, float], drawn: compare.Values) -> None:
    """Dates of the gates, and what may be spent up to each: the 95th percentile of the depth."""
    model = book.model
    start = book.found["ask.date"].value
    if not all(name in base for name in GATES):
        return
    names = {
        "pilot": "the student starts to serve beside the large model",
        "cutover": "the large model may be switched off",
        "off": "the old way is off",
        "licences": "data licences may end",
    }
    used = dict(zip(names, (GATES[:1], GATES[1:2], GATES[1:3], GATES[3:]), strict=True))
    if not any(i.id in debt.SUBJECTS["scarcity"].cost for i in model.items):
        names.pop("licences")  # they stay

    def months(v: compare.Values) -> dict[str, np.ndarray]:
        student, cutover, fade, licence = (np.asarray(v[name], float) for name in GATES)
        found = {"pilot": student, "cutover": cutover, "off": cutover + fade, "licences": licence}
        return {key: found[key] for key in names}

    def depths(v: compare.Values) -> np.ndarray:
        """[S, gates]: the deepest point up to a gate, on the date that it has in the scenario."""
        sums = np.cumsum(choices.before_tax(model, v), axis=-1)
        deep = np.maximum(0.0, -np.minimum.accumulate(sums, axis=-1))
        last = deep.shape[-1] - 1
        at = [np.minimum(np.ceil(x - 1e-9), last).astype(int) for x in months(v).values()]
        return np.stack([np.take_along_axis(deep, t[:, None], -1)[:, 0] for t in at], -1)

    need = compare.over(model, {k: v[:SMALL] for k, v in drawn.items()}, depths)
    for place, (key, month) in enumerate(months(base).items()):
        when = later(str(start), float(month))
        book.month(f"gate.{key}.month", f"Gate: {names[key]}", float(month), used[key])
        book.date(f"gate.{key}.date", f"Date of the gate: {names[key]}", when, used[key])
        title = f"Cash tied up until then, before tax, in {MOST} scenarios: {names[key]}"
        book.money(f"gate.{key}.cash", title, tails(need[:, place])[1])
    latest = tails(months(model.fill(drawn))["off"])[1]
    title = f"by which the old way is off in {MOST} scenarios"
    book.month("gate.latest.month", f"Month {title}", latest, GATES[:3])
    book.date("gate.latest.date", f"Date {title}", later(str(start), latest), GATES[:3])
    _forward(book, base, math.ceil(float(months(base)["pilot"]) - 1e-9))


def _forward(book: Collector, base: Mapping[str, float], gate: int) -> None:
    """What must show at the pilot's gate for going on to pay: what is spent by then is gone."""
    model = book.model
    new = tco.flows([i for i in model.items if compare.is_new(model, i)], base, model.months)
    saved = choices.before_tax(model, base) + new
    ahead = np.arange(model.months + 1) > gate
    cost, gain = (float(tco.present(x * ahead, base["finance.wacc"])) for x in (new, saved))
    part = cost / gain if gain > 0 else math.inf
    possible = part < 1
    book.put("gate.pilot.least", "Share of the planned saving from which going on pays, at the "
             "pilot's gate", part if possible else None, "share",
             share(part) if possible else "no share", CASH)  # fmt: skip
    points = _threshold(book.model, "worst-class")
    if points is not None:
        book.put("gate.pilot.loss", "Points of accuracy that a group may lose", points, "points",
                 f"{points:.3g} points", ["gates.csv"])  # fmt: skip


def data_sets(book: Collector) -> None:
    """How many registered data sets the company's gates would release, by today's records."""
    paths = [book.model.folder / name for name in ("gates.csv", "datasets.csv")]
    if not all(path.is_file() for path in paths):
        return
    every = gates_.read_gates(paths[0])
    sets = gates_.read_datasets(paths[1], every).values()
    passed = [gates_.furthest(gates_.examine(x, every, fresh=False)) == "released" for x in sets]
    names = ["gates.csv", "datasets.csv"]
    book.put("gates.sets", "Data sets in the register", len(passed), "data sets",
             f"{len(passed)}", names)  # fmt: skip
    book.put("gates.released", "Of them those that every gate would release", sum(passed),
             "data sets", f"{sum(passed) or 'none'}", names)  # fmt: skip


def _threshold(model: Model, measure: str) -> float | None:
    """The size of a limit of gates.csv, where the company has one."""
    path = model.folder / "gates.csv"
    every = gates_.read_gates(path) if path.is_file() else []
    return next((abs(g.threshold) for g in every if g.measure == measure), None)


def conditions(book: Collector, base: Mapping[str, float], drawn: compare.Values) -> None:
    """What would have to be otherwise for the recommendation to turn."""
    model = book.model
    today = ("bill.", "payroll.", "hours.")
    own = [k for k, r in model.rows.items() if r.source_type == "invoice" and k.startswith(today)]
    new = [i for i in model.items if compare.is_new(model, i)]
    least = model.rows["board.min-probability"].base
    npvs = model.npv(drawn) - choices.weight(model, drawn)
    twice = model.npv(drawn | {name: 2 * drawn[name] for name in own})
    twice = twice - choices.weight(model, drawn)

    def rule(results: np.ndarray) -> float:
        """Above zero where the board's rule on value holds."""
        return min(float(np.quantile(results, 1 - least)), float(results.mean()))

    def scaled(k: float) -> float:
        """The rule at k times today's spend: every item has one amount of today's as a factor, or
        none, so that the result is a straight line in k."""
        return rule(npvs + (k - 1) * (twice - npvs))

    ends = scaled(0) * scaled(1e3)
    scale = float(optimize.brentq(scaled, 0, 1e3, xtol=1e-4)) if ends < 0 else math.inf
    text = f"{scale:.{2 if scale < 2 else 1}f} times" if math.isfinite(scale) else "no multiple"
    value = scale if math.isfinite(scale) else None
    evidence = [*CASH, "board.min-probability"]
    book.put("condition.scale", "Today's machine learning cost, times this: the value rule turns",
             value, "times", text, evidence)  # fmt: skip
    if value is not None:
        spend = book.found["today.ml"].value * value
        book.money("condition.spend", "Machine learning cost a month at which it turns", spend,
                   evidence)  # fmt: skip
    plan = model.plan(base)
    cost = float(tco.present(tco.after_tax(new, base, plan), plan.rate))
    book.money("cost.new", "Present value, after tax, of what only the pipeline costs", cost,
               rests(model, new))  # fmt: skip

    def spent(v: compare.Values) -> np.ndarray:
        return np.atleast_1d(tco.present(tco.after_tax(new, v, model.plan(v)), v["finance.wacc"]))

    costs = compare.over(model, drawn, spent)

    def left(k: float) -> float:
        """The rule at k times the plan for these costs."""
        return rule(npvs + (1 - k) * costs)

    part = float(optimize.brentq(left, 0, 100, xtol=1e-4)) if left(0) * left(100) < 0 else None
    digits = int(part is not None and abs(part - 1) < 0.05)
    text = share(part, digits) if part is not None else "no share"
    book.put("condition.cost", "What only the pipeline costs, as a share of plan: value rule turns",
             part, "share", text, evidence)  # fmt: skip
    fails = "fails" if "fails" in (book.found[f"test.{k}"].text for k in VALUE_RULES) else "holds"
    book.word("condition.value", "The board's rule on value", fails, evidence)
