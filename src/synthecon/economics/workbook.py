"""The model as a workbook that a CFO can audit: every number a live formula over the ledger's rows.

Inputs, calculations and results are apart (FAST standard); money that goes out is negative from
the sheet Months on.  Beside each formula stands the value that this package computed for it by its
own way, so that a difference between the two is a fault of one of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from synthecon import paths
from synthecon.economics import model, outcome, spreadsheet
from synthecon.economics.outcome import MEASURES
from synthecon.economics.spreadsheet import Sheet
from synthecon.economics.workbook_checks import check
from synthecon.economics.workbook_draft import Draft, digest, last_day
from synthecon.economics.workbook_inputs import inputs, items
from synthecon.economics.workbook_months import months
from synthecon.economics.workbook_outputs import charts, outputs, read_me
from synthecon.economics.workbook_uncertainty import uncertainty


@dataclass(frozen=True)
class Book:
    """A workbook before it is written.  where: the cells of an id, with what they hold.  result,
    values: what it shows.  checks: name, left side, right side, tolerance."""

    sheets: Sequence[Sheet]
    names: Mapping[str, str]
    created: date
    properties: Mapping[str, str]
    where: Mapping[str, Sequence[tuple[str, str]]]
    values: Mapping[str, float]
    result: outcome.Result
    checks: Sequence[tuple[str, float, float, float]]

    def failed(self) -> list[str]:
        return [name for name, a, b, room in self.checks if not abs(a - b) <= room]

    def bytes(self, planted: float | None = None) -> bytes:
        return spreadsheet.written(
            self.sheets, self.names, self.created, self.properties, planted
        )  # fmt: skip


def build(
    found: model.Model, case: str = "base", overrides: Mapping[str, float] | None = None
) -> Book:
    """The workbook of a model, its switch at `case`, with numbers in its column of overrides."""
    values = outcome.choose(found, case, overrides)
    draft = Draft(found, case, dict(overrides or {}), values, outcome.result(found, values))
    inputs(draft)
    items(draft)
    months(draft)
    outputs(draft)
    check(draft)
    charts(draft)
    uncertainty(draft)
    read_me(draft)
    order = (
        "Read me", "Inputs", "Items", "Months", "Outputs", "Charts", "Checks", "Uncertainty",
        "Not in the model",
    )  # fmt: skip
    policy = found.policy
    title = f"{policy.name}: the cost of a pivot"
    properties = {
        "title": title,
        "subject": f"Books {policy.first_month} to {policy.last_month}, {policy.currency}",
        "comments": f"ledger.csv sha256 {digest(found.folder / 'ledger.csv')}",
        "author": "synthecon",
    }
    return Book(
        [draft.sheets[name] for name in order if name in draft.sheets], draft.names,
        last_day(policy.last_month), properties, draft.where, values, draft.result, draft.checks,
    )  # fmt: skip


def location(folder: Path) -> Path:
    """Where the workbook of a case folder goes."""
    return paths.out() / "board" / folder.resolve().name / "model.xlsx"


def main(arguments: Sequence[str]) -> int:
    """`synthecon model`: write the workbook.  Exit code 1: a check failed."""
    parser = argparse.ArgumentParser(
        prog="synthecon model", description="Write a case's model as a workbook with live formulas."
    )
    parser.add_argument("folder", nargs="?", type=Path, help="case folder (case)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (model.xlsx in _build/)")
    options = parser.parse_args(arguments)
    folder = options.folder or paths.root() / "case"
    found = model.load(folder)
    book = build(found)
    out = options.out or location(folder)
    for key, name in MEASURES.items():
        print(f"{name}: {outcome.text(book.result.measures[key], key, found.currency)}")
    failed = book.failed()
    print(
        f"{len(book.checks) - len(failed)} of {len(book.checks)} checks hold", *failed, sep="\n  "
    )
    print(f"workbook: {paths.write_atomic(out, book.bytes())}")
    return 1 if failed else 0
