"""Put every cost line into a class: ordered rules, the first that matches wins.

The rules are a file that a person edits (rules.csv).  Each line keeps the id of the rule that
placed it; what no rule knows is UNCLASSIFIED, and shown.  No line is dropped, so the classes always
add up to the bill.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from synthecon import Problem
from synthecon.economics.bill import TAGS, TEXTS

UNCLASSIFIED = "unclassified"
REDUNDANT = "redundant-feature"  # the id of the rule that is code: see `redundant`
FIELDS = (*TEXTS, *TAGS)  # what a rule may ask for
PLACED = ("class", "rule", "line")  # and, once the rules have run, what a lever may ask for
LINES = ("COGS", "R&D", "S&M", "G&A", "Tax", "Credits", "Unclassified")


@dataclass(frozen=True)
class Condition:
    """`field = a | b`, `field != a | b`, `field ~ regex`, `field is empty`, `field is set`."""

    field: str
    operator: str
    values: tuple[str, ...] = ()

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        column = table[self.field]
        if self.operator == "is":
            null = pc.is_null(column)
            return null if self.values == ("empty",) else pc.invert(null)
        if self.operator == "~":
            found = pc.match_substring_regex(column, self.values[0], ignore_case=True)
        else:
            found = pc.is_in(pc.utf8_lower(column), value_set=pa.array(self.values).cast("string"))
            if self.operator == "!=":
                return pc.invert(pc.fill_null(found, False))
        return pc.fill_null(found, False)


@dataclass(frozen=True)
class Rule:
    """One row of rules.csv: all conditions must hold.

    class_: what the money bought, in the playbook's words.  line: where the accounting policy puts
    it.  why: for the reader who asks.
    """

    id: str
    when: tuple[Condition, ...]
    class_: str
    line: str
    why: str


def parse(text: str, fields: Sequence[str] = FIELDS) -> tuple[Condition, ...]:
    """Conditions on these fields, joined by ` and `.

    Raises:
        ValueError: an unknown field or operator, nothing to compare with, a regex that is none.
    """
    found = []
    # An "and" joins conditions only where a condition follows: values may have one of their own.
    for part in re.split(r"\s+and\s+(?=\w+\s*(?:!?=|~|is\b))", text.strip()):
        m = re.fullmatch(r"(\w+)\s*(=|!=|~|\bis\b)\s*(.+)", part.strip())
        if not m:
            raise ValueError(f"{part!r} is no condition: write field = value | value")
        name, operator, rest = m.groups()
        if name not in fields:
            raise ValueError(f"unknown field {name!r}: choose one of {', '.join(fields)}")
        if operator == "~":
            try:
                pc.match_substring_regex(pa.array(["x"]), rest)
            except pa.ArrowInvalid as error:
                raise ValueError(f"{rest!r} is no regular expression: {error}") from None
            values: tuple[str, ...] = (rest.strip(),)
        else:
            values = tuple(v.strip().lower() for v in rest.split("|"))
        if operator == "is" and values not in (("empty",), ("set",)):
            raise ValueError(f"{part!r}: a field is empty or is set")
        if not all(values):
            raise ValueError(f"{part!r}: nothing to compare with")
        found.append(Condition(name, operator, values))
    return tuple(found)


def read_rules(path: Path, classes: Sequence[str]) -> list[Rule]:
    """The rules in their order.

    Raises:
        Problem: every fault of the file at once, with row and column.
    """
    wrong: list[str] = []
    rules: list[Rule] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Problem(f"{path}: cannot read the rules: {error}") from None
    if not rows or list(rows[0]) != ["id", "when", "class", "line", "why"]:
        raise Problem(f"{path}: its columns must be id,when,class,line,why")
    for number, cells in enumerate(rows, 1):
        where = f"{path}, row {number}"
        if None in cells or None in cells.values():
            wrong.append(f"{where}: another number of fields than the header")
            continue
        row = {k: v.strip() for k, v in cells.items()}
        try:
            when = parse(row["when"])
        except ValueError as error:
            wrong.append(f"{where}, when: {error}")
            when = ()
        if row["class"] not in classes:
            wrong.append(f"{where}, class: {row['class']!r} is none of {', '.join(classes)}")
        if row["line"] not in LINES:
            wrong.append(f"{where}, line: {row['line']!r} is none of {', '.join(LINES)}")
        if not row["id"] or row["id"] in (UNCLASSIFIED, REDUNDANT, *(r.id for r in rules)):
            wrong.append(f"{where}, id: {row['id']!r} is empty, taken or reserved")
        rules.append(Rule(row["id"], when, row["class"], row["line"], row["why"]))
    if wrong:
        raise Problem("\n".join(wrong))
    return rules


def classify(table: pa.Table, rules: Sequence[Rule]) -> pa.Table:
    """The table with the columns rule, class and line: the first rule that matches each row."""
    rows = len(table)
    placed = pa.chunked_array([pa.nulls(rows, pa.int32())])
    for number, rule in enumerate(rules):
        mask = pc.is_null(placed)
        for condition in rule.when:
            mask = pc.and_(mask, condition.mask(table))
        placed = pc.if_else(mask, pa.scalar(number, pa.int32()), placed)
    placed = pc.fill_null(placed, len(rules))
    last = Rule(UNCLASSIFIED, (), UNCLASSIFIED, "Unclassified", "no rule knows it")
    for name in ("id", "class_", "line"):
        values = pa.array([getattr(rule, name) for rule in (*rules, last)])
        column = {"id": "rule", "class_": "class"}.get(name, name)
        table = table.append_column(column, values.take(placed.combine_chunks()))
    return table


@dataclass(frozen=True)
class Feature:
    """One feature on one source, computed more than once: cost by (team, job), dearest first."""

    name: str
    source: str
    costs: Mapping[tuple[str, str], Decimal]

    @property
    def redundant(self) -> Decimal:
        """All but the dearest: the least that one shared computation would save."""
        return sum(list(self.costs.values())[1:], Decimal(0))


def redundant(
    table: pa.Table, of: str = "feature_engineering", becomes: str = "redundant_features"
) -> tuple[pa.Table, list[Feature]]:
    """Move what is computed twice into a class of its own.

    A feature is redundant where two or more jobs or teams compute it on the same source.  The
    dearest of them stays: which one is dropped is a decision, and this is the cautious bound.

    Returns:
        The table with `class` and `rule` changed on the redundant lines, and the features found.
    """
    asked = pc.equal(table["class"], of)
    costs: dict[tuple[str, str], dict[tuple[str, str], Decimal]] = defaultdict(dict)
    some = table.filter(asked).select(["feature", "source", "team", "job", "effective"])
    groups = some.group_by(["feature", "source", "team", "job"]).aggregate([("effective", "sum")])
    for g in groups.to_pylist():
        if g["feature"] and g["source"]:
            key = (g["team"] or "", g["job"] or "")
            costs[g["feature"], g["source"]][key] = g["effective_sum"]
    features, drop = [], set()
    for (name, source), each in sorted(costs.items()):
        if len(each) > 1:
            ordered = dict(sorted(each.items(), key=lambda item: (-item[1], item[0])))
            features.append(Feature(name, source, ordered))
            drop |= {(name, source, *who) for who in list(ordered)[1:]}
    columns = ("feature", "source", "team", "job")
    keys = zip(*(table[c].to_pylist() for c in columns), asked.to_pylist(), strict=True)
    moved = pa.array(
        [bool(yes) and (f, s, t or "", j or "") in drop for f, s, t, j, yes in keys], pa.bool_()
    )
    for column, value in (("class", becomes), ("rule", REDUNDANT)):
        where = table.column_names.index(column)
        table = table.set_column(where, column, pc.if_else(moved, value, table[column]))
    return table, sorted(features, key=lambda f: (-f.redundant, f.name, f.source))


def totals(table: pa.Table, *by: str, of: str = "effective") -> dict:
    """Sums of money by one or more columns; one column gives plain keys, more give tuples."""
    summed = table.group_by(list(by)).aggregate([(of, "sum")]).to_pylist()
    keys = [tuple(row[c] for c in by) for row in summed]
    pairs = sorted(zip(keys, (row[f"{of}_sum"] for row in summed), strict=True), key=str)
    return {k if len(by) > 1 else k[0]: v for k, v in pairs}


def allocate(amount: Decimal, weights: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Deal an amount out by weight, to the millionth; the parts add up to it exactly.

    Largest-remainder method (Hamilton).  Negative weights count as zero; without any weight the
    parts are equal.

    Raises:
        ValueError: nobody to deal to.
    """
    if not weights:
        raise ValueError("nobody to allocate to")
    quantum = Decimal("0.000001")
    positive = {k: max(w, Decimal(0)) for k, w in weights.items()}
    whole = sum(positive.values(), Decimal(0))
    shares = {k: w / whole if whole else Decimal(1) / len(weights) for k, w in positive.items()}
    parts = {k: (amount * s).quantize(quantum, ROUND_DOWN) for k, s in shares.items()}
    rest = amount - sum(parts.values(), Decimal(0))
    by_remainder = sorted(parts, key=lambda k: (-abs(amount * shares[k] - parts[k]), k))
    step = quantum if rest > 0 else -quantum
    for key in by_remainder:
        if abs(rest) < quantum:
            break
        parts[key] += step
        rest -= step
    parts[by_remainder[0]] += rest  # what is finer than a millionth
    return parts


@dataclass(frozen=True)
class Spike:
    """A day on which a class cost far more than on the days around it."""

    class_: str
    day: str
    amount: Decimal
    usual: Decimal
    score: float


@dataclass(frozen=True)
class Flags:
    """Runaway spend: growth and idle commitments by class or share, and spikes."""

    growth: Mapping[str, float]
    idle_share: float
    idle: Decimal
    spikes: Sequence[Spike] = field(default_factory=tuple)


def hampel(
    values: Sequence[float], window: int, threshold: float
) -> list[tuple[int, float, float]]:
    """Points above the median of their window by more than `threshold` robust deviations.

    The Hampel identifier: the median absolute deviation × 1.4826 estimates σ for normal data and
    does not see the outlier itself.  A flat window (deviation 0) takes 1 % of its median instead,
    so that a constant bill does not turn every cent into a spike.

    Args:
        values: one a day.  window: days on either side.  threshold: in estimated σ.

    Returns:
        (index, median of the window, score) for each spike, upward ones only.
    """
    found = []
    for i, value in enumerate(values):
        near = sorted(values[max(0, i - window) : i + window + 1])
        middle = _median(near)
        spread = 1.4826 * _median(sorted(abs(v - middle) for v in near))
        spread = max(spread, 0.01 * abs(middle), 1e-12)
        score = (value - middle) / spread
        if score > threshold:
            found.append((i, middle, score))
    return found


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
