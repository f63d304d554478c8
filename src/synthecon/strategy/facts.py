"""Every number that a document for the board may print, by id, with what it rests on.

The documents hold words and ids; the numbers come from here, each printed in one way everywhere.
A number that no fact holds cannot reach a page.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy import optimize

from synthecon import Problem
from synthecon.economics import compare, explore, ledger, outcome, tco, uncertain
from synthecon.economics import model as models
from synthecon.economics.model import Model, ancestors
from synthecon.strategy import risk
from synthecon.strategy import value as worth

NEEDED = {"board.min-probability": "share", "board.cash-limit": "money", "board.review": "months"}
"""Ledger rows with which a board says what it demands: all fixed."""
GATES = ("time.student", "time.cutover", "time.fade", "time.licence-end")
"""Ledger rows that set the dates of the gates, where the case has them."""
WAYS = {"quo": "status-quo", "pipe": "pipeline"}
WAY_NAMES = {"quo": "status quo", "pipe": "pipeline"}
KINDS = {
    "measured": "measured",
    "invoice": "own books",
    "public": "sourced",
    "transfer": "transferred",
    "illustrative": "illustrative",
}
"""Kinds of evidence here, and what `compare` calls them."""
VALUE_RULES = ("probability", "expected")
PIVOT, QUO = "pivot", "status quo"
TAIL = 0.05  # share of the scenarios beyond a printed low or high
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
YEAR, QUARTER = 12, 3
SMALL = 4096  # scenarios for what is searched for, or varied many times
CASH = ("items.csv", "ledger.csv")
"""Evidence of a number that rests on the whole cash model."""


@dataclass(frozen=True)
class Fact:
    """One printable number, or word.

    value: in `unit`, the exact one; a text where the fact is a word, a name or a month "2026-11";
    None where there is no such number.  text: how it is printed, everywhere.  low, high: fifth and
    95th percentile over the scenarios, where they are known.  evidence: ids of ledger rows, items,
    measurements of records; "items.csv" and "ledger.csv" mean every one that the cash model uses.
    """

    id: str
    title: str
    value: float | str | None
    unit: str
    text: str
    low: float | None = None
    high: float | None = None
    evidence: tuple[str, ...] = ()


# -- How numbers look -----------------------------------------------------------------------------


def money(amount: float, currency: str) -> str:
    """Three digits at most where thousands count: "224 k USD", "1.25 M USD", "−8.4 k USD"."""
    size, sign = abs(amount), "−" if amount < 0 else ""
    for limit, text in (
        (999.5, f"{size:,.0f}"),
        (9_950, f"{size / 1e3:.1f} k"),
        (999_500, f"{size / 1e3:.0f} k"),
        (9_995_000, f"{size / 1e6:.2f} M"),
        (math.inf, f"{size / 1e6:,.1f} M"),
    ):
        if size < limit:
            return f"{sign if text.strip('0.') else ''}{text} {currency}"
    raise ValueError(f"an amount must be finite, got {amount}")


def share(x: float, digits: int = 0) -> str:
    """ "76 %"; a true minus."""
    text = f"{abs(100 * x):.{digits}f}"
    return f"{'−' if x < 0 and text.strip('0.') else ''}{text} %"


def month_name(month: str) -> str:
    """ "2026-11" as "November 2026"."""
    return f"{MONTHS[int(month[5:7]) - 1]} {month[:4]}"


def later(month: str, months: float) -> str:
    """The month so many months after one, "2026-11"; a part of a month counts as a whole one."""
    count = int(month[:4]) * YEAR + int(month[5:7]) - 1 + math.ceil(months - 1e-9)
    return f"{count // YEAR:04d}-{count % YEAR + 1:02d}"


def in_unit(x: float, row: ledger.Row) -> str:
    """A value of a ledger row with its unit: "23 %", "121 labels", "6.9 k USD/month"."""
    if row.currency:
        return money(x, row.unit)
    if explore.is_percent(row):
        # A ratio is a share for the units; nobody reads 269 % as "2.7 times".
        ratio = row.unit == "share" and row.high > 1.5
        per = f" {explore.unit(row)}" if explore.unit(row) else ""
        return f"{x:,.3g} times" if ratio else share(x, int(0 < abs(x) < 0.095)) + per
    return f"{f'{x:,.0f}' if abs(x) >= 100 else f'{x:.3g}'} {row.unit}".replace("-", "−", x < 0)


def together(texts: Sequence[str]) -> str:
    """ "20, 50, 80 %": what all end in is said once."""
    unit = texts[-1].rpartition(" ")[2]
    if len(texts) > 1 and all(text.endswith(f" {unit}") for text in texts):
        texts = [text.removesuffix(f" {unit}") for text in texts[:-1]] + [texts[-1]]
    return ", ".join(texts)


# -- Collecting -----------------------------------------------------------------------------------


class _Book:
    """Facts being collected; the helpers know how each kind is printed."""

    def __init__(self, model: Model) -> None:
        self.found: dict[str, Fact] = {}
        self.model, self.currency = model, model.currency

    def put(
        self, key: str, title: str, value: float | str | None, unit: str, text: str,
        evidence: Iterable[str] = CASH, spread: Sequence[float] = (None, None),
    ) -> None:  # fmt: skip
        if key in self.found:
            raise ValueError(f"the fact {key} is collected twice")
        low, high = spread
        if isinstance(value, float | np.floating | int):
            value = float(value)
        names = tuple(dict.fromkeys(evidence))
        self.found[key] = Fact(key, title, value, unit, text, low, high, names)

    def money(self, key: str, title: str, amount: float, evidence: Iterable[str] = CASH,
              spread: Sequence[float] = (None, None)) -> None:  # fmt: skip
        text = money(float(amount), self.currency)
        self.put(key, title, amount, self.currency, text, evidence, spread)

    def share(self, key: str, title: str, x: float, evidence: Iterable[str] = CASH,
              digits: int = 0) -> None:  # fmt: skip
        self.put(key, title, x, "share", share(float(x), digits), evidence)

    def chance(self, key: str, title: str, x: float, evidence: Iterable[str] = CASH) -> None:
        """A share of the scenarios: none and all of them prove no certainty."""
        text = "below 1 %" if x < 0.005 else "above 99 %" if x > 0.995 else share(x)
        self.put(key, title, x, "share", text, evidence)

    def month(self, key: str, title: str, x: float, evidence: Iterable[str] = CASH,
              spread: Sequence[float] = (None, None)) -> None:  # fmt: skip
        """A time in months from the decision; infinite: it never comes within the horizon."""
        never = not math.isfinite(x)
        horizon = f"not in {self.model.months} months"
        text = horizon if never else f"month {math.ceil(x - 1e-9):.0f}"
        self.put(key, title, None if never else x, "months", text, evidence, spread)

    def word(self, key: str, title: str, text: str, evidence: Iterable[str] = ()) -> None:
        self.put(key, title, text, "", text, evidence)

    def date(self, key: str, title: str, month: str, evidence: Iterable[str]) -> None:
        self.put(key, title, month, "month", month_name(month), evidence)


def collect(model: Model, scenarios: int = 16384, seed: int = 1) -> dict[str, Fact]:
    """Every number that any document may print, by id.

    scenarios: best a power of two.  Same arguments, same facts.

    Raises:
        Problem: the ledger lacks the rows in which the board says what it demands.
    """
    _check(model)
    book = _Book(model)
    base = model.base()
    drawn = uncertain.draw(model.rows, scenarios, seed)
    _case(book, scenarios, seed)
    _returns(book, base, drawn)
    _costs(book, base)
    _accounts(book, base, drawn)
    _sensitivities(book)
    _evidence(book, seed)
    _risks(book, drawn)
    _effects(book, base)
    _curve(book, base, drawn)
    _verdict(book)
    _gates(book, base, drawn)
    _conditions(book, base, drawn)
    return book.found


def _check(model: Model) -> None:
    wrong = []
    for name, unit in NEEDED.items():
        row = model.rows.get(name)
        unit = model.currency if unit == "money" else unit
        if row is None or row.distribution != "fixed" or row.unit != unit:
            wrong.append(
                f"{model.folder / 'ledger.csv'}: a board's documents need a row {name!r}, "
                f"fixed, in {unit}"
            )
    if wrong:
        raise Problem("\n".join(wrong))


def _case(book: _Book, scenarios: int, seed: int) -> None:
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


def _ends(results: np.ndarray) -> tuple[float, float]:
    """Fifth and 95th percentile.  Never is a value: the order counts, nothing is interpolated."""
    found = np.quantile(results, (TAIL, 1 - TAIL), method="inverted_cdf")
    return float(found[0]), float(found[1])


def _returns(book: _Book, base: Mapping[str, float], drawn: compare.Values) -> None:
    """What the pivot brings against the status quo, after tax, cash only."""
    model = book.model
    plan = model.plan(base)
    gain = tco.advantage(model.items, base, plan)
    gains = compare.over(model, drawn, lambda v: tco.advantage(model.items, v, model.plan(v)))
    npvs = tco.present(gains, np.asarray(drawn["finance.wacc"]))
    ends = _ends(npvs)
    title = "Net present value of the pivot"
    book.money("npv.base", f"{title}, base case", float(tco.present(gain, plan.rate)), CASH, ends)
    for key, name, x in (
        ("p5", "low: fifth percentile", ends[0]),
        ("p50", "median", float(np.median(npvs))),
        ("p95", "high: 95th percentile", ends[1]),
        ("mean", "expected", float(npvs.mean())),
    ):
        book.money(f"npv.{key}", f"{title}, {name}", x)
    chance = float(np.mean(npvs > 0))
    book.chance("probability.pays", "Chance that the pivot pays", chance)
    book.chance("probability.loses", "Chance that the pivot loses money", 1 - chance)
    knowing = uncertain.perfect_information(npvs)
    book.money("information.worth", "Most that knowing the outcome beforehand is worth", knowing)

    now, all_ = np.cumsum(gain), np.cumsum(gains, axis=-1)
    measures = outcome.result(model, base).measures
    rate = measures["irr"]
    text = rate if isinstance(rate, str) else f"{share(rate)} a year"
    book.put("irr", "Internal rate of return", None if isinstance(rate, str) else rate, "1/year",
             text, CASH)  # fmt: skip
    back = paid_back(all_)
    book.month("payback.month", "Payback, base case", float(paid_back(now)), CASH, _finite(back))
    book.month("payback.p5", "Payback, early: fifth percentile", _ends(back)[0])
    book.month("payback.p95", "Payback, late: 95th percentile", _ends(back)[1])
    book.chance("payback.never", "Chance of no payback within the horizon",
                float(np.mean(np.isinf(back))))  # fmt: skip
    t = np.arange(model.months + 1) / YEAR
    factors = (1 + float(plan.rate)) ** -t
    book.month("payback.discounted", "Payback of discounted cash, base case",
               float(paid_back(np.cumsum(gain * factors))))  # fmt: skip

    depth, depths = max(0.0, -float(now.min())), np.maximum(0.0, -all_.min(-1))
    book.money("peak-cash", "Peak cash: deepest point of cumulated cash, base case", depth, CASH,
               _ends(depths))  # fmt: skip
    for key, end in zip(("p5", "p95"), _ends(depths), strict=True):
        name = "fifth percentile" if key == "p5" else "95th percentile"
        book.money(f"peak-cash.{key}", f"Peak cash, {name}", end)
    deepest = float(np.argmin(now)) if depth else 0.0
    book.month("peak-cash.month", "Month of the deepest point, base case", deepest)
    book.money("cash.end", "Cumulated cash at the end, base case", float(now[-1]))
    for year, amount in enumerate(compare.years(gain), 1):
        book.money(f"fcf.delta.year-{year}", f"Change of free cash flow, year {year}", amount)


def _finite(months: np.ndarray) -> tuple[float | None, float | None]:
    low, high = (x if math.isfinite(x) else None for x in _ends(months))
    return low, high


def rests(model: Model, items: Iterable[tco.Item]) -> list[str]:
    """Ids of some items, and of every ledger row that they use."""
    some = list(items)
    if not some:
        return ["items.csv"]  # that there is none is what it says
    names: set[str] = set()
    for item in some:
        times = {when for when in item.times if isinstance(when, str)}
        names |= {name for name, _ in item.factors} | times | ({item.growth} - {""})
    known = model.rows.keys() | model.derived.keys()
    return [item.id for item in some] + sorted(ancestors(names, model.derived) & known)


def _costs(book: _Book, base: Mapping[str, float]) -> None:
    """What each way costs over the horizon, before tax and not discounted."""
    model = book.model
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
        some = [i for i in mine if i.line == "COGS"]
        for year, amount in enumerate(compare.cogs(model, base, way), 1):
            book.money(f"cogs-ml.{key}.year-{year}",
                       f"Machine learning in cost of goods sold, {name}, year {year}", amount,
                       rests(model, some))  # fmt: skip


def _accounts(book: _Book, base: Mapping[str, float], drawn: compare.Values) -> None:
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
        return np.stack([some.by_multiple_now, some.by_dcf], axis=-1)

    spreads = compare.over(model, {k: v[:SMALL] for k, v in drawn.items()}, both)
    for place, (key, name, x) in enumerate(
        (
            ("multiple", "by a multiple of recurring EBITDA, today's money", here.by_multiple_now),
            ("dcf", "by discounted cash flow", here.by_dcf),
        )
    ):
        low, high = _ends(spreads[:, place])
        title = f"What the pivot adds to enterprise value {name}"
        book.money(f"ev.{key}.low", f"{title}, low", low, evidence)
        book.money(f"ev.{key}.base", f"{title}, base case", float(x), evidence, (low, high))
        book.money(f"ev.{key}.high", f"{title}, high", high, evidence)
    name = (model.rows.get(worth.MULTIPLE) or model.derived[worth.MULTIPLE]).name
    low, high = _ends(model.fill(drawn)[worth.MULTIPLE])
    for end, x in (("low", low), ("base", base[worth.MULTIPLE]), ("high", high)):
        book.put(f"ev.times.{end}", f"{name}, {end}", x, "times", f"{x:.1f} times",
                 sorted(ancestors({worth.MULTIPLE}, model.derived)))  # fmt: skip
    book.share("ev.tail-share", "Share of the discounted cash flow that lies after the horizon",
               float(here.tail_share), evidence)  # fmt: skip


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


def _sensitivities(book: _Book) -> None:
    """The three assumptions that move the result most, one at a time."""
    model = book.model
    swings = [s for s in uncertain.tornado(model.npv, model.rows) if s.width > 0]
    for rank, swing in enumerate(swings[:3], 1):
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
        text = "no value" if even is None else in_unit(even, row)
        title = f"Value at which the NPV is zero: {row.name}"
        book.put(f"{key}.break-even", title, even, row.unit, text, known)
        where = "" if even is None else "inside" if row.low <= even <= row.high else "outside"
        book.word(f"{key}.where", f"Break-even against the range: {row.name}",
                  f"{where} its range" if where else "none makes it zero", known)  # fmt: skip


def _evidence(book: _Book, seed: int) -> None:
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


def _risks(book: _Book, drawn: compare.Values) -> None:
    """What may happen beside the plan, in money a year before tax: it is in no cash flow above."""
    model = book.model
    values = model.fill(drawn)
    if risk.missing(values.keys()):
        return
    every = risk.CONTROLS
    bare, kept = (risk.expected(model.rows, values, some) for some in ((), every))
    events = risk.draw(
        model.rows, values, np.random.default_rng(int(book.found["method.seed"].value or 0))
    )
    for one in risk.RISKS:
        rows, title = [one.frequency, one.impact, risk.SCALE], one.name
        controls = [e.share for c in every for e in c.effects if e.risk == one.id]
        row = model.rows[one.frequency]
        often = float(np.mean(values[row.id]))
        book.put(f"risk.{one.id}.often", f"{title}: expected events a year", often, row.unit,
                 f"{often:.2g} a year", [row.id])  # fmt: skip
        book.money(f"risk.{one.id}.impact", f"{title}: mean cost of one event",
                   risk.mean(model.rows[one.impact]), [one.impact])  # fmt: skip
        book.money(f"risk.{one.id}.loss", f"{title}: expected loss a year, no control",
                   float(np.mean(bare[one.id])), rows)  # fmt: skip
        book.money(f"risk.{one.id}.left", f"{title}: expected loss a year, every control",
                   float(np.mean(kept[one.id])), [*rows, *controls])  # fmt: skip
    all_rows = [x for one in risk.RISKS for x in (one.frequency, one.impact)] + [risk.SCALE]
    shares = [e.share for c in every for e in c.effects]
    for key, some, title in (
        ("total", risk.RISKS, "All risks"),
        ("brought", [r for r in risk.RISKS if r.brought], "Risks that only the pipeline brings"),
    ):
        for end, table, what, ids in (
            ("loss", bare, "no control", all_rows),
            ("left", kept, "every control", [*all_rows, *shares]),
        ):
            amount = sum(float(np.mean(table[one.id])) for one in some)
            book.money(f"risk.{key}.{end}", f"{title}: expected loss a year, {what}", amount, ids)
    for end, controls in (("bare", ()), ("kept", every)):
        total = risk.losses(events, values, controls).sum(axis=1)
        book.money(f"risk.shortfall.{end}", "Mean loss of the worst years (one in twenty), "
                   + ("no control" if end == "bare" else "every control"),
                   risk.expected_shortfall(total, 1 - TAIL), [*all_rows, *shares])  # fmt: skip
    for found in risk.worths(model.rows, values):
        key = f"control.{found.control.id}"
        ids = [found.control.cost, *(e.share for e in found.control.effects)]
        book.money(f"{key}.cost", f"{found.control.name}: cost a year",
                   float(np.mean(found.cost)), [found.control.cost])  # fmt: skip
        book.money(f"{key}.removes", f"{found.control.name}: expected loss a year that it removes",
                   float(np.mean(found.alone)), [*all_rows, *ids])  # fmt: skip


EFFECTS = (
    ("save.inference", "Share of inference spend that goes away"),
    ("save.labelling", "Share of labels that people need no longer make"),
    ("save.retraining", "Share of retrainings that go away"),
    ("save.data", "Share of data licences that need not be renewed"),
    ("share.cashable", "Share of the saved hours that leave the payroll"),
    ("transfer.distil-inference", "Share of the measured inference saving that carries over"),
)


def _effects(book: _Book, base: Mapping[str, float]) -> None:
    """What was measured, and what the model makes of it."""
    model = book.model
    for key, title in EFFECTS:
        if key in base:
            book.share(f"effect.{key}", title, base[key], sorted(ancestors({key}, model.derived)))
    ratio = model.rows.get("measured.serving-ratio")
    if ratio:
        low, high = ratio.low, ratio.high
        book.put("effect.ratio", ratio.name, ratio.base, "times", f"{ratio.base:.1f} times",
                 [ratio.id, ratio.source.split()[0]], (low, high))  # fmt: skip
    if "bill.inference" in base:
        for key, way in WAYS.items():
            flow = compare.years(compare.inference(model, base, way))
            some = [i for i in tco.of(model.items, way) if compare.touches(model, i, "bill.inf")]
            title = f"Inference a year, {WAY_NAMES[key]}, year {len(flow)}"
            book.money(f"inference.{key}", title, float(flow[-1]), rests(model, some))


def _curve(book: _Book, base: Mapping[str, float], drawn: compare.Values) -> None:
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


def _verdict(book: _Book) -> None:
    """What the board's own rule says, and why."""
    found, needed = book.found, list(NEEDED)[:2]
    chance, least = found["probability.pays"], found["board.min-probability"]
    mean, trough, limit = found["npv.mean"], found["peak-cash.p95"], found["board.cash-limit"]
    tests = (
        ("probability", chance.value >= least.value,
         f"the chance that it pays is {chance.text}, and the board demands {least.text}"),
        ("expected", mean.value > 0, f"its expected net present value is {mean.text}"),
        ("cash", trough.value <= limit.value,
         f"it ties up {trough.text} at worst, and the limit is {limit.text}"),
    )  # fmt: skip
    for name, holds, _ in tests:
        book.word(f"test.{name}", f"The board's rule: {name}", "holds" if holds else "fails",
                  [*CASH, *needed])  # fmt: skip
    pivot = all(holds for _, holds, _ in tests)
    told = [text for _, holds, text in tests if holds == pivot]
    book.word("recommendation", "Recommendation", PIVOT if pivot else QUO, [*CASH, *needed])
    book.word("reason", "Reason", "; ".join(told), [*CASH, *needed])
    # Money is asked for what may be needed, not for what is expected.
    book.money("ask.amount", "Amount asked", trough.value if pivot else 0.0, [*CASH, *needed])


def _gates(book: _Book, base: Mapping[str, float], drawn: compare.Values) -> None:
    """Dates of the gates, and what may be spent up to each: the 95th percentile of the depth."""
    model = book.model
    start = book.found["ask.date"].value
    if not all(name in base for name in GATES):
        return
    student, cutover, fade, licence = (base[name] for name in GATES)
    months = {"pilot": student, "cutover": cutover, "off": cutover + fade, "licences": licence}
    names = {
        "pilot": "the student starts to serve beside the large model",
        "cutover": "the large model may be switched off",
        "off": "the old way is off",
        "licences": "data licences may end",
    }
    some = {k: v[:SMALL] for k, v in drawn.items()}
    gains = compare.over(model, some, lambda v: tco.advantage(model.items, v, model.plan(v)))
    sums = np.cumsum(gains, axis=-1)
    used = dict(zip(months, (GATES[:1], GATES[1:2], GATES[1:3], GATES[3:]), strict=True))
    for key, month in months.items():
        until = math.ceil(month - 1e-9)
        need = _ends(np.maximum(0.0, -sums[:, : until + 1].min(-1)))[1]
        book.month(f"gate.{key}.month", f"Gate: {names[key]}", month, used[key])
        when = later(str(start), month)
        book.date(f"gate.{key}.date", f"Date of the gate: {names[key]}", when, used[key])
        book.money(f"gate.{key}.cash", f"Cash that may be tied up until then: {names[key]}", need)
    latest = sum(model.rows[k].high for k in ("time.student", "time.parallel", "time.fade")
                 if k in model.rows)  # fmt: skip
    book.month("gate.latest.month", "Month by which the old way is off, every step at its latest",
               latest, GATES[:3])  # fmt: skip
    book.date("gate.latest.date", "Date by which the old way must be off",
              later(str(start), latest), GATES[:3])  # fmt: skip


def _conditions(book: _Book, base: Mapping[str, float], drawn: compare.Values) -> None:
    """What would have to be otherwise for the recommendation to turn."""
    model = book.model
    today = ("bill.", "payroll.", "hours.")
    own = [k for k, r in model.rows.items() if r.source_type == "invoice" and k.startswith(today)]
    new = [i for i in model.items if compare.is_new(model, i)]
    least = model.rows["board.min-probability"].base
    npvs = model.npv(drawn)
    twice = model.npv(drawn | {name: 2 * drawn[name] for name in own})

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


# -- Tracing --------------------------------------------------------------------------------------


def fingerprint(fact: Fact, model: Model) -> str:
    """Twelve hex digits of what the fact says and rests on: another text or source, another one."""
    items = {item.id: item for item in model.items}
    known = {**items, **model.rows, **model.derived}
    lines = [fact.id, fact.text]
    for name in fact.evidence:
        if name == "items.csv":
            lines += [repr(item) for item in model.items]
        elif name == "ledger.csv":
            lines += [repr(known[key]) for key in sorted(model.used)]
        elif name in known:
            lines.append(repr(known[name]))
        else:
            lines.append(name)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def exact(x: float) -> str:
    """Six digits, or all before the point; a true minus."""
    return (f"{x:,.0f}" if abs(x) >= 1e5 else f"{x:,.6g}").replace("-", "−")


def explain(key: str, model: Model, found: Mapping[str, Fact] | None = None) -> list[str]:
    """A fact and what it rests on, as lines of text.

    Raises:
        Problem: no such fact.
    """
    found = found or collect(model)
    if key not in found:
        near = [name for name in found if key in name] or sorted(found)
        raise Problem(f"no fact {key!r}; facts are {', '.join(near[:12])}")
    fact = found[key]
    lines = [f"{fact.id}: {fact.title}", f"  {fact.text}"]
    if isinstance(fact.value, float):
        lines.append(f"  exactly {exact(fact.value)} {fact.unit}".rstrip())
    if fact.low is not None and fact.high is not None:
        lines.append(f"  from {exact(fact.low)} to {exact(fact.high)} over the scenarios")
    lines += [f"  hash {fingerprint(fact, model)}", "", "Rests on"]
    items = {item.id: item for item in model.items}
    for name in fact.evidence:
        if name == "items.csv":
            lines.append(f"  {name}: all {len(items)} items")
        elif name == "ledger.csv":
            lines.append(f"  {name}: the {len(model.used)} rows that the items use")
        elif name in items:
            lines.append(f"  {name}: item, {items[name].name}")
        elif name in model.rows:
            row = model.rows[name]
            lines.append(f"  {name}: {in_unit(row.base, row)}, {row.source_type}: {row.source}")
        elif name in model.derived:
            lines.append(f"  {name} = {model.derived[name].source}")
        else:
            lines.append(f"  {name}")
    return lines


def opened(found: Mapping[str, Fact]) -> date:
    """The day that the documents bear: the first of the month of the decision."""
    year, month = str(found["ask.date"].value).split("-")
    return date(int(year), int(month), 1)
