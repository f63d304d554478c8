"""The three-year model of a case: its books, its ledger, its cost items, joined and checked.

Everything that later stages compute (cash flow, value, workbook, memo) starts from `load`, and
names an amount by the id of its ledger row or item.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthecon import Problem
from synthecon.economics import audit as auditing
from synthecon.economics import bill, classify, formula, ledger, sources, tco, uncertain, units
from synthecon.economics import case as cases

MONTHS = 36
RECENT = 3  # months of the books that stand for today
NEEDED = {"finance.wacc": "1/year", "finance.tax": "share", "finance.capex-life": "years"}


@dataclass(frozen=True)
class Model:
    """A case that was read and checked.  rows, derived: the ledger.  items: what costs."""

    folder: Path
    audit: auditing.Audit
    rows: Mapping[str, ledger.Row]
    derived: Mapping[str, ledger.Derived]
    items: Sequence[tco.Item]
    months: int = MONTHS

    @property
    def policy(self) -> cases.Policy:
        return self.audit.case.policy

    @property
    def currency(self) -> str:
        return self.policy.currency

    @cached_property
    def used(self) -> frozenset[str]:
        """Ids that the cash model rests on, directly or through a formula."""
        first = set(NEEDED)
        for item in (item for item in self.items if item.cash):
            first |= {name for name, _ in item.factors} | {item.growth}
            first |= {w for w in item.times if isinstance(w, str)}
        return frozenset(ancestors(first, self.derived) & (self.rows.keys() | self.derived.keys()))

    def fill(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the rows (numbers, or arrays [S]) with those of the derived rows added."""
        found = dict(values)
        for name, row in self.derived.items():
            found[name] = formula.evaluate(row.formula, found)
        return found

    def base(self, **changes: float) -> dict[str, float]:
        """Every id at its base value.  changes: other values for some, dots and hyphens written
        as in the ledger: `base(**{"finance.wacc": 0.08})`.

        Raises:
            Problem: an id that the ledger has no number for.
        """
        wrong = [
            f"{self.folder / 'ledger.csv'}: "
            + (
                f"{name} is derived; change what it is made of: {self.derived[name].source}"
                if name in self.derived
                else f"there is no row {name!r}"
            )
            for name in sorted(changes.keys() - self.rows.keys())
        ]
        if wrong:
            raise Problem("\n".join(wrong))
        return self.fill({r.id: r.base for r in self.rows.values()} | changes)

    def draw(self, count: int, seed: int) -> dict[str, np.ndarray]:
        """`count` scenarios of everything: an array [count] an id.  Rows that nothing in the model
        uses take part too, so that the same seed means the same scenarios everywhere."""
        return self.fill(uncertain.draw(self.rows, count, seed))

    def plan(self, values: Mapping[str, Any]) -> tco.Plan:
        rate, tax, life = (values[name] for name in NEEDED)
        return tco.Plan(self.months, rate, tax, float(np.max(life)))

    def npv(self, values: Mapping[str, Any]) -> np.ndarray:
        """Net present value of the pivot in cash after tax: [] or [S].  values: of the rows at
        least; derived rows are computed anew from them.

        Raises:
            Problem: a value that is not finite, because a formula divides by zero somewhere.
        """
        own = {k: v for k, v in values.items() if k not in self.derived}
        found = []
        for some in tco.chunks(own):
            every = self.fill(some)
            found.append(tco.npv(self.items, every, self.plan(every)))
        npv = found[0] if len(found) == 1 else np.concatenate(found)
        if not np.all(np.isfinite(npv)):
            every = self.fill(own)
            bad = [k for k in self.used if not np.all(np.isfinite(every[k]))] or ["its items"]
            raise Problem(
                f"{self.folder / 'ledger.csv'}: not finite in some scenario: "
                f"{', '.join(sorted(bad))}; look for a division by a range that reaches zero"
            )
        return npv


def ancestors(first: set[str], derived: Mapping[str, ledger.Derived]) -> set[str]:
    """These ids and all that their formulas rest on."""
    found: set[str] = set()
    todo = list(first)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += formula.names(derived[name].formula) if name in derived else ()
    return found


def load(folder: Path, *, check_sources: bool = True, fresh: bool = False) -> Model:
    """A case folder as a model.

    check_sources: compare the rows that are measured, or taken from the company's own books, with
    the record or the audit that they name.  fresh: refuse records whose code has changed since.

    Raises:
        Problem: the case, its ledger or its items cannot be read; a source that is gone or has
            changed; a row that the model needs is not there.
    """
    path = folder / "ledger.csv"
    wrong: list[str] = []
    audit = book = None
    try:
        audit = auditing.audit(cases.read(folder))
    except Problem as problem:
        wrong += str(problem).splitlines()
    try:
        book = ledger.read_book(path)
    except ledger.LedgerError as error:
        wrong += error.errors
    if book:
        wrong += _needed(path, book) + _sane(path, book)
    if book and audit and check_sources:
        wrong += sources.check(path, book, books(audit), fresh)
    rows, refused = readable(path)
    known = {**book.rows, **book.derived} if book else rows
    items: list[tco.Item] = []
    try:  # of a ledger that is no ledger, every item would say that its rows are not there
        currency = audit.case.policy.currency if audit else cases.read_policy(folder).currency
        if known or not wrong:
            items = tco.read(folder / "items.csv", known, currency, MONTHS)
    except Problem as problem:
        wrong += innocent(str(problem).splitlines(), refused)
    if wrong or not audit or not book:
        raise Problem("\n".join(dict.fromkeys(wrong)))
    return Model(folder, audit, book.rows, book.derived, items)


def readable(
    path: Path,
) -> tuple[dict[str, ledger.Row | ledger.Derived], frozenset[str]]:
    """The rows of a ledger that are right by themselves, and the ids of those that are not: so that
    a ledger which is refused as a whole hides no fault of the files that name its rows."""
    try:
        lines, _ = ledger.table(path, ledger.COLUMNS)
    except ledger.LedgerError:
        return {}, frozenset()
    found: dict[str, ledger.Row | ledger.Derived] = {}
    refused = set()
    for _, text in lines:
        read = ledger._derived if text["source_type"] == "derived" else ledger._row
        row, _ = read(text)
        if row:
            found[row.id] = row
        else:
            refused.add(text["id"])
    return found, frozenset(refused)


def innocent(faults: Sequence[str], refused: Collection[str]) -> list[str]:
    """Faults of other files, without those that only tell of a ledger row that is refused."""
    told = re.compile(r"'([^']*)'|[,:] ([a-z0-9.-]+) (?:is in|reaches)")
    return [
        fault for fault in faults if not any((a or b) in refused for a, b in told.findall(fault))
    ]


PROBABILITIES = ("board.min-probability",)
"""Rows in `share` that are probabilities, and nothing that may exceed one."""
RATES = ("finance.", "growth.")
"""Beginnings of ids whose yearly rates are never above 100 %."""


def _sane(path: Path, book: ledger.Book) -> list[str]:
    """Shares and rates in which somebody wrote per cent: read as written, they are absurd."""
    wrong = []
    for row in book.rows.values():
        chance = row.id in PROBABILITIES and row.unit == "share"
        rate = row.id.startswith(RATES) and row.unit == "1/year"
        if not (chance or rate):
            continue
        ends = {"low": row.low, "base": row.base, "high": row.high}
        bad = {k: x for k, x in ends.items() if x > 1 or (chance and x < 0)}
        if bad:
            x = max(bad.values(), key=abs)
            what = "a probability is from 0 to 1" if chance else f"that is {100 * x:,.0f} % a year"
            hint = f": write {x / 100:.6g} for {x:.6g} %" if x > 1 else ""
            wrong.append(f"{path}, {row.id}, {', '.join(bad)}: {x:.6g}; {what}{hint}")
    return wrong


def _needed(path: Path, book: ledger.Book) -> list[str]:
    """What is wrong with the rows that turn costs into value, or are in other money than they."""
    wrong = [
        f"{path}, {row.id}, basis: real, but the model counts nominal money: give it at today's "
        "prices and let its item grow by a yearly rate"
        for row in book.rows.values()
        if row.basis == "real" and row.currency
    ]
    for name, unit in NEEDED.items():
        row = book.rows.get(name)
        if row is None:
            wrong.append(f"{path}: no row {name!r} with numbers of its own; add it, in {unit}")
        elif units.parse(row.unit) != units.parse(unit):
            wrong.append(f"{path}, {name}, unit: {row.unit!r}, but it must be {unit!r}")
        elif unit == "share" and not 0 <= row.low <= row.high < 1:
            wrong.append(f"{path}, {name}, low, high: a tax rate is from 0 to below 1")
        elif unit == "years" and not (row.distribution == "fixed" and row.base >= 1 / 12):
            wrong.append(f"{path}, {name}, distribution: must be fixed, a month or longer")
    return wrong


def reconcile(model: Model) -> list[auditing.Check]:
    """The way of the ML cost from the books through the ledger into the status quo, to the cent.

    Each amount a month and before growth.  By class, bills and payroll apart: what the books say,
    against what the items of the status quo hold of it in month 1.  A class that no item has, or
    that two have, differs.  The last check compares the sums.
    """
    audit, quo = model.audit, [i for i in tco.of(model.items, "status-quo") if i.cash]
    audited = books(audit)
    own = {name: row.base for name, row in model.rows.items()}

    def rate(values: Mapping[str, float]) -> float:
        every = model.fill(values)
        monthly = [i for i in quo if i.kind == "monthly"]
        return sum(float(tco.amount(i, every) * i.shape(1, every)[1]) for i in monthly)

    def held(key: str) -> float:
        """How far the run rate falls without the rows that hold an amount of the books: half of
        them is taken away and the fall doubled, so that no formula divides by zero."""
        named = sources.BOOKS + key
        rows = [n for n, r in model.rows.items() if r.source.split()[0] == named]
        return 2 * (rate(own) - rate(own | {n: own[n] / 2 for n in rows}))

    ml = [c for c in audit.case.policy.classes.values() if c.ml]
    checks = [
        _compared(f"{c.title}, {what}", audited[key].value, held(key))
        for c in ml
        for kind, what in (("month", "bills and invoices"), ("payroll", "payroll"))
        if (key := f"{kind}.{c.name.replace('_', '-')}") in audited and audited[key].value
    ]
    case = recent(audit.case)
    by_class = classify.totals(case.lines.table, "class")
    total = sum((by_class.get(c.name, Decimal(0)) for c in ml), Decimal(0))
    total /= len(case.policy.months)
    return [
        *checks,
        _compared("ML cost of a month", float(total), rate(own)),
    ]


def _compared(name: str, ours: float, theirs: float) -> auditing.Check:
    """Both to the cent; half a cent apart is the same, whichever way each of them rounds."""
    left, right = (round(Decimal(amount), 2) for amount in (ours, theirs))
    return auditing.Check(name, left, left if abs(ours - theirs) < 0.005 else right)


def recent(case: cases.Case) -> cases.Case:
    """The last months of a case, RECENT of them: what it spends today, where the mean of a year
    would lie half a year back on every curve that grows."""
    months = case.policy.months[-RECENT:]
    inside = pc.is_in(case.lines.table["month"], value_set=pa.array(months))
    return replace(
        case,
        policy=replace(case.policy, first_month=months[0]),
        lines=replace(case.lines, table=case.lines.table.filter(inside)),
        revenue={month: case.revenue[month] for month in months},
    )


def books(found: auditing.Audit) -> dict[str, sources.Quantity]:
    """What a ledger row may take from the company's own books, as "audit#NAME": a month's amount,
    averaged over the last months of the period (`recent`).

    month.CLASS: bills and invoices of a class; payroll.CLASS, hours.CLASS: its payroll; lever.ID:
    what a lever of levers.toml acts on; month.total, revenue.
    """
    case = recent(found.case)
    months, money = len(case.policy.months), f"{case.policy.currency}/month"
    table = case.lines.table
    # A class without a line is no typing error: it cost nothing.
    names = [name.replace("_", "-") for name in case.policy.classes]
    sums = {f"{kind}.{name}": Decimal(0) for kind in ("month", "payroll") for name in names}
    for (name, kind), amount in classify.totals(table, "class", "kind").items():
        key = ("payroll." if kind == "payroll" else "month.") + name.replace("_", "-")
        sums[key] = sums.get(key, Decimal(0)) + amount
    sums |= {f"lever.{x.id}": x.spend for x in auditing.levers(case)}
    sums |= {"month.total": case.lines.total()}
    sums |= {"revenue": sum(case.revenue.values(), Decimal(0))}
    quantities = {k: sources.Quantity(float(v / months), money) for k, v in sums.items()}
    hours = {f"hours.{name}": Decimal(0) for name in names}
    for name, amount in _hours(case):
        hours["hours." + name.replace("_", "-")] += amount
    return quantities | {
        k: sources.Quantity(float(v / months), "hours/month") for k, v in hours.items()
    }


def _hours(case: cases.Case) -> Iterator[tuple[str, Decimal]]:
    """Class and hours of each line of payroll."""
    for path in case.policy.files["payroll"]:
        own = case.lines.table.filter(pc.equal(case.lines.table["file"], path.name))
        classes = dict(zip(own["row"].to_pylist(), own["class"].to_pylist(), strict=True))
        for number, line in enumerate(bill.texts(path).to_pylist(), 1):
            if number in classes:
                yield classes[number], Decimal(line["hours"])
