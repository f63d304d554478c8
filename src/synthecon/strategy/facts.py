"""Every number that a document for the board may print, by id, with what it rests on.

The documents hold words and ids; the numbers come from here, each printed in one way everywhere.
A number that no fact holds cannot reach a page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date

from synthecon import Problem
from synthecon.economics import uncertain
from synthecon.economics.model import Model
from synthecon.strategy import choices, facts_decision, facts_money
from synthecon.strategy.printable import NEEDED, Collector, Fact, exact, in_unit
from synthecon.economics import compare, explore, ledger, outcome, tco, uncertain
from synthecon.economics import model as models
from synthecon.economics.model import Model, ancestors
from synthecon.strategy import facts_calculators, risk
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

    They are about one option: the best that the board's rule lets pass, or the best of all.

    scenarios: best a power of two.  Same arguments, same facts.

    Raises:
        Problem: the ledger lacks the rows in which the board says what it demands.
    """
    _check(model)
    drawn = uncertain.draw(model.rows, scenarios, seed)
    every = choices.options(model)
    results = {name: choices.result(one, model.fill(drawn)) for name, one in every.items()}
    chance, limit = (model.rows[f"board.{k}"].base for k in ("min-probability", "cash-limit"))
    best, passed = choices.choose(results, chance, limit)
    book = Collector(every[best])
    base = model.base()
    facts_decision.case(book, scenarios, seed)
    facts_decision.options(book, every, results, best)
    facts_money.returns(book, base, drawn, results[best])
    facts_money.costs(book, base)
    facts_money.accounts(book, base, drawn)
    facts_decision.sensitivities(book)
    facts_decision.evidence_kinds(book, seed)
    facts_decision.risks(book, drawn)
    facts_money.effects(book, base)
    facts_money.curve(book, base, drawn)
    facts_decision.stresses(book, drawn, results[best])
    facts_decision.verdict(book, passed)
    facts_decision.gates(book, base, drawn)
    facts_decision.data_sets(book)
    facts_decision.conditions(book, base, drawn)
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
    facts_calculators.add(book, money)
    return book.found


def proposed(model: Model, found: Mapping[str, Fact]) -> Model:
    """The option that the facts are about."""
    return choices.options(model)[found["option.id"].text]


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
