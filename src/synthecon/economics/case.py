"""A company's folder: policy, bills, invoices, payroll, revenue, rules.  Read whole or refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from synthecon import Problem
from synthecon.economics import bill, classify


@dataclass(frozen=True)
class Class:
    """A class of spend.  ml: part of the playbook's ML cost."""

    name: str
    title: str
    ml: bool


@dataclass(frozen=True)
class Policy:
    """policy.toml: who the company is and how it keeps its books."""

    name: str
    fictional: bool
    currency: str
    first_month: str
    last_month: str
    files: Mapping[str, list[Path]]
    classes: Mapping[str, Class]
    shared: str
    drivers: tuple[str, ...]
    growth: float
    idle: float
    spike_deviations: float
    spike_window: int

    @property
    def months(self) -> list[str]:
        """Every month of the period, "2025-11" first."""
        year, month = map(int, self.first_month.split("-"))
        found = []
        while (text := f"{year}-{month:02}") <= self.last_month:
            found.append(text)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return found


@dataclass(frozen=True)
class Case:
    """All that the audit reads, with every line placed in a class."""

    folder: Path
    policy: Policy
    lines: bill.Lines
    features: tuple[classify.Feature, ...]
    rules: tuple[classify.Rule, ...]
    revenue: Mapping[str, Decimal]


def read_policy(folder: Path) -> Policy:
    """policy.toml of a case folder.

    Raises:
        Problem: not there, not TOML, or a key that is missing or of the wrong kind.
    """
    path = folder / "policy.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise Problem(
            f"{path}: there is no such file. Make a folder to fill in: "
            "python -m synthecon audit --template FOLDER"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {error}") from None
    try:
        files, flags, shared = raw["files"], raw["flags"], raw["shared"]
        classes = {k: Class(k, c["title"], c["ml"]) for k, c in raw["classes"].items()}
        policy = Policy(
            name=raw["name"],
            fictional=raw.get("fictional", False),
            currency=raw["currency"],
            first_month=raw["first_month"],
            last_month=raw["last_month"],
            files={
                kind: [folder / f for f in files.get(kind, [])]
                for kind in ("bill", "invoice", "payroll")
            }
            | {"revenue": [folder / files["revenue"]]},
            classes=classes,
            shared=shared["class"],
            drivers=tuple(shared["drivers"]),
            growth=float(flags["growth"]),
            idle=float(flags["idle"]),
            spike_deviations=float(flags["spike_deviations"]),
            spike_window=int(flags["spike_window"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Problem(f"{path}: missing or of the wrong kind: {error}") from None
    needed = {policy.shared, *policy.drivers, classify.UNCLASSIFIED, "redundant_features"}
    if missing := sorted(needed - classes.keys()):
        raise Problem(f"{path}: [classes] lacks {', '.join(missing)}")
    if not policy.months:
        raise Problem(f"{path}: last_month {policy.last_month} is before {policy.first_month}")
    return policy


def files(folder: Path) -> list[Path]:
    """The files that an audit of the folder reads; of one, ledger.csv, it uses some rows only.

    Raises:
        Problem: policy.toml, which names the bills and the rest, cannot be read.
    """
    ours = ("policy.toml", "tags.csv", "rules.csv", "levers.toml", "ledger.csv")
    named = read_policy(folder).files.values()
    return [*(folder / name for name in ours), *(path for paths in named for path in paths)]


def read(folder: Path) -> Case:
    """Read, classify and check a whole case.

    Raises:
        Problem: everything that could not be read, at once: file, row, column, reason.
    """
    policy = read_policy(folder)
    spelling = bill.read_spelling(folder / "tags.csv")
    rules = classify.read_rules(folder / "rules.csv", list(policy.classes))
    parts = [
        bill.read(path, kind, spelling, policy.currency)
        for kind in ("bill", "invoice", "payroll")
        for path in policy.files[kind]
    ]
    if not parts:
        raise Problem(f"{folder / 'policy.toml'}: [files] names no bill, invoice or payroll")
    lines = bill.together(parts)
    inside = pc.is_in(lines.table["month"], value_set=pa.array(policy.months))
    outside = lines.table.filter(pc.invert(inside))
    wrong = [*_missed(policy, parts), *(str(r) for r in lines.refused)]
    wrong += [
        f"{row['file']}, row {row['row']}, day: {row['day']} is not in the period of policy.toml, "
        f"{policy.first_month} to {policy.last_month}"
        for row in outside.select(["file", "row", "day"]).to_pylist()
    ]
    revenue = _revenue(policy, wrong)
    if wrong:
        shown = wrong[:40] + [f"… and {len(wrong) - 40} more"] * (len(wrong) > 40)
        rows = "1 row" if len(wrong) == 1 else f"{len(wrong)} rows"
        raise Problem("\n".join([f"{rows} cannot be read:", *shown]))
    table, features = classify.redundant(classify.classify(lines.table, rules))
    placed = bill.Lines(table, lines.refused, lines.rows, lines.unknown_tags)
    return Case(folder, policy, placed, tuple(features), tuple(rules), revenue)


def _missed(policy: Policy, parts: Sequence[bill.Lines]) -> list[str]:
    """A bill that lies there and is not named, or is named and has no row, would be missed in
    silence: the sums would agree without it."""
    named = policy.files["bill"]
    beside = {path for one in named for path in one.parent.iterdir() if _is_export(path)}
    found = [
        f"policy.toml, [files], bill: {path.name} lies beside the bills and is not named there: "
        "name it, or move it away"
        for path in sorted(beside - set(named))
    ]
    return found + [
        f"{path.name}: no row: put your FOCUS export there, or do not name it"
        for path in named
        if not any(part.rows.get(path.name) for part in parts)
    ]


def _is_export(path: Path) -> bool:
    return path.name.endswith((".csv", ".csv.gz", ".parquet"))


def _revenue(policy: Policy, wrong: list[str]) -> dict[str, Decimal]:
    """Revenue by month; what is amiss is added to `wrong`."""
    [path] = policy.files["revenue"]
    table = bill.texts(path)
    if table.column_names != ["month", "amount", "currency"]:
        wrong.append(f"{path.name}: its columns must be month,amount,currency")
        return {}
    found: dict[str, Decimal] = {}
    for number, row in enumerate(table.to_pylist(), 1):
        where = f"{path.name}, row {number}"
        if row["month"] not in policy.months or row["month"] in found:
            wrong.append(f"{where}, month: {row['month']!r} is outside the period or twice")
            continue
        if row["currency"] != policy.currency:
            wrong.append(
                f"{where}, currency: {row['currency']!r}, the case is in {policy.currency}"
            )
        try:
            found[row["month"]] = Decimal(row["amount"])
        except ArithmeticError:
            wrong.append(f"{where}, amount: {row['amount']!r} is not an amount")
    if missing := [m for m in policy.months if m not in found]:
        wrong.append(f"{path.name}: no revenue for {', '.join(missing)}")
    return found
