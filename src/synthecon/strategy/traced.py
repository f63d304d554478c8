"""`synthecon trace`: follow a ledger row, an item, an output, or a number of the board's documents.

The first three are the business of `economics.trace`; the documents know the rest.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path

from synthecon import Problem, paths
from synthecon.economics import model as models
from synthecon.economics import outcome
from synthecon.economics import trace as tracing
from synthecon.economics.model import Model
from synthecon.strategy import board, facts, printable

BOTH = (*outcome.MEASURES, *printable.NEEDED)
"""Ids that the case and its documents may share."""


def trace(model: Model, key: str) -> list[str]:
    """Everything about an id of the case or of its documents, as lines of text.

    Raises:
        Problem: neither the case nor a document has this id.
    """
    lines: list[str] = []
    try:
        lines = tracing.trace(model, key)
        if key not in BOTH and not tracing.short(key):
            return lines
    except Problem as problem:
        unknown = problem
    try:
        found = facts.collect(model)
    except Problem:  # no board has said what it demands: then there are no documents either
        found = {}
    if key in found:
        where = [name for name, keys in board.printed(model, found).items() if key in keys]
        about = facts.proposed(model, found)
        lines += [""] * bool(lines) + facts.explain(key, about, found)
        lines += ["", f"Printed in: {', '.join(where) or 'no document'}"]
    if not lines:
        near = difflib.get_close_matches(key, found, 5, 0.6)
        more = f"; of the documents' numbers: {', '.join(near)}" if near else ""
        raise Problem(f"{unknown}{more}")
    return lines


def main(arguments: Sequence[str]) -> int:
    """`synthecon trace`."""
    parser = argparse.ArgumentParser(
        prog="synthecon trace",
        description="Follow a ledger row, an item, an output, or a number of the board's documents "
        "from its source to where it shows.",
    )
    parser.add_argument("id", metavar="ID", help="as in ledger.csv, items.csv or the appendix")
    parser.add_argument("folder", nargs="?", type=Path, help="case folder (case)")
    options = parser.parse_args(arguments)
    print("\n".join(trace(models.load(options.folder or paths.root() / "case"), options.id)))
    return 0
