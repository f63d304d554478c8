"""The moat in numbers: metrics for a board, and what a rival gets without what is ours.

Metrics stand in metrics.csv: inputs with a value and a source, and metrics whose source is a
formula over inputs, each with unit, target and definition.  Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol, get_args

from synthecon import Problem, records, stats
from synthecon.economics import formula, ledger, table, units

COLUMNS = (
    "id", "name", "value", "unit", "target", "better", "definition", "source_type", "source",
    "as_of", "owner", "note",
)  # fmt: skip
NEEDED = (
    "metric.generation-throughput", "metric.deployment-velocity", "metric.adoption",
    "metric.unique-data", "metric.generation-ip", "metric.time-to-market",
)  # fmt: skip
"""What a board is shown, in this order."""
TYPES = tuple(t for t in get_args(ledger.SourceType) if t not in ("transfer",))


@dataclass(frozen=True)
class Metric:
    """A metric with its value.  better: above or below the target.  kinds: source types of the
    inputs that it rests on, sorted."""

    id: str
    name: str
    value: float
    unit: str
    target: float
    better: str
    definition: str
    formula: str
    inputs: tuple[str, ...]
    kinds: tuple[str, ...]
    owner: str

    @property
    def met(self) -> bool:
        over, under = self.value >= self.target, self.value <= self.target
        return over if self.better == "above" else under


def read(path: Path, find: Callable = records.find) -> dict[str, Metric]:  # type: ignore[type-arg]
    """The metrics of a company, computed; those of NEEDED first.

    A *measured* input has no value in the file: it comes from the record that its source names.

    Raises:
        Problem: everything that is wrong with the file, at once: file, line, field; a metric of
            NEEDED that is missing.
    """
    lines, wrong = table.read(path, COLUMNS)
    values: dict[str, float] = {}
    rows: dict[str, dict[str, str]] = {}
    at: dict[str, int] = {}
    fine: list[str] = []  # metrics whose own row is in order
    for line, cells in lines:
        faults = _faults(cells)
        if cells["id"] in at:
            faults.append(f"id: {cells['id']!r} is already on line {at[cells['id']]}")
        if not faults and cells["source_type"] != "derived":
            try:
                values[cells["id"]] = _value(cells, find)
            except Problem as problem:
                faults.append(f"source: {problem}")
        elif not faults:
            fine.append(cells["id"])
        at.setdefault(cells["id"], line)
        rows.setdefault(cells["id"], cells)
        wrong += [f"{path}, line {line}, {fault}" for fault in faults]
    wrong += [f"{path}: there is no row {name!r}" for name in NEEDED if name not in rows]
    found: dict[str, Metric] = {}
    known = {k: units.parse(rows[k]["unit"]) for k in values}
    for name in fine:
        metric, faults = _metric(rows[name], rows, values, known)
        wrong += [f"{path}, line {at[name]}, {fault}" for fault in faults]
        found |= {name: metric} if metric else {}
    wrong += [
        f"{path}, line {at[name]}, source_type: a metric is derived"
        for name in NEEDED
        if name in rows and rows[name]["source_type"] in set(TYPES) - {"derived"}
    ]
    if wrong:
        raise Problem("\n".join(wrong))
    order = (*NEEDED, *(k for k in found if k not in NEEDED))
    return {k: found[k] for k in order}


def _faults(cells: Mapping[str, str]) -> list[str]:
    """What is wrong with a row by itself, field by field."""
    derived, measured = (cells["source_type"] == t for t in ("derived", "measured"))
    needed = ["id", "name", "unit", "definition", "source_type", "source", "as_of", "owner"]
    needed += ["target", "better"] if derived else [] if measured else ["value"]
    empty = ["value"] if derived else ["target", "better", *(["value"] if measured else [])]
    wrong = [f"{k}: empty" for k in needed if not cells[k]]
    kind = "derived" if derived else "measured" if measured else "no metric"
    wrong += [f"{k}: must be empty, the row is {kind}" for k in empty if cells[k]]
    if cells["source_type"] and cells["source_type"] not in TYPES:
        wrong.append(f"source_type: {cells['source_type']!r} is not one of {', '.join(TYPES)}")
    if derived and cells["better"] and cells["better"] not in ("above", "below"):
        wrong.append(f"better: {cells['better']!r} is neither above nor below")
    for name in ("value", "target"):
        try:
            ok = not cells[name] or math.isfinite(float(cells[name]))
        except ValueError:
            ok = False
        if not ok:
            wrong.append(f"{name}: {cells[name]!r} is no finite number (write 1234.5)")
    try:
        date.fromisoformat(cells["as_of"] or "2000-01-01")
    except ValueError:
        wrong.append(f"as_of: {cells['as_of']!r} is no date (write 2026-01-31)")
    try:
        units.parse(cells["unit"] or "1")
    except units.UnitError as error:
        wrong.append(f"unit: {error}")
    return wrong


def _value(cells: Mapping[str, str], find: Callable) -> float:  # type: ignore[type-arg]
    if cells["source_type"] != "measured":
        return float(cells["value"])
    _, measurement = find(cells["source"])
    if measurement.unit != cells["unit"]:
        raise Problem(f"is in {measurement.unit!r}, and the row says {cells['unit']!r}")
    return float(measurement.value)


def _metric(
    cells: Mapping[str, str],
    rows: Mapping[str, Mapping[str, str]],
    values: Mapping[str, float],
    known: Mapping[str, units.Unit],
) -> tuple[Metric | None, list[str]]:
    try:
        parsed = formula.parse(cells["source"])
    except formula.FormulaError as error:
        return None, [f"source: {error}"]
    inputs = tuple(dict.fromkeys(formula.names(parsed)))
    unknown = [n for n in inputs if n not in rows or rows[n]["source_type"] == "derived"]
    if unknown:
        return None, [f"source: there is no input {unknown[0]!r}; add it or correct the id"]
    if any(n not in values for n in inputs):
        return None, []  # that row's own fault is told already
    try:
        unit = formula.unit(parsed, known)
        value = float(formula.evaluate(parsed, values))
    except formula.FormulaError as error:
        return None, [f"source: {error}"]
    except ZeroDivisionError:
        zero = ", ".join(n for n in inputs if values[n] == 0)
        return None, [f"source: divides by zero ({zero}); a share of nothing is no number"]
    if unit != units.parse(cells["unit"]):
        return None, [f"unit: {cells['unit']!r}, but the formula gives {units.show(unit)!r}"]
    kinds = tuple(sorted({rows[n]["source_type"] for n in inputs}))
    texts = {k: cells[k] for k in ("id", "name", "unit", "better", "definition", "owner")}
    target = float(cells["target"])
    return Metric(
        **texts, value=value, target=target, formula=cells["source"], inputs=inputs, kinds=kinds
    ), []


class HasInterval(Protocol):
    """A measured gain with the ends of its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def level(self) -> float | None: ...
    @property
    def n(self) -> int | None: ...


def rival_share(own: HasInterval, public: HasInterval) -> stats.Interval:
    """Share of an advantage that a rival has too: gain with what is public over gain with what is
    ours, with Fieller's interval (1954) for a ratio of two independent means.

    0: nothing, a moat as far as this goes.  1 or more: no moat.  Both gains must have been measured
    against the same baseline.  Where they share splits, they are not independent; if what is good
    for one is good for the other, the interval is too wide, and never too narrow.

    Raises:
        ValueError: no interval, or levels that differ; an own gain whose interval reaches zero: a
            share of nothing is no number.
    """
    ends = [m.low is not None and m.high is not None for m in (own, public)]
    if not all(ends) or own.level != public.level:
        raise ValueError("both gains need an interval, at the same level")
    half, other = ((m.high - m.low) / 2 for m in (own, public))  # type: ignore[operator]
    square = own.value**2 - half**2
    if own.value <= 0 or square <= 0:
        raise ValueError("our own gain is not shown to be above zero: there is nothing to share")
    # The ends solve (public − share · own)² = other² + share² · half².
    middle = public.value * own.value / square
    reach = math.sqrt((public.value * half) ** 2 + other**2 * square) / square
    return stats.Interval(
        public.value / own.value, middle - reach, middle + reach, float(own.level or 0),
        min(own.n or 0, public.n or 0), "Fieller, independent means",
    )  # fmt: skip
