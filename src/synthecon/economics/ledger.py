"""The ledger of assumptions: one CSV file, one row an assumption, every number with its source.

A wrong ledger is refused whole, and with all its errors at once.  Standard library only.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Literal, get_args

SourceType = Literal["measured", "invoice", "quote", "public", "expert", "illustrative"]


@dataclass(frozen=True)
class Row:
    """One assumption.

    id: lower-case letters, digits, dots and hyphens; unique.  low, base, high: finite, in this
    order, in `unit`.  currency: ISO code, empty where the unit has no money in it; money is not
    negative.  source_type: see `SourceType`; *illustrative* means that nobody has checked it.
    source: for *public* a URL of what was opened.  as_of: the day on which the source was opened
    or the assumption made.  owner: who answers for it.
    """

    id: str
    name: str
    low: float
    base: float
    high: float
    unit: str
    currency: str
    source_type: SourceType
    source: str
    as_of: date
    owner: str
    note: str


COLUMNS = tuple(field.name for field in fields(Row))
MAY_BE_EMPTY = ("currency", "note")


class LedgerError(ValueError):
    """Everything that is wrong with a ledger; `errors` has one line for each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


def read(path: Path | str) -> dict[str, Row]:
    """The rows of a ledger by id, in the order of the file (UTF-8, comma-separated).

    Raises:
        LedgerError: no such file, not UTF-8, a column missing, unknown or twice, a row too long or
            too short, an empty field, an id twice, or a value that breaks a rule of `Row`.  Each
            error names file, line and field.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except FileNotFoundError:
        raise LedgerError([f"{path}: there is no such file"]) from None
    except UnicodeDecodeError:
        raise LedgerError([f"{path}: not UTF-8 text; save it as CSV UTF-8"]) from None
    except csv.Error as error:
        raise LedgerError([f"{path}, line {reader.line_num}: {error}"]) from None
    header = [name.strip() for name in lines[0][1]] if lines else []
    if errors := _header_errors(path, header):
        raise LedgerError(errors)
    rows: dict[str, Row] = {}
    first: dict[str, int] = {}
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            errors.append(
                f"{path}, line {line}: {len(cells)} fields, but the header has {len(header)}; "
                "put text that contains a comma in double quotes"
            )
            continue
        text = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        row, wrong = _row(text)
        if text["id"] and first.setdefault(text["id"], line) != line:
            wrong.append(f"id: {text['id']!r} is already on line {first[text['id']]}")
        errors += [f"{path}, line {line}, {what}" for what in wrong]
        if row:
            rows[row.id] = row
    if errors:
        raise LedgerError(errors)
    return rows


def _header_errors(path: Path, header: list[str]) -> list[str]:
    if len(header) == 1 and ";" in header[0]:
        return [f"{path}, line 1: separated by semicolons; save it with commas"]
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    twice = sorted({name for name in header if header.count(name) > 1} - set(unknown))
    return [
        f"{path}, line 1: {what} {', '.join(map(repr, names))}"
        for what, names in (
            ("missing column", missing), ("unknown column", unknown), ("column twice:", twice),
        )
        if names
    ]  # fmt: skip


def _row(text: dict[str, str]) -> tuple[Row | None, list[str]]:
    """A row, or None and what is wrong with it, field by field."""
    wrong = [f"{name}: empty" for name in COLUMNS if not text[name] and name not in MAY_BE_EMPTY]

    def parsed(name: str, parse: Callable, hint: str):  # type: ignore[no-untyped-def, type-arg]
        try:
            return parse(text[name]) if text[name] else None
        except ValueError:
            wrong.append(f"{name}: {text[name]!r} is not {hint}")
            return None

    low, base, high = (
        parsed(name, _number, "a finite number (write 1234.5)") for name in ("low", "base", "high")
    )
    as_of = parsed("as_of", date.fromisoformat, "a date (write 2026-01-31)")
    if text["id"] and not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", text["id"]):
        wrong.append(f"id: {text['id']!r} may have only a-z, 0-9 and single dots or hyphens")
    if None not in (low, base, high) and not low <= base <= high:
        wrong.append(f"low, base, high: {low:g}, {base:g}, {high:g} are not in rising order")
    if text["currency"]:
        if not re.fullmatch(r"[A-Z]{3}", text["currency"]):
            wrong.append(f"currency: {text['currency']!r} is not a three-letter ISO code")
        wrong += [
            f"{name}: {value:g} is negative money"
            for name, value in (("low", low), ("base", base), ("high", high))
            if value is not None and value < 0
        ]
    types = get_args(SourceType)
    if text["source_type"] and text["source_type"] not in types:
        wrong.append(f"source_type: {text['source_type']!r} is not one of {', '.join(types)}")
    if text["source_type"] == "public" and text["source"] and "https://" not in text["source"]:
        wrong.append("source: public, but without the https:// address that was opened")
    if wrong:
        return None, wrong
    return Row(**{**text, "low": low, "base": base, "high": high, "as_of": as_of}), []


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value
