"""Every small file of a case that lesson 3 reads, checked at once.

Beside its ledger a company may keep metrics.csv, gates.csv, datasets.csv, stakeholders.csv and
adoption.csv.  Each has a reader of its own that refuses it; here all of them say what is wrong
before anybody starts to mend.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from synthecon import Problem
from synthecon.economics import table
from synthecon.economics.model import Model
from synthecon.strategy import adoption, buyin, gates, moat

NAMES = ("metrics.csv", "gates.csv", "datasets.csv", "stakeholders.csv", "adoption.csv")


def check(folder: Path, model: Model) -> list[str]:
    """All faults of those files of NAMES that the folder has, in that order: file, line, field.

    model: of the same company; stakeholders name rows of its ledger.  What is not there is no
    fault here, except gates.csv beside a datasets.csv, which cannot be read without it.
    """
    readers: dict[str, Callable[[Path], object]] = {
        "metrics.csv": moat.read,
        "gates.csv": gates.read_gates,
        "datasets.csv": lambda path: gates.read_datasets(path, _measures(folder / "gates.csv")),
        "stakeholders.csv": lambda path: buyin.read(path, model.rows),
        "adoption.csv": adoption.read,
    }
    wrong: list[str] = []
    for name in NAMES:
        if not (folder / name).exists():
            continue
        try:
            readers[name](folder / name)
        except Problem as problem:
            wrong += str(problem).splitlines()
    return list(dict.fromkeys(wrong))


def _measures(path: Path) -> list[gates.Gate]:
    """The gates as far as a register needs them: what each looks at.  Faults elsewhere in their
    rows are told by their own reader, and must not hide the register's.

    Raises:
        Problem: no file, or none of these columns.
    """
    lines, _ = table.read(path, gates.GATES)
    return [
        gates.Gate(cells["gate"], cells["measure"], "", "", 0.0, "", "", "") for _, cells in lines
    ]
