"""The rubric by which people mark a proposal, and three examples with their marks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthecon import paths

CRITERIA = {
    "ask": 15, "range": 15, "sensitivities": 15, "alternatives": 15, "stop and gates": 15,
    "risks and evidence": 15, "writing": 10,
}  # fmt: skip
"""Criteria of the rubric, which people judge, and the points of their highest level."""
LEVELS = 4


def marks() -> dict[str, dict[str, Any]]:
    """The examples, worst first: form, findings of `review` where the rule says pivot, level and
    reason for each criterion, verdict."""
    file = _examples() / "marks.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def example(name: str) -> str:
    """The text of an example."""
    return (_examples() / f"{name}.md").read_text(encoding="utf-8")


def _examples() -> Path:
    return paths.root() / "solutions" / "lesson-3-strategy" / "examples"


def points(levels: Mapping[str, int]) -> int:
    """Points of a marked page, from 0 to 100: the lowest level of a criterion brings none.

    Raises:
        ValueError: a criterion without a level, or a level that does not exist.
    """
    if levels.keys() != CRITERIA.keys() or not all(1 <= x <= LEVELS for x in levels.values()):
        raise ValueError(f"give a level from 1 to {LEVELS} for each of {', '.join(CRITERIA)}")
    return round(sum(CRITERIA[c] * (x - 1) / (LEVELS - 1) for c, x in levels.items()))
