"""The ledger of assumptions: one CSV file, one row an assumption, every number with its source.

A wrong ledger is refused whole, and with all its errors at once.  Standard library only.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Literal, get_args

from synthecon.economics import formula, units
from synthecon.economics.assumption import Distribution

SourceType = Literal[
    "measured", "invoice", "quote", "public", "expert", "transfer", "illustrative", "derived"
]


@dataclass(frozen=True)
class Row:
    """One assumption with numbers of its own.

    id: lower-case letters, digits, dots and hyphens; unique.  low, base, high: finite, in this
    order, in `unit`.  distribution: between them; see `uncertain.quantile`; fixed needs three equal
    numbers.  currency: ISO code, empty where the unit has no money in it; money is not negative.
    basis: nominal or real, for money and rates; empty elsewhere.  period: hour, day, month or year
    where the unit has one, once for a single amount, else empty.  source_type: see `SourceType`;
    *illustrative* means that nobody has checked it, *transfer* is the share of a measured effect
    that this company may expect.  source: for *public* a URL of what was opened, for *measured* a
    measurement's id and hash.  as_of: the day on which the source was opened or the assumption
    made.  owner: who answers for it.  confidence: high, medium or low.  group: rows that move
    together, as "prices:0.6", the correlation behind the colon; or empty.
    """

    id: str
    name: str
    low: float
    base: float
    high: float
    distribution: Distribution
    unit: str
    currency: str
    basis: str
    period: str
    source_type: SourceType
    source: str
    as_of: date
    owner: str
    confidence: str
    group: str
    note: str


@dataclass(frozen=True)
class Derived:
    """A row whose value follows from others: `source` is its formula (`formula.parse`)."""

    id: str
    name: str
    formula: formula.Formula
    unit: str
    currency: str
    source: str
    as_of: date
    owner: str
    note: str


@dataclass(frozen=True)
class Book:
    """A whole ledger.  derived: in an order in which each follows what it is made of."""

    rows: Mapping[str, Row]
    derived: Mapping[str, Derived]


COLUMNS = tuple(field.name for field in fields(Row))
OWN = ("low", "base", "high", "distribution", "confidence", "group")  # empty in a derived row
GUESSED = ("illustrative", "transfer")  # source types that nobody has checked
NO_CURRENCY = ("GPU", "CPU", "FTE", "API", "SLA")  # three capitals, and no money
MAY_BE_EMPTY = ("currency", "basis", "period", "group", "note")
SOURCES = {  # what the source of a row must have in it
    "public": ("https://", "the https:// address that was opened"),
    "measured": (r"^[^\s#]+#[^\s#]+( |$)", "a measurement, cpu/LESSON/NOTEBOOK#NAME"),
    "invoice": (r"^audit#[^\s#]+( |$)", "its name in the audit, audit#month.CLASS"),
}
PERIODS = ("hour", "day", "month", "year")


class LedgerError(ValueError):
    """Everything that is wrong with a ledger; `errors` has one line for each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


def read(path: Path | str) -> dict[str, Row]:
    """The rows with numbers of their own, by id, in the order of the file; else as `read_book`."""
    return dict(read_book(path).rows)


def read_book(path: Path | str) -> Book:
    """A ledger (UTF-8, comma-separated).

    Raises:
        LedgerError: no such file, not UTF-8, a column missing, unknown or twice, a row too long or
            too short, an empty field, an id twice, a value that breaks a rule of `Row`; a formula
            that cannot be read, names no row, mixes units or runs in a circle.  Each error names
            file, line and field.
    """
    path = Path(path)
    lines, errors = table(path, COLUMNS)
    rows: dict[str, Row] = {}
    derived: dict[str, Derived] = {}
    first: dict[str, int] = {}
    for line, text in lines:
        row, wrong = (_derived if text["source_type"] == "derived" else _row)(text)
        if text["id"] and first.setdefault(text["id"], line) != line:
            wrong.append(f"id: {text['id']!r} is already on line {first[text['id']]}")
        errors += [f"{path}, line {line}, {what}" for what in wrong]
        if isinstance(row, Derived):
            derived[row.id] = row
        elif row:
            rows[row.id] = row
    faults = _orphans(first, derived) + _group_errors(rows)
    order: list[str] = []
    if not errors and not faults:  # a row refused would be missed by every formula that names it
        order, faults = _order(rows, derived)
    errors += [f"{path}, line {first[name]}, {what}" for name, what in faults]
    if errors:
        raise LedgerError(errors)
    return Book(rows, {name: derived[name] for name in order})


def table(path: Path, columns: Sequence[str]) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """The rows of a CSV file with these columns, in any order: line number and cells, blanks around
    them removed; and the lines that have too many or too few.  Empty lines are skipped.

    Raises:
        LedgerError: no file, not UTF-8, not CSV, other columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except FileNotFoundError:
        raise LedgerError([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise LedgerError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise LedgerError([f"{path}: not UTF-8 text; save it as CSV UTF-8"]) from None
    except csv.Error as error:
        raise LedgerError([f"{path}, line {reader.line_num}: {error}"]) from None
    header = [name.strip() for name in lines[0][1]] if lines else []
    if wrong := _header_errors(path, header, columns):
        raise LedgerError(wrong)
    rows = []
    for line, cells in lines[1:]:
        if len(cells) == len(header):
            rows.append((line, dict(zip(header, map(str.strip, cells), strict=True))))
        else:
            wrong.append(
                f"{path}, line {line}: {len(cells)} fields, but the header has {len(header)}; "
                "put text that contains a comma in double quotes"
            )
    return rows, wrong


def _orphans(known: Iterable[str], derived: Mapping[str, Derived]) -> list[tuple[str, str]]:
    return [
        (
            name,
            f"source: there is no row {other!r}; add it or correct the id"
            + (" (a minus has blanks around it)" if "-" in other else ""),
        )
        for name, row in derived.items()
        for other in dict.fromkeys(formula.names(row.formula))
        if other not in known
    ]


def _group_errors(rows: Mapping[str, Row]) -> list[tuple[str, str]]:
    """A group of one row, or with two correlations, would be ignored in silence."""
    groups: dict[str, list[Row]] = {}
    for row in rows.values():
        if row.group:
            groups.setdefault(row.group.partition(":")[0], []).append(row)
    wrong = []
    for name, members in groups.items():
        first = members[0]
        if len(members) == 1:
            wrong.append((first.id, f"group: no other row is in {name!r}; correct it or empty it"))
        wrong += [
            (row.id, f"group: {row.group!r}, but {first.id} has {first.group!r}; make them agree")
            for row in members[1:]
            if float(row.group.partition(":")[2]) != float(first.group.partition(":")[2])
        ]
    return wrong


def _order(
    rows: Mapping[str, Row], derived: Mapping[str, Derived]
) -> tuple[list[str], list[tuple[str, str]]]:
    """The derived rows, each after what it is made of; and what is wrong with which."""
    known = {name: units.parse(row.unit) for name, row in rows.items()}
    values = {name: row.base for name, row in rows.items()}
    order: list[str] = []
    faults: list[tuple[str, str]] = []
    left = dict(derived)
    while ready := [n for n, r in left.items() if set(formula.names(r.formula)) <= known.keys()]:
        for name in ready:
            row = left.pop(name)
            known[name] = units.parse(row.unit)
            order.append(name)
            try:
                found = formula.unit(row.formula, known)
            except formula.FormulaError as error:
                faults.append((name, f"source: {error}"))
                continue
            if found != known[name]:
                told = f"the formula gives {units.show(found)!r}; correct one"
                faults.append((name, f"unit: {row.unit!r}, but {told}"))
            if values.keys() >= set(formula.names(row.formula)):
                try:
                    values[name] = formula.evaluate(row.formula, values)
                except ZeroDivisionError:
                    told = "source: divides by zero at base; give it numbers of its own"
                    faults.append((name, told))
    circles = {frozenset(c): c for c in (_circle(name, left) for name in reversed(left))}
    faults += [
        (c[0], f"source: it needs its own value: {' → '.join([*c, c[0]])}; break the circle")
        for c in circles.values()
    ]
    return order, faults


def _circle(name: str, left: Mapping[str, Derived]) -> list[str]:
    """The circle that a row which cannot be computed is in, or waits for."""
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = next(other for other in formula.names(left[name].formula) if other in left)
    return path[path.index(name) :]


def _header_errors(path: Path, header: list[str], columns: Sequence[str]) -> list[str]:
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            return [f"{path}, line 1: separated by {name}; save it with commas"]
    missing = [name for name in columns if name not in header]
    unknown = [name for name in header if name not in columns]
    twice = sorted({name for name in header if header.count(name) > 1} - set(unknown))
    return [
        f"{path}, line 1: {what} {', '.join(map(repr, names))}"
        for what, names in (
            ("missing column", missing), ("unknown column", unknown), ("column twice:", twice),
        )
        if names
    ]  # fmt: skip


def _parsed(text: dict[str, str], name: str, parse: Callable, hint: str, wrong: list[str]):  # type: ignore[no-untyped-def, type-arg]
    try:
        return parse(text[name]) if text[name] else None
    except ValueError:
        wrong.append(f"{name}: {text[name]!r} is not {hint}")
        return None


def _day_and_id(text: dict[str, str], wrong: list[str]) -> date | None:
    if text["id"] and not re.fullmatch(formula.ID, text["id"]):
        wrong.append(
            f"id: {text['id']!r} may have only a-z, 0-9 and single dots or hyphens, a letter first"
        )
    hint = "a date (write 2026-01-31)"
    return _parsed(text, "as_of", _day, hint, wrong)


def _derived(text: dict[str, str]) -> tuple[Derived | None, list[str]]:
    """A derived row, or None and what is wrong with it, field by field."""
    needed = [n for n in COLUMNS if n not in (*MAY_BE_EMPTY, *OWN)]
    wrong = [f"{name}: empty; fill it in" for name in needed if not text[name]]
    wrong += [f"{name}: must be empty, the row is derived; clear it" for name in OWN if text[name]]
    as_of = _day_and_id(text, wrong)
    parsed = None
    try:
        parsed = formula.parse(text["source"]) if text["source"] else None
    except formula.FormulaError as error:
        wrong.append(f"source: {error}")
    wrong += _unit_errors(text)
    if wrong:
        return None, wrong
    keys = ("id", "name", "unit", "currency", "source", "owner", "note")
    return Derived(formula=parsed, as_of=as_of, **{k: text[k] for k in keys}), []  # type: ignore[arg-type]


def _row(text: dict[str, str]) -> tuple[Row | None, list[str]]:
    """A row, or None and what is wrong with it, field by field."""
    wrong = [
        f"{name}: empty; fill it in"
        for name in COLUMNS
        if not text[name] and name not in MAY_BE_EMPTY
    ]
    low, base, high = (
        _parsed(text, name, _number, "a finite number (write 1234.5)", wrong)
        for name in ("low", "base", "high")
    )
    as_of = _day_and_id(text, wrong)
    if None not in (low, base, high) and not low <= base <= high:
        wrong.append(f"low, base, high: {low:g}, {base:g}, {high:g} are not low ≤ base ≤ high")
    if text["currency"]:
        if not re.fullmatch(r"[A-Z]{3}", text["currency"]):
            wrong.append(f"currency: {text['currency']!r} is not an ISO code (write USD)")
        wrong += [
            f"{name}: {value:g} is negative money; every amount of a ledger is a cost or a price"
            for name, value in (("low", low), ("base", base), ("high", high))
            if value is not None and value < 0
        ]
    wrong += _shape_errors(text, low, base, high) + _unit_errors(text)
    types = get_args(SourceType)
    if text["source_type"] and text["source_type"] not in types:
        wrong.append(f"source_type: {text['source_type']!r} is not one of {', '.join(types)}")
    if text["source_type"] in SOURCES and text["source"]:
        pattern, told = SOURCES[text["source_type"]]
        if not re.search(pattern, text["source"]):
            wrong.append(f"source: {text['source_type']}, but without {told}")
    if wrong:
        return None, wrong
    return Row(**{**text, "low": low, "base": base, "high": high, "as_of": as_of}), []


def _shape_errors(
    text: dict[str, str], low: float | None, base: float | None, high: float | None
) -> list[str]:
    """What is wrong with distribution, confidence and group."""
    wrong = []
    for name, allowed in (
        ("distribution", get_args(Distribution)),
        ("confidence", ("high", "medium", "low")),
    ):
        if text[name] and text[name] not in allowed:
            wrong.append(f"{name}: {text[name]!r} is not one of {', '.join(allowed)}")
    if low is not None and base is not None and high is not None:
        if text["distribution"] == "fixed" and not low == base == high:
            wrong.append("distribution: fixed, but low, base and high differ; name another")
        if low <= -1 and text["unit"] == "1/year":
            wrong.append(f"low: {low:g} a year; a rate is above −1, where nothing is left")
        if text["distribution"] == "lognormal" and low <= 0:
            wrong.append(f"distribution: lognormal, but low is {low:g}: it must be positive")
        if text["distribution"] in ("normal", "lognormal") and (low == base) != (base == high):
            wrong.append(f"distribution: {text['distribution']} needs room on both sides of base")
    if text["group"] and text["distribution"] == "fixed":
        wrong.append("group: a fixed row moves with nothing; empty it")
    if text["group"] and not re.fullmatch(r"[a-z0-9-]+:0?\.\d+", text["group"]):
        wrong.append(
            f"group: {text['group']!r}: write a name and a correlation below 1, prices:0.6"
        )
    return wrong


def _unit_errors(text: dict[str, str]) -> list[str]:
    """What is wrong with unit, currency, basis and period."""
    iso = not text["currency"] or re.fullmatch(r"[A-Z]{3}", text["currency"])
    if not text["unit"] or not iso:
        return []  # told already
    try:
        words = units.parse(text["unit"])
    except units.UnitError as error:
        return [f"unit: {error}"]
    wrong = []
    codes = [w for w in words if re.fullmatch(r"[A-Z]{3}", w) and w not in NO_CURRENCY]
    if text["currency"] and text["currency"] not in words:
        wrong.append(
            f"unit: {text['unit']!r} has no {text['currency']} in it; make it agree with currency"
        )
    if not text["currency"] and codes:
        wrong.append(f"currency: empty, but the unit is in {codes[0]}; write it here too")
    if text["basis"] not in ("", "nominal", "real"):
        wrong.append(f"basis: {text['basis']!r} is not nominal, real or empty")
    elif text["currency"] and not text["basis"]:
        wrong.append("basis: money is nominal or real; say which")
    found = [p for p in PERIODS if words.get(p)]
    single = set(words) == {text["currency"]}
    if text["period"] not in ("", "once", *PERIODS):
        wrong.append(f"period: {text['period']!r} is not one of once, {', '.join(PERIODS)}")
    elif (text["period"] in PERIODS and text["period"] not in found) or (
        text["period"] in ("", "once") and text["currency"] and found
    ):
        now, fits = (
            text["period"] or "empty",
            " or ".join(found) or ("once" if single else "nothing"),
        )
        wrong.append(f"period: {now}, but the unit is {text['unit']!r}; write {fits}")
    elif not text["period"] and single:
        wrong.append(f"period: empty; a single amount in {text['currency']} needs the word once")
    return wrong


def _day(text: str) -> date:
    if len(text) != 10:  # 20260131 and 2026-W05-6 are ISO too, but nobody reads them
        raise ValueError(text)
    return date.fromisoformat(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value
