"""Measured numbers as assumptions, and scenarios of a few rows.

A model's own `draw` moves the whole ledger.  Here only the rows that a question needs are drawn,
beside measurements that are read from their record: a row added elsewhere changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from synthecon import Problem, records
from synthecon.economics import formula, model, tco, uncertain
from synthecon.economics.assumption import Assumption, Distribution


def measured(measurement: str, distribution: Distribution = "normal", id: str = "") -> Assumption:
    """A measurement "RECORD#NAME" with its 95 % interval as the middle 95 % of a distribution.

    Raises:
        Problem: no such measurement, or none with an interval at this level.
    """
    _, m = records.find(measurement)
    if m.low is None or m.high is None:
        raise Problem(f"{measurement}: it has no interval")
    if m.level != 0.95:
        raise Problem(f"{measurement}: its interval is at {m.level}, not 0.95")
    if m.low == m.high:
        distribution = "fixed"
    return Assumption(id or m.name, m.low, m.value, m.high, m.unit, distribution)


def needed(m: model.Model, ids: Iterable[str]) -> dict[str, Assumption]:
    """The ledger rows with numbers that these ids rest on, in the order of the ledger.

    Raises:
        Problem: an id that the ledger does not have.
    """
    wanted = set(ids)
    if unknown := sorted(wanted - m.rows.keys() - m.derived.keys()):
        raise Problem(f"{m.folder / 'ledger.csv'}: there is no row {unknown[0]!r}")
    found = model.ancestors(wanted, m.derived)
    return {name: row for name, row in m.rows.items() if name in found}  # type: ignore[misc]


def behind(m: model.Model, items: Sequence[tco.Item]) -> list[str]:
    """Ids of the ledger rows with numbers that the present cost of these items rests on: their
    factors, months and growth, and the discount and tax rates; in the order of the ledger."""
    ids = set(model.NEEDED)
    for item in items:
        ids |= {name for name, _ in item.factors} | {item.growth}
        ids |= {when for when in item.times if isinstance(when, str)}
    known = m.rows.keys() | m.derived.keys()  # a factor may be a number, a growth empty
    return list(needed(m, ids & known))


def own_money(m: model.Model, ids: Iterable[str]) -> None:
    """Refuse amounts that are not in the currency of the company's books.

    Units are checked within the ledger; a cell that reads a single row checks it here.

    Raises:
        Problem: rows that are missing, or in another currency: file, row, field.
    """
    path, wrong = m.folder / "ledger.csv", []
    for name in ids:
        row = m.rows.get(name) or m.derived.get(name)
        if row is None:
            wrong.append(f"{path}: there is no row {name!r}")
        elif row.currency != m.currency:
            wrong.append(
                f"{path}, {name}, currency: {row.currency or 'none'}, but the books are in "
                f"{m.currency}; multiply its formula by an exchange rate, a row in "
                f"{m.currency}/{row.currency or 'USD'}"
            )
    if wrong:
        raise Problem("\n".join(wrong))


def filled(m: model.Model, rows: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with every derived row added that can be computed from them."""
    found = dict(values)
    for name, row in m.derived.items():
        if all(other in found for other in formula.names(row.formula)):
            found[name] = formula.evaluate(row.formula, found)
    return found


def draw(
    m: model.Model, rows: Mapping[str, Assumption], count: int, seed: int
) -> dict[str, np.ndarray]:
    """`count` scenarios of these rows, derived ones added: an array [count] an id."""
    return filled(m, rows, uncertain.draw(rows, count, seed))


def base(m: model.Model, rows: Mapping[str, Assumption]) -> dict[str, float]:
    """The base case of these rows, derived ones added."""
    return filled(m, rows, uncertain.base(rows))
