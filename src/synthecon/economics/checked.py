"""A case's files checked together: what is wrong with any of them is told in one list.

The ledger and the items make the model; sourcing.csv, components.csv and sla.csv stand beside them
and are read by single notebooks, which would find a fault hours later.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from synthecon import Problem
from synthecon.economics import case as cases
from synthecon.economics import components, ledger, model, schedules, tco
from synthecon.economics.model import Model

PLANS = ("buy", "build", "hybrid")
Check = Callable[[Path, Model], list[str]]
"""What is wrong with some files of a folder, a line each; the model may lack what is refused."""


def load(folder: Path, *, fresh: bool = False, also: Check = lambda folder, model: []) -> Model:
    """A case as a model, with every file beside it checked.  fresh: as `model.load`.

    also: checks of files that rooms above this one read.

    Raises:
        Problem: all that is wrong with all files, at once.
    """
    wrong: list[str] = []
    refused: frozenset[str] = frozenset()
    try:
        found = model.load(folder, fresh=fresh)
    except Problem as problem:
        wrong += str(problem).splitlines()
        rows, refused = model.readable(folder / "ledger.csv")
        own = {k: row for k, row in rows.items() if isinstance(row, ledger.Row)}
        other = {k: row for k, row in rows.items() if isinstance(row, ledger.Derived)}
        found = Model(folder, cast(Any, None), own, other, [])
    beside = check(folder, found) + also(folder, found)
    wrong += model.innocent(beside, refused)
    if wrong:
        raise Problem("\n".join(dict.fromkeys(wrong)))
    return found


def check(folder: Path, found: Model) -> list[str]:
    """All faults of sourcing.csv, components.csv and sla.csv; one that is not there has none.

    found: without items, components are not checked.
    """
    known = {**found.rows, **found.derived}
    readers: dict[str, Callable[[Path], object]] = {
        "sourcing.csv": lambda path: tco.read(
            path, known, cases.read_policy(folder).currency, found.months, PLANS
        ),
        "components.csv": lambda path: not found.items or components.read(path, found.items),
        "sla.csv": schedules.read,
    }
    wrong: list[str] = []
    for name, read in readers.items():
        if (folder / name).exists():
            try:
                read(folder / name)
            except Problem as problem:
                wrong += str(problem).splitlines()
    return wrong
