"""A workbook while it is being filled: its sheets, its names, and where each id stands."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from synthecon.economics import model, outcome
from synthecon.economics.spreadsheet import Sheet, quoted

TITLES = {"status-quo": "Status quo", "pipeline": "Synthetic pipeline"}
FLAGS = {"status-quo": "item_quo", "pipeline": "item_pipe"}

# Columns, from 0
ACTIVE, UNIT, LOW, OVERRIDE, WORSE = 2, 3, 4, 7, 8  # of Inputs
SOURCE_TYPE, SOURCE, LEAST, MOST, WRONG = 9, 11, 18, 19, 20
AMOUNT, GROWTH, QUO, PIPE = 11, 13, 14, 15  # of Items; the four times are H to K
TOTAL, FIRST = 3, 5  # of Months; the column between is empty: what stood before month 0
TIME = 3  # row of Months with the number of the month


def cell_names(ids: Sequence[str]) -> dict[str, str]:
    """A name for each id: "in_finance_wacc".  The prefix keeps "a1" from being taken for a cell;
    ids that differ only in dots and hyphens get a number."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key in ids:
        plain = "in_" + key.replace(".", "_").replace("-", "_")
        name, number = plain, 1
        while name in taken:
            number += 1
            name = f"{plain}__{number}"
        taken.add(name)
        found[key] = name
    return found


def last_day(month: str) -> date:
    """Of "2026-10"."""
    year, number = map(int, month.split("-"))
    return date(year + number // 12, number % 12 + 1, 1) - timedelta(days=1)


def pattern(numbers: Sequence[float], unit: str) -> str:
    """A number format that shows about four digits of the largest of some numbers."""
    size = max(abs(x) for x in numbers)
    if unit in ("share", "1/year") and size <= 1.5:
        return "0.0%"
    if size == 0 or all(float(x).is_integer() for x in numbers):
        return "#,##0"
    digits = int(np.clip(3 - np.floor(np.log10(size)), 0, 9))
    return "#,##0" + ("." + "0" * digits if digits else "")


def digest(path: Path) -> str:
    """The beginning of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _inside(found: model.Model) -> frozenset[str]:
    """Ids that an item rests on, cash or not, or tax and discounting."""
    first = set(model.NEEDED)
    for item in found.items:
        first |= {name for name, _ in item.factors} | {item.growth}
        first |= {when for when in item.times if isinstance(when, str)}
    return frozenset(model.ancestors(first, found.derived) & {*found.rows, *found.derived})


@dataclass
class Draft:
    """Sheets are filled in the order in which they rest on each other.

    cells: the name of each ledger id.  names: all defined names and what they stand for.  where:
    the cells of an id.  place, number: rows of Items, Months and Outputs, and the values of Months,
    by keys such as ("flow", item) and (scenario, category).  row: of Months, the next one.  worse:
    at which end of its range a row lowers the present value.  inside: what the items rest on.
    """

    found: model.Model
    case: str
    overrides: Mapping[str, float]
    values: Mapping[str, float]
    result: outcome.Result
    sheets: dict[str, Sheet] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    where: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    checks: list[tuple[str, float, float, float]] = field(default_factory=list)
    place: dict[Any, int] = field(default_factory=dict)
    number: dict[Any, Any] = field(default_factory=dict)
    row: int = 0

    def __post_init__(self) -> None:
        self.cells = cell_names([*self.found.rows, *self.found.derived])
        self.last = FIRST + self.found.months
        self.currency = self.found.currency
        self.worse = outcome.worse_ends(self.found)
        self.inside = _inside(self.found)

    def sheet(self, name: str, **about: Any) -> Sheet:
        """A new sheet; about: see `Sheet`."""
        self.sheets[name] = Sheet(name, **about)
        return self.sheets[name]

    def heading(self, sheet: Sheet, about: str) -> None:
        policy = self.found.policy
        fictional = " (a fictional company)" if policy.fictional else ""
        sheet.put(0, 0, f"{sheet.name} · {policy.name}{fictional}", "title")
        sheet.put(1, 0, about, "note")

    def shown(self, key: str, what: str, sheet: Sheet, cell: str) -> None:
        """Note that a cell holds something of an id."""
        self.where.setdefault(key, []).append((f"{quoted(sheet.name)}!{cell}", what))
