"""Schedules of credits of a case, sla.csv: one row a tier, every number with its source and owner.

A wrong file is refused whole, and with all its errors at once.  Standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

from synthecon import Problem
from synthecon.economics import ledger, table
from synthecon.economics.service import Tier

NAMES = ("vendor", "finer", "own")
SOURCE_TYPES = ("quote", "public", "expert", "illustrative")


@dataclass(frozen=True)
class Step:
    """One row: below this availability of a month, this share of the month's fee comes back.

    schedule: vendor (its standard), finer (what you could ask for) or own (what you promise to
    customers).  below: above 0, at most 1.  credit: 0 to 1.  source_type: quote (a contract or an
    offer), public (a page that was opened), expert or illustrative.  owner: who answers for it.
    """

    schedule: str
    below: float
    credit: float
    source_type: str
    source: str
    owner: str


COLUMNS = tuple(field.name for field in fields(Step))


def read(path: Path) -> list[Step]:
    """The steps of all schedules, in the order of the file.

    Raises:
        Problem: everything that is wrong with the file, at once: file, line, field.
    """
    lines, wrong = table.read(path, COLUMNS)
    steps: list[tuple[int, Step]] = []
    for line, text in lines:
        step, faults = _step(text)
        wrong += [f"{path}, line {line}, {fault}" for fault in faults]
        steps += [(line, step)] if step else []
    if not wrong:
        wrong += [
            f"{path}: no schedule {n!r}" for n in NAMES if not tiers((s for _, s in steps), n)
        ]
        for name in NAMES:
            own = sorted(((s.below, s.credit, at) for at, s in steps if s.schedule == name))
            for (low, more, first), (high, less, second) in pairwise(own):
                if low == high:
                    where = f"{path}, line {max(first, second)}, below"
                    wrong.append(f"{where}: {name!r} has {low:g} on line {min(first, second)} too")
                elif more < less:
                    wrong.append(
                        f"{path}, line {first}, credit: {more:g} below {low:g}, but line {second} "
                        f"pays {less:g} below {high:g}: a worse month must not earn less"
                    )
    if wrong:
        raise Problem("\n".join(wrong))
    return [step for _, step in steps]


def _step(text: dict[str, str]) -> tuple[Step | None, list[str]]:
    wrong = [f"{name}: empty; fill it in" for name in COLUMNS if not text[name]]
    if text["schedule"] and text["schedule"] not in NAMES:
        wrong.append(f"schedule: {text['schedule']!r} is none of {', '.join(NAMES)}")
    numbers: dict[str, float] = {}
    for name, least in (("below", "above 0"), ("credit", "from 0")):
        try:
            value = float(text[name] or "nan")
        except ValueError:
            wrong.append(f"{name}: {text[name]!r} is not a number (99.9 % is 0.999)")
            continue
        inside = 0 < value <= 1 if name == "below" else 0 <= value <= 1
        if text[name] and not (math.isfinite(value) and inside):
            wrong.append(f"{name}: {text[name]} is not a share {least} to 1 (99.9 % is 0.999)")
        numbers[name] = value
    kind = text["source_type"]
    if kind and kind not in SOURCE_TYPES:
        wrong.append(f"source_type: {kind!r} is none of {', '.join(SOURCE_TYPES)}")
    if kind in ledger.SOURCES and text["source"]:
        pattern, told = ledger.SOURCES[kind]
        if not re.search(pattern, text["source"]):
            wrong.append(f"source: {kind}, but without {told}")
    return (None if wrong else Step(**{**text, **numbers})), wrong  # type: ignore[arg-type]


def tiers(steps: Iterable[Step], name: str) -> list[Tier]:
    """One schedule as `service.credit` takes it, highest threshold first."""
    return sorted(((s.below, s.credit) for s in steps if s.schedule == name), reverse=True)
