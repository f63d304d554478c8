"""Every number that a document for the board may print, by id, with what it rests on.

The documents hold words and ids; the numbers come from here, each printed in one way everywhere.
A number that no fact holds cannot reach a page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date

from synthecon import Problem
from synthecon.economics import uncertain
from synthecon.economics.model import Model
from synthecon.strategy import choices, facts_calculators, facts_decision, facts_money
from synthecon.strategy.printable import NEEDED, Collector, Fact, exact, in_unit


def collect(model: Model, scenarios: int = 16384, seed: int = 1) -> dict[str, Fact]:
    """Every number that any document may print, by id.

    They are about one option: the best that the board's rule lets pass, or the best of all.

    scenarios: best a power of two.  Same arguments, same facts.

    Raises:
        Problem: the ledger lacks the rows in which the board says what it demands.
    """
    _check(model)
    drawn = uncertain.draw(model.rows, scenarios, seed)
    every = choices.options(model)
    results = {name: choices.result(one, model.fill(drawn)) for name, one in every.items()}
    chance, limit = (model.rows[f"board.{k}"].base for k in ("min-probability", "cash-limit"))
    best, passed = choices.choose(results, chance, limit)
    book = Collector(every[best])
    base = model.base()
    facts_decision.case(book, scenarios, seed)
    facts_decision.options(book, every, results, best)
    facts_money.returns(book, base, drawn, results[best])
    facts_money.costs(book, base)
    facts_money.accounts(book, base, drawn)
    facts_decision.sensitivities(book)
    facts_decision.evidence_kinds(book, seed)
    facts_decision.risks(book, drawn)
    facts_money.effects(book, base)
    facts_money.curve(book, base, drawn)
    facts_decision.stresses(book, drawn, results[best])
    facts_decision.verdict(book, passed)
    facts_decision.gates(book, base, drawn)
    facts_decision.data_sets(book)
    facts_decision.conditions(book, base, drawn)
    facts_calculators.add(book)
    return book.found


def proposed(model: Model, found: Mapping[str, Fact]) -> Model:
    """The option that the facts are about."""
    return choices.options(model)[found["option.id"].text]


def _check(model: Model) -> None:
    wrong = []
    for name, unit in NEEDED.items():
        row = model.rows.get(name)
        unit = model.currency if unit == "money" else unit
        if row is None or row.distribution != "fixed" or row.unit != unit:
            wrong.append(
                f"{model.folder / 'ledger.csv'}: a board's documents need a row {name!r}, "
                f"fixed, in {unit}"
            )
    if wrong:
        raise Problem("\n".join(wrong))


def fingerprint(fact: Fact, model: Model) -> str:
    """Twelve hex digits of what the fact says and rests on: another text or source, another one."""
    items = {item.id: item for item in model.items}
    known = {**items, **model.rows, **model.derived}
    lines = [fact.id, fact.text]
    for name in fact.evidence:
        if name == "items.csv":
            lines += [repr(item) for item in model.items]
        elif name == "ledger.csv":
            lines += [repr(known[key]) for key in sorted(model.used)]
        elif name in known:
            lines.append(repr(known[name]))
        elif (file := model.folder / name).is_file():
            lines.append(hashlib.sha256(file.read_bytes()).hexdigest())
        else:
            lines.append(name)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def explain(key: str, model: Model, found: Mapping[str, Fact] | None = None) -> list[str]:
    """A fact and what it rests on, as lines of text.

    Raises:
        Problem: no such fact.
    """
    found = found or collect(model)
    if key not in found:
        near = [name for name in found if key in name] or sorted(found)
        raise Problem(f"no fact {key!r}; facts are {', '.join(near[:12])}")
    fact = found[key]
    lines = [f"{fact.id}: {fact.title}", f"  {fact.text}"]
    if isinstance(fact.value, float):
        lines.append(f"  exactly {exact(fact.value)} {fact.unit}".rstrip())
    if fact.low is not None and fact.high is not None:
        lines.append(f"  from {exact(fact.low)} to {exact(fact.high)} over the scenarios")
    lines += [f"  hash {fingerprint(fact, model)}", "", "Rests on"]
    items = {item.id: item for item in model.items}
    for name in fact.evidence:
        if name == "items.csv":
            lines.append(f"  {name}: all {len(items)} items")
        elif name == "ledger.csv":
            lines.append(f"  {name}: the {len(model.used)} rows that the items use")
        elif name in items:
            lines.append(f"  {name}: item, {items[name].name}")
        elif name in model.rows:
            row = model.rows[name]
            lines.append(f"  {name}: {in_unit(row.base, row)}, {row.source_type}: {row.source}")
        elif name in model.derived:
            lines.append(f"  {name} = {model.derived[name].source}")
        else:
            lines.append(f"  {name}")
    return lines


def opened(found: Mapping[str, Fact]) -> date:
    """The day that the documents bear: the first of the month of the decision."""
    year, month = str(found["ask.date"].value).split("-")
    return date(int(year), int(month), 1)
