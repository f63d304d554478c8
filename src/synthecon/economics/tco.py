"""Total cost of ownership: cost items × assumptions × time, for one choice of values or many.

items.csv says what costs; assumptions say how much.  An item's amount is a product of ledger rows
whose units must come out as money (once) or money a month.  Nothing here is drawn at random: give
it one value an assumption, or an array of them, one a scenario.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np

from synthecon import Problem
from synthecon.economics import ledger, table, units

Category = Literal["CapEx", "OpEx", "People", "Opportunity"]
Line = Literal["COGS", "R&D", "S&M", "G&A", "Capex", "none"]
Kind = Literal["once", "monthly"]
When = float | str
"""A month, 0 is now; or the ledger id of one."""
SCENARIOS = ("status-quo", "pipeline")
COLUMNS = (
    "id", "name", "scenario", "category", "line", "cash", "kind", "start", "ramp", "end", "fade",
    "factors", "growth", "note",
)  # fmt: skip
TIMES = {
    "start": "",
    "ramp": "0",
    "end": "",
    "fade": "0",
}  # what an empty cell means; end: the last

Values = Mapping[str, float | np.ndarray]
"""A value an assumption, or an array of them: one a scenario."""


class HasUnit(Protocol):
    """What the items need to know of a ledger row."""

    @property
    def unit(self) -> str: ...


@dataclass(frozen=True)
class Item:
    """One row of items.csv.

    scenario: which choices it belongs to; all of them where the file says so.  category: where the
    TCO shows it.  line: where the profit and loss statement does; Opportunity is on no line and is
    never cash.
    kind: once (in month `start`; 0 is now) or monthly, paid at the end of each month from 1 on.
    start, ramp, end, fade: a monthly item comes up over `ramp` months from month `start`, is full
    until month `end`, and goes down to nothing over the `fade` months after it.
    factors: ledger ids and numbers joined by * and /; growth: the ledger id of a yearly rate, or
    empty.
    """

    id: str
    name: str
    scenario: tuple[str, ...]
    category: Category
    line: Line
    cash: bool
    kind: Kind
    start: When
    ramp: When
    end: When
    fade: When
    factors: tuple[tuple[str, int], ...]
    growth: str
    note: str

    @property
    def times(self) -> tuple[When, When, When, When]:
        return self.start, self.ramp, self.end, self.fade

    def shape(self, months: int, values: Values) -> np.ndarray:
        """How much of the full amount falls into each month, 0 to `months`: [months + 1], or
        [S, months + 1] where a month is an assumption.  A month between two is shared by both."""
        t = np.arange(months + 1)
        start, ramp, end, fade = (
            np.asarray(values[w] if isinstance(w, str) else w, dtype=float)[..., None]
            for w in self.times
        )
        if self.kind == "once":
            return np.clip(1 - np.abs(t - start), 0, 1)
        rise = np.clip((t - start + 1) / np.maximum(ramp, 1), 0, 1)
        fall = np.clip(1 - (t - end) / (fade + 1), 0, 1)
        return np.minimum(rise, fall) * (t > 0)


def read(
    path: Path,
    assumptions: Mapping[str, HasUnit],
    currency: str,
    months: int,
    scenarios: Sequence[str] = SCENARIOS,
) -> list[Item]:
    """The items, their ids found in the ledger and their units checked.

    scenarios: the choices that the file compares; "both" or "all" in a cell means every one.

    Raises:
        Problem: everything that is wrong with the file, at once: file, line, field.
    """
    lines, wrong = table.read(path, COLUMNS)
    items: list[Item] = []
    first: dict[str, int] = {}
    for line, cells in lines:
        item, faults = _item(cells, assumptions, currency, months, scenarios)
        if first.setdefault(cells["id"], line) != line:
            faults.append(f"id: {cells['id']!r} is already on line {first[cells['id']]}")
        wrong += [f"{path}, line {line}, {fault}" for fault in faults]
        items += [item] if item else []
    if not wrong and not items:
        wrong.append(f"{path}: no item; one line each below the header")
    if wrong:
        raise Problem("\n".join(wrong))
    return items


def _item(
    cell: Mapping[str, str],
    assumptions: Mapping[str, HasUnit],
    currency: str,
    months: int,
    scenarios: Sequence[str],
) -> tuple[Item | None, list[str]]:
    wrong = []
    choices = {
        "category": get_args(Category),
        "line": get_args(Line),
        "cash": ("yes", "no"),
        "kind": get_args(Kind),
    }
    for name, allowed in choices.items():
        if cell[name] not in allowed:
            wrong.append(f"{name}: {cell[name]!r} is none of {', '.join(allowed)}")
    every = cell["scenario"] in ("both", "all")
    belongs = tuple(scenarios) if every else tuple(cell["scenario"].split())
    if not belongs or not set(belongs) <= set(scenarios):
        wrong.append(f"scenario: {cell['scenario']!r} is none of {', '.join(scenarios)}, both, all")
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", cell["id"]):
        wrong.append(f"id: {cell['id']!r} may have only a-z, 0-9 and single dots or hyphens")
    if not cell["name"]:
        wrong.append("name: empty")
    times = {name: _when(name, cell[name], assumptions, months, wrong) for name in TIMES}
    start, end = times["start"], times["end"]
    if isinstance(start, float) and isinstance(end, float) and end < start:
        wrong.append(f"end: month {end:g} is before start {start:g}")
    if cell["category"] == "Opportunity" and cell["cash"] != "no":
        wrong.append("cash: Opportunity is no cash; write no")
    if (cell["category"] == "Opportunity") != (cell["line"] == "none"):
        wrong.append("line: Opportunity stands on line none, and nothing else does")
    if cell["kind"] == "once":
        wrong += [
            f"{name}: an item that is paid once has none; empty it"
            for name in ("ramp", "end", "fade")
            if cell[name]
        ]
    if cell["fade"] and not cell["end"]:
        wrong.append("fade: goes down after end, and end is empty; fill it in")
    if (cell["category"] == "CapEx") != (cell["line"] == "Capex"):
        wrong.append("line: CapEx stands on line Capex, and nothing else does")
    factors = _factors(cell["factors"], assumptions, wrong)
    if factors and not wrong:
        unit = units.product(
            (units.parse(assumptions[name].unit), power)
            for name, power in factors
            if name in assumptions
        )
        wanted = units.parse(currency if cell["kind"] == "once" else f"{currency}/month")
        if unit != wanted:
            wrong.append(
                f"factors: they come out as {units.show(unit)}, a {cell['kind']} item needs "
                f"{units.show(wanted)}"
            )
    if cell["growth"] and cell["growth"] not in assumptions:
        wrong.append(f"growth: the ledger has no row {cell['growth']!r}; add it or correct the id")
    elif cell["growth"] and units.parse(assumptions[cell["growth"]].unit) != units.parse("1/year"):
        wrong.append(
            f"growth: {cell['growth']} is in {assumptions[cell['growth']].unit}, not 1/year"
        )
    if wrong:
        return None, wrong
    texts = {k: cell[k] for k in ("id", "name", "category", "line", "kind", "growth", "note")}
    cash = cell["cash"] == "yes"
    return Item(**texts, **times, scenario=belongs, cash=cash, factors=factors), []  # type: ignore[arg-type]


def _when(
    name: str, text: str, assumptions: Mapping[str, HasUnit], months: int, wrong: list[str]
) -> When:
    """A month from a cell: a number, or the id of a ledger row in months."""
    text = text or TIMES[name] or (str(months) if name == "end" else "")
    if text in assumptions:
        if units.parse(assumptions[text].unit) != units.parse("month"):
            wrong.append(f"{name}: {text} is in {assumptions[text].unit}, not months")
        row = assumptions[text]
        if isinstance(row, ledger.Row) and (row.low < 0 or row.high > months):
            wrong.append(
                f"{name}: {text} reaches from {row.low:g} to {row.high:g}, and what lies outside "
                f"months 0 to {months} would not be counted"
            )
        return text
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) > months:
        wrong.append(f"{name}: {text!r} is no month from 0 to {months}, and no id of the ledger")
        return float("nan")  # before and after nothing: it is told once
    return float(text)


def _factors(
    text: str, assumptions: Mapping[str, HasUnit], wrong: list[str]
) -> tuple[tuple[str, int], ...]:
    """ "a * b / 1000" as pairs of an id or number and its power."""
    if not text:
        wrong.append("factors: empty; write ledger ids joined by * and /")
        return ()
    parts = re.split(r"\s*([*/])\s*", text.strip())
    found = []
    for sign, name in zip(["*", *parts[1::2]], parts[::2], strict=True):
        number = re.fullmatch(r"\d+(\.\d+)?", name)
        if not number and name not in assumptions:
            wrong.append(
                f"factors: the ledger has no row {name!r}; "
                + (
                    "a sum is a derived row of its own"
                    if re.search("[ ()+]", name)
                    else "add it or correct the id"
                )
            )
        if number and not float(name):
            wrong.append("factors: a factor of zero; leave the item out")
        found.append((name, -1 if sign == "/" else 1))
    return tuple(found)


def amount(item: Item, values: Values) -> np.ndarray:
    """The item's full amount, once or a month: [] or [scenarios]."""
    total: float | np.ndarray = 1.0
    for name, power in item.factors:
        factor = values[name] if name in values else float(name)
        total = total * factor if power > 0 else total / factor
    return np.asarray(total, dtype=float)


def flows(items: Sequence[Item], values: Values, months: int) -> np.ndarray:
    """The cost of some items in each month, as positive money: [months + 1] or [S, months + 1].

    Items with the same growth and the same course in time are summed first: a hundred thousand
    scenarios of a hundred items are a few products of matrices.
    """
    years = np.arange(months + 1) / 12
    groups: dict[str, dict[tuple, list[Item]]] = {}
    for item in items:
        groups.setdefault(item.growth, {}).setdefault((item.kind, *item.times), []).append(item)
    total = np.zeros(months + 1)
    for growth, courses in groups.items():
        each = np.zeros(months + 1)
        for some in courses.values():
            level = sum((amount(item, values) for item in some), np.zeros(()))
            each = each + np.asarray(level)[..., None] * some[0].shape(months, values)
        if growth:
            each = each * np.exp(np.log1p(np.asarray(values[growth], float))[..., None] * years)
        total = total + each
    return total


@dataclass(frozen=True)
class Plan:
    """What turns cost into value.  rate: discount rate a year, nominal; tax: share; life: years
    over which CapEx is depreciated straight-line."""

    months: int
    rate: float | np.ndarray
    tax: float | np.ndarray
    life: float


def after_tax(items: Sequence[Item], values: Values, plan: Plan) -> np.ndarray:
    """Cash cost by month after tax; opportunity cost left out.

    Operating cost lowers tax in its month; CapEx through depreciation over `life` years, begun in
    the month after it was spent.  What is not yet depreciated at the end lowers tax then.
    """
    cash = [item for item in items if item.cash]
    capital = flows([i for i in cash if i.category == "CapEx"], values, plan.months)
    operating = flows([i for i in cash if i.category != "CapEx"], values, plan.months)
    tax = np.asarray(plan.tax, dtype=float)[..., None]
    return capital + operating * (1 - tax) - tax * depreciation(capital, round(12 * plan.life))


def depreciation(capital: np.ndarray, life: int) -> np.ndarray:
    """Straight-line from the month after each outlay, over `life` months; the rest in the last."""
    if life < 1:
        raise ValueError(f"a life of {life} months: at least one")
    charge = np.zeros_like(capital)
    last = capital.shape[-1] - 1
    for month in range(last + 1):
        spent = capital[..., month]
        if not np.any(spent):
            continue
        until = min(last, month + life)
        charge[..., month + 1 : until + 1] += spent[..., None] / life
        charge[..., last] += spent * (1 - (until - month) / life)
    return charge


CHUNK = 2048  # scenarios at a time: their 37 months stay in a core's cache


def chunks(values: Values, size: int = CHUNK) -> Iterator[Values]:
    """The scenarios in portions of `size`; all at once where there is one only."""
    count = max((np.size(v) for v in values.values()), default=1)
    if count <= size:
        yield values
        return
    for start in range(0, count, size):
        some = slice(start, start + size)
        yield {k: v[some] if np.size(v) > 1 else v for k, v in values.items()}  # type: ignore[index]


def present(costs: np.ndarray, rate: float | np.ndarray) -> np.ndarray:
    """Present value of monthly costs, month 0 now, at a yearly rate: [...]."""
    t = np.arange(costs.shape[-1]) / 12
    factors = np.exp(-np.log1p(np.asarray(rate, dtype=float))[..., None] * t)
    return (costs * factors).sum(-1)


def of(items: Sequence[Item], scenario: str) -> list[Item]:
    """The items of one scenario."""
    return [item for item in items if scenario in item.scenario]


def advantage(items: Sequence[Item], values: Values, plan: Plan) -> np.ndarray:
    """Cash that the pipeline saves against the status quo, month by month, after tax."""
    quo, pipe = (after_tax(of(items, s), values, plan) for s in SCENARIOS)
    return quo - pipe


def npv(items: Sequence[Item], values: Values, plan: Plan) -> np.ndarray:
    """Net present value of the pivot: [] or [scenarios]."""
    return present(advantage(items, values, plan), plan.rate)
