"""The three-year model of a case: its books, its ledger, its cost items, joined and checked.

Everything that later stages compute (cash flow, value, workbook, memo) starts from `load`, and
names an amount by the id of its ledger row or item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from synthecon import Problem
from synthecon.economics import audit as auditing
from synthecon.economics import bill, classify, formula, ledger, sources, tco, uncertain
from synthecon.economics import case as cases

MONTHS = 36
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
        for item in self.items:
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
        if unknown := sorted(changes.keys() - self.rows.keys()):
            raise Problem(f"{self.folder / 'ledger.csv'}: no row with a number: {unknown[0]!r}")
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
        least; derived rows are computed anew from them."""
        own = {k: v for k, v in values.items() if k not in self.derived}
        found = []
        for some in tco.chunks(own):
            every = self.fill(some)
            found.append(tco.npv(self.items, every, self.plan(every)))
        return found[0] if len(found) == 1 else np.concatenate(found)


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
    audit = auditing.audit(cases.read(folder))
    path = folder / "ledger.csv"
    try:
        book = ledger.read_book(path)
    except ledger.LedgerError as error:
        raise Problem(str(error)) from None
    wrong = [
        f"{path}: there is no row {name!r} (in {unit})"
        for name, unit in NEEDED.items()
        if name not in book.rows or book.rows[name].unit != unit
    ]
    if check_sources:
        wrong += sources.check(path, book, books(audit), fresh)
    if wrong:
        raise Problem("\n".join(wrong))
    known = {**book.rows, **book.derived}
    items = tco.read(folder / "items.csv", known, audit.case.policy.currency, MONTHS)
    return Model(folder, audit, book.rows, book.derived, items)


def books(found: auditing.Audit) -> dict[str, sources.Quantity]:
    """What a ledger row may take from the company's own books, as "audit#NAME": averages over the
    months of the period.

    month.CLASS: bills and invoices of a class; payroll.CLASS, hours.CLASS: its payroll; lever.ID:
    what a lever of levers.toml acts on; month.total, revenue.
    """
    months, money = len(found.case.policy.months), f"{found.case.policy.currency}/month"
    table = found.case.lines.table
    sums: dict[str, Decimal] = {}
    for (name, kind), amount in classify.totals(table, "class", "kind").items():
        key = ("payroll." if kind == "payroll" else "month.") + name.replace("_", "-")
        sums[key] = sums.get(key, Decimal(0)) + amount
    sums |= {f"lever.{x.id}": x.spend for x in found.levers}
    sums |= {"month.total": found.case.lines.total()}
    sums |= {"revenue": sum(found.case.revenue.values(), Decimal(0))}
    quantities = {k: sources.Quantity(float(v / months), money) for k, v in sums.items()}
    hours: dict[str, Decimal] = {}
    for name, amount in _hours(found.case):
        key = "hours." + name.replace("_", "-")
        hours[key] = hours.get(key, Decimal(0)) + amount
    return quantities | {
        k: sources.Quantity(float(v / months), "hours/month") for k, v in hours.items()
    }


def _hours(case: cases.Case) -> Iterator[tuple[str, Decimal]]:
    """Class and hours of each line of payroll."""
    for path in case.policy.files["payroll"]:
        own = case.lines.table.filter(pc.equal(case.lines.table["file"], path.name))
        classes = dict(zip(own["row"].to_pylist(), own["class"].to_pylist(), strict=True))
        for number, line in enumerate(bill.texts(path).to_pylist(), 1):
            yield classes[number], Decimal(line["hours"])
