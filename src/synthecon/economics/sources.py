"""Where a ledger row's number comes from, where a program can know: a run record, or the books.

Such rows are written by `update` and compared with their source whenever the model is read: a
record that changed, or a bill, is seen before it reaches a cash flow.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from synthecon import Problem, paths, records
from synthecon.economics import ledger, units

BOOKS = "audit#"


@dataclass(frozen=True)
class Quantity:
    """A number with its unit.  low, high: the ends of its interval, where it was measured."""

    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    hash: str = ""

    @property
    def three(self) -> tuple[float, float, float]:
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return tuple(float(f"{x:.12g}") for x in (low, self.value, high))  # type: ignore[return-value]


def measured(source: str, fresh: bool = False) -> Quantity:
    """The measurement that a source names: "cpu/LESSON/NOTEBOOK#NAME sha:…".

    fresh: refuse a record whose code or parameters have changed since.

    Raises:
        Problem: no such record or measurement, or a stale one.
    """
    record, m = records.find(source.split()[0])
    if fresh and (reasons := records.stale(record, data=False)):
        raise Problem(f"{record.id} is stale: {reasons[0]}; make run and make refresh renew it")
    text = json.dumps(asdict(m), sort_keys=True)
    return Quantity(m.value, m.unit, m.low, m.high, hashlib.sha256(text.encode()).hexdigest()[:12])


def of(row: ledger.Row, books: Mapping[str, Quantity], fresh: bool = False) -> Quantity | None:
    """What the row's source says now; None where only people can know.

    Raises:
        Problem: the source is gone or stale.
    """
    if row.source_type == "measured":
        return measured(row.source, fresh)
    if row.source.startswith(BOOKS):
        name = row.source.removeprefix(BOOKS).split()[0]
        if name not in books:
            raise Problem(f"the audit has no {name!r}; it has {', '.join(sorted(books))}")
        return books[name]
    return None


def check(
    path: Path, book: ledger.Book, books: Mapping[str, Quantity], fresh: bool = False
) -> list[str]:
    """Rows that no longer say what their source says, one line each."""
    found, wrong = _ask(path, book, books, fresh)
    renew = "python -m synthecon ledger --update writes the rows anew; look at what they move"
    for name, now in found.items():
        row, where = book.rows[name], f"{path}, {name}"
        if now.three != (row.low, row.base, row.high):
            ours, theirs = (
                f"{base:.12g} ({low:.12g} to {high:.12g})"
                for low, base, high in ((row.low, row.base, row.high), now.three)
            )
            wrong.append(f"{where}, base: {ours}, but its source says {theirs}: {renew}")
        elif now.hash and f"sha:{now.hash}" not in row.source.split():
            wrong.append(f"{where}, source: no hash, or another than sha:{now.hash}: {renew}")
    return wrong


def _ask(
    path: Path, book: ledger.Book, books: Mapping[str, Quantity], fresh: bool
) -> tuple[dict[str, Quantity], list[str]]:
    """What the sources of all rows say now, in the row's own unit; and what is wrong with which."""
    found: dict[str, Quantity] = {}
    wrong = []
    for row in book.rows.values():
        where = f"{path}, {row.id}"
        try:
            now = of(row, books, fresh)
        except Problem as problem:
            wrong.append(f"{where}, source: {problem}")
            continue
        if now and not _fits(now.unit, row.unit):
            wrong.append(
                f"{where}, unit: {row.unit!r}, but its source is in {now.unit!r}: correct unit and "
                "currency by hand"
            )
        elif now:
            found[row.id] = now
    return found, wrong


def _fits(theirs: str, ours: str) -> bool:
    """Whether two units are one.  A record writes a ratio as "×"."""
    try:
        return units.parse("share" if theirs in ("×", "x") else theirs) == units.parse(ours)
    except units.UnitError:
        return False


def update(path: Path, book: ledger.Book, books: Mapping[str, Quantity]) -> list[str]:
    """Write the rows that a program can know into the file anew; returns what changed.

    Raises:
        Problem: sources that are gone, stale, or in another unit, all at once; nothing is written.
    """
    found, wrong = _ask(path, book, books, fresh=True)
    if wrong:
        raise Problem("\n".join(wrong))
    lines, _ = ledger.table(path, ledger.COLUMNS)
    changed = []
    for _, cells in lines:
        if cells["id"] not in found:
            continue
        row, now = book.rows[cells["id"]], found[cells["id"]]
        new = dict(zip(("low", "base", "high"), (f"{x:.12g}" for x in now.three), strict=True))
        if now.hash:
            new["source"] = f"{row.source.split()[0]} sha:{now.hash}"
        if any(cells[k] != v for k, v in new.items()):
            changed.append(f"{row.id}: {row.base:g} is now {now.value:g}")
            cells.update(new)
    if changed:
        text = io.StringIO()
        writer = csv.DictWriter(text, ledger.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(cells for _, cells in lines)
        paths.write_atomic(path, text.getvalue())
    return changed
