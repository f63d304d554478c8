"""A company's own values for the calculators, by id from its ledger, its service levels, records.

Here, and not in the calculators themselves, because a model needs NumPy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

from synthecon import Problem, records
from synthecon.economics import model as models
from synthecon.economics import schedules
from synthecon.economics.calculators import ALL, Calculator
from synthecon.economics.calculators_view import Answer, answer
from synthecon.economics.model import Model

SLA = "sla.csv#"
TIERS = 3  # that the calculator has fields for


def values(
    model: Model,
    calculator: Calculator,
    base: Mapping[str, float] | None = None,
    given: Collection[str] = (),
) -> dict[str, float]:
    """A value for every field.

    base: values of the ledger's ids, if not those of the base case; given: fields to leave out,
    because somebody gives them.

    Raises:
        Problem: sources that the company's files lack, all at once.
    """
    base = model.base() if base is None else base
    found: dict[str, float] = {}
    wrong: list[str] = []
    for field in (field for field in calculator.inputs if field.id not in given):
        try:
            found[field.id] = _one(model, field.source, base)
        except LookupError as error:
            told = str(error.args[0])
            wrong.append(f"{told}; add it, or give {field.id}=… yourself ({field.label.lower()})")
    if wrong:
        raise Problem("\n".join(wrong))
    return found


def _one(model: Model, source: str, base: Mapping[str, float]) -> float:
    if source.startswith(SLA):
        return _tier(model.folder / "sla.csv", source.removeprefix(SLA))
    if "#" in source:
        return _measured(source)
    if source not in base:
        raise LookupError(f"{model.folder / 'ledger.csv'}: there is no row {source!r}")
    return float(base[source])


@lru_cache(maxsize=64)
def _measured(source: str) -> float:
    return float(records.find(source)[1].value)


@lru_cache(maxsize=64)
def _tier(path: Path, place: str) -> float:
    """ "vendor.2.below": the second mildest tier of a schedule; the strictest stands for those that
    it does not have."""
    schedule, row, column = place.split(".")
    if not path.is_file():
        raise LookupError(f"{path}: there is no such file")
    steps = sorted(
        (s for s in schedules.read(path) if s.schedule == schedule), key=lambda s: -s.below
    )
    if len(steps) > TIERS:
        raise Problem(f"{path}: {schedule} has {len(steps)} tiers, the calculator {TIERS}")
    return float(getattr(steps[min(int(row), len(steps)) - 1], column))


def at_base(model: Model, calculator: Calculator) -> Answer:
    """What the calculator says at a company's base values.

    Raises:
        Problem: a source that is missing, or a value that the calculator refuses.
    """
    try:
        return answer(calculator, values(model, calculator), model.currency)
    except ValueError as error:
        raise Problem(f"{model.folder}: {calculator.id}: {error}") from None


def everything(folder: Path) -> dict[str, Answer]:
    """Every calculator at a company's base values, by id."""
    found = models.load(folder)
    return {one.id: at_base(found, one) for one in ALL}
