"""What a company's folder says, by id: its ledger, its books, and a few numbers that follow.

A number that a missing row would be needed for is not there, and `Known.value` says which row to
add.  A row outside its range is named too, and never bent into it.  Nothing is guessed.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np

from synthecon import Problem, records
from synthecon.economics import audit as auditing
from synthecon.economics import case as cases
from synthecon.economics import formula, ledger, model, outage, schedules, sources, sourcing, units
from synthecon.economics.formula import Formula
from synthecon.strategy import gates, queueing

UNIT_HOURS = "unit.month-hours"
YEAR, PATHS, SEED = 12, 4000, 1  # of the simulated outages
DRAWN = 1000  # failures in a simulated year at most: beyond, the draws outgrow the memory
LARGEST = 1e18  # no company has a number beyond it, and money to the cent has no digits left


class NotKnown(Exception):
    """A number that cannot be computed; `why` says what to do about it, one reason each."""

    def __init__(self, *why: str) -> None:
        super().__init__("; ".join(why))
        self.why = why


@dataclass(frozen=True)
class Follows:
    """A number that code computes from ledger rows.  MONEY in a unit is the company's currency."""

    unit: str
    rows: tuple[str, ...]
    compute: Callable[..., float]


@dataclass(frozen=True)
class Range:
    """What a row may be, in words and as a test."""

    says: str
    holds: Callable[[float], bool]


ABOVE = Range("must be above 0", lambda x: x > 0)
NOT_BELOW = Range("must not be below 0", lambda x: x >= 0)
SHARE = Range("must be a share from 0 to 1", lambda x: 0 <= x <= 1)
WHOLE = Range("must be a whole number from 1 on", lambda x: x >= 1 and x == round(x))
RANGES: Mapping[str, Range] = {
    "sla.mtbf": ABOVE,
    "sla.mttr": ABOVE,
    "sla.replicas": WHOLE,
    "sla.common": SHARE,
    "sla.spread": NOT_BELOW,
    "queue.requests": ABOVE,
    "queue.utilisation": NOT_BELOW,  # above 1 is what a full team looks like
    "queue.variability": NOT_BELOW,
    UNIT_HOURS: ABOVE,
    "velocity.label-wait": NOT_BELOW,
    "line.started": SHARE,
    "opportunity.scarce-share": SHARE,
    "playbook.language-model.share": SHARE,
    "playbook.tco.own": SHARE,
    "product.lost": SHARE,
    "serving.utilisation": SHARE,
}


def outside(name: str, value: float) -> str | None:
    """What is wrong with a row's number; None: nothing.  Rows share.* are shares of a whole."""
    allowed = SHARE if name.startswith("share.") else RANGES.get(name)
    if allowed is None or allowed.holds(value):
        return None
    return complaint(name, value, allowed)


def complaint(name: str, value: float, allowed: Range) -> str:
    return f"row {name} is {value:g}; it {allowed.says}"


def _system(mtbf: float, mttr: float, replicas: float, common: float) -> sourcing.System:
    return sourcing.System(mtbf, mttr, int(replicas), common)


def _waiting(requests: float, busy: float, variability: float) -> float:
    if busy >= 1:
        raise NotKnown(
            f"row queue.utilisation is {busy:g}: at 100 % or more the queue never ends, so no "
            "amount can be given"
        )
    return queueing.mg1(requests, busy / requests, variability).waiting if busy else 0.0


SERVICE = ("sla.mtbf", "sla.mttr", "sla.replicas", "sla.common")
FOLLOWS: Mapping[str, Follows] = {
    "service.downtime": Follows(
        "hours/month",
        (*SERVICE, UNIT_HOURS),
        lambda *v: (1 - sourcing.availability(_system(*v[:4]))) * v[4],
    ),
    "service.outages": Follows(
        "outages/month",
        (*SERVICE, UNIT_HOURS),
        lambda *v: sourcing.outages_per_hour(_system(*v[:4])) * v[4],
    ),
    "queue.waiting": Follows(
        "request",
        ("queue.requests", "queue.utilisation", "queue.variability"),
        _waiting,
    ),
    "plan.months": Follows("months", (), lambda: float(model.MONTHS)),
}


@dataclass(frozen=True)
class Known:
    """A folder that was read.

    audit: None for a folder whose books are still empty; `empty` names the files to fill in.
    values, units: by id, at base.  absent: why an id that code computes has no value.
    """

    folder: Path
    policy: cases.Policy
    audit: auditing.Audit | None
    book: ledger.Book
    values: Mapping[str, float]
    units: Mapping[str, units.Unit]
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    empty: tuple[str, ...] = ()

    @property
    def currency(self) -> str:
        return self.policy.currency

    def value(self, of: Formula, **more: tuple[float, str]) -> tuple[float, units.Unit]:
        """A formula's value and unit.  more: numbers with their units, for this one formula; a dot
        of the id is written as two underscores.

        Raises:
            NotKnown: an id without a value, a row outside its range, a division by zero, a value
                beyond all measure, units that do not fit.
        """
        extra = {name.replace("__", "."): number for name, number in more.items()}
        values = {**self.values, **{name: number for name, (number, _) in extra.items()}}
        known = {**self.units, **{name: units.parse(unit) for name, (_, unit) in extra.items()}}
        why: list[str] = []
        for name in formula.names(of):
            if name not in values:
                why += self.absent.get(name, (_wanted(name),))
        rows = self.rows(of)
        why += [told for row in rows.values() if (told := outside(row.id, row.base))]
        if why:
            raise NotKnown(*dict.fromkeys(why))
        try:
            value, unit = float(formula.evaluate(of, values)), formula.unit(of, known)
        except ZeroDivisionError:
            # A difference may be zero where none of its parts is.
            zero = [n for n in formula.names(of) if not values[n]] or list(formula.names(of))
            raise NotKnown(f"divides by zero: look at {', '.join(zero)}") from None
        except formula.FormulaError as error:
            raise NotKnown(f"ledger.csv: {error}; correct the units") from None
        if not abs(value) <= LARGEST:
            parts = ", ".join(dict.fromkeys(formula.names(of)))
            raise NotKnown(f"too large a number comes out; look at {parts}")
        return value, unit

    def rows(self, of: Formula) -> dict[str, ledger.Row]:
        """The ledger rows that a formula rests on, directly or through derived ones."""
        every = model.ancestors(set(formula.names(of)), self.book.derived)
        return {name: self.book.rows[name] for name in sorted(every) if name in self.book.rows}

    def guesses(self, rows: Sequence[str]) -> list[str]:
        """Those of the rows that nobody has checked; a derived row is as good as what it is of."""
        every = model.ancestors(set(rows), self.book.derived)
        return sorted(
            n
            for n in every
            if n in self.book.rows and self.book.rows[n].source_type in ledger.GUESSED
        )


def read(folder: Path, found: auditing.Audit | None = None) -> Known:
    """Read a case folder.  found: its audit, where the caller has it.

    Raises:
        Problem: something in the folder cannot be read, or a ledger row no longer says what its
            source says; with all that is wrong.
    """
    policy = cases.read_policy(folder)
    empty = () if found else unfilled(policy)
    if not empty and found is None:
        found = auditing.audit(cases.read(folder))
    path = folder / "ledger.csv"
    try:
        book = ledger.read_book(path)
    except ledger.LedgerError as error:
        raise Problem(str(error)) from None
    books = model.books(found) if found else {}
    if found and (wrong := sources.check(path, book, books)):
        raise Problem("\n".join(wrong))
    values = {f"audit.{name}": quantity.value for name, quantity in books.items()}
    kinds = {f"audit.{name}": units.parse(quantity.unit) for name, quantity in books.items()}
    values |= {row.id: row.base for row in book.rows.values()}
    absent: dict[str, tuple[str, ...]] = {}
    for name, row in book.derived.items():
        try:
            values[name] = formula.evaluate(row.formula, values)
        except KeyError:  # a part is absent: for its reasons
            parts = formula.names(row.formula)
            absent[name] = tuple(why for part in parts for why in absent.get(part, ()))
            continue
        except ZeroDivisionError:
            absent[name] = (f"row {name} divides by zero: {row.source}",)
            continue
        if not abs(values[name]) <= LARGEST:
            absent[name] = (f"row {name} becomes too large a number: {row.source}",)
            del values[name]
    kinds |= {n: units.parse(r.unit) for n, r in (*book.rows.items(), *book.derived.items())}
    for name, follows in FOLLOWS.items():
        try:
            values[name] = _follow(follows, values, book)
            kinds[name] = units.parse(follows.unit)
        except NotKnown as told:
            absent[name] = told.why
    own, due = _credits(folder, ("own", "vendor"), values)
    for name, unit, count in (
        ("service.own-credits", "share", own),
        ("service.due-credits", "share", due),
        ("register.blocked", "sets", _blocked(folder)),
        ("ledger.guessed", "share", _guessed(book)),
    ):
        if isinstance(count, str):
            absent[name] = (count,)
        else:
            values[name], kinds[name] = count, units.parse(unit)
    return Known(folder, policy, found, book, values, kinds, absent, empty)


def _wanted(name: str) -> str:
    if name.startswith("audit."):
        return (
            f"the books have no {name.removeprefix('audit.')}: look at the classes of policy.toml"
        )
    return f"add row {name} to ledger.csv"


def unfilled(policy: cases.Policy) -> tuple[str, ...]:
    """The files of the books, if there is no line in any of them: a folder as the template makes
    it.  Empty where one has a line, for then what is missing elsewhere is a fault."""
    named = [path for paths in policy.files.values() for path in paths]
    return tuple(p.name for p in named) if named and all(map(_no_line, named)) else ()


def _no_line(path: Path) -> bool:
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return not any(any(cell.strip() for cell in row) for row in list(csv.reader(file))[1:])
        except csv.Error:  # whoever reads the file as a bill says what is wrong with it
            return False


def _follow(follows: Follows, values: Mapping[str, float], book: ledger.Book) -> float:
    if missing := [row for row in follows.rows if row not in values]:
        raise NotKnown(*(f"add row {row} to ledger.csv" for row in missing))
    if wrong := [told for row in follows.rows if (told := outside(row, values[row]))]:
        raise NotKnown(*wrong)
    try:
        found = follows.compute(*(values[row] for row in follows.rows))
    except ValueError as error:
        raise NotKnown(f"rows {', '.join(follows.rows)}: {error}") from None
    except ArithmeticError:
        found = math.inf
    if not abs(found) <= LARGEST:
        raise NotKnown(f"rows {', '.join(follows.rows)}: too large or too small to compute with")
    return found


def _credits(
    folder: Path, names: Sequence[str], values: Mapping[str, float]
) -> list[float] | list[str]:
    """Share of a month's fee that falls due as credit by schedules of sla.csv, on average over
    simulated years; or why not.  Tiers make it no formula: a mean month would pay nothing."""
    rows = (*SERVICE, "sla.spread")
    if missing := [row for row in rows if row not in values]:
        return ["; ".join(f"add row {row} to ledger.csv" for row in missing)] * len(names)
    if wrong := [told for row in rows if (told := outside(row, values[row]))]:
        return ["; ".join(wrong)] * len(names)
    # Ten places are drawn even for a replica that hardly ever fails.
    failures = values["sla.replicas"] * (YEAR * outage.HOURS / values["sla.mtbf"] + 10)
    if failures > DRAWN:
        told = "too many replicas, or too many failures a year, to simulate"
        return [f"rows sla.replicas, sla.mtbf: {told}"] * len(names)
    if not (folder / "sla.csv").is_file():
        return ["add sla.csv; python -m synthecon audit --template makes one"] * len(names)
    steps = schedules.read(folder / "sla.csv")
    try:
        system = _system(*(values[row] for row in SERVICE))
        # A repair beyond all numbers outlasts the year, which is all that counts of it.
        with np.errstate(over="ignore", invalid="raise"):
            drawn = outage.simulate(
                system, values["sla.spread"], YEAR, PATHS, np.random.default_rng(SEED)
            )
    except ValueError as error:
        return [f"rows {', '.join(rows)}: {error}"] * len(names)
    except ArithmeticError:
        return [f"rows {', '.join(rows)}: too large or too small to compute with"] * len(names)
    # Six digits: sums of other machines differ in the last ones.
    shares = (outage.credit_share(drawn.availability, schedules.tiers(steps, n)) for n in names)
    return [float(f"{share.mean():.6g}") for share in shares]


def _blocked(folder: Path) -> float | str:
    """Data sets, not retired, that a privacy gate keeps from release."""
    for name in ("gates.csv", "datasets.csv"):
        if not (folder / name).is_file():
            return f"add {name}; python -m synthecon audit --template makes one"
    every = gates.read_gates(folder / "gates.csv")
    data = gates.read_datasets(folder / "datasets.csv", every)
    ask = [gate for gate in every if gate.kind == "privacy"]
    return float(
        sum(
            any(not f.passed for f in gates.examine(one, ask, fresh=False, find=records.find))
            for one in data.values()
            if one.state != "retired"
        )
    )


def _guessed(book: ledger.Book) -> float | str:
    uncertain = [row for row in book.rows.values() if row.distribution != "fixed"]
    if not uncertain:
        return "ledger.csv has no uncertain row: write low and high where you are not sure"
    return sum(row.source_type in ledger.GUESSED for row in uncertain) / len(uncertain)


def cents(amounts: Mapping[str, Decimal], months: int) -> dict[str, Decimal]:
    """A month's part of each amount, to the cent, so that the parts add up to the part of the sum.

    Largest remainder: the cents that rounding down leaves go to those that lost most.
    """
    cent = Decimal("0.01")
    whole = (sum(amounts.values(), Decimal(0)) / months).quantize(cent)
    exact = {name: amount / months for name, amount in amounts.items()}
    parts = {name: (amount // cent) * cent for name, amount in exact.items()}
    # Decimal's // cuts towards zero; down is what the remainders count from.
    parts = {n: p - cent if p > exact[n] else p for n, p in parts.items()}
    left = int((whole - sum(parts.values(), Decimal(0))) / cent)
    for name in sorted(parts, key=lambda n: (parts[n] - exact[n], n))[:left]:
        parts[name] += cent
    return {name: part.quantize(cent) for name, part in parts.items()}
