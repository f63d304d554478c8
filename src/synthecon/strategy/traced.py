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
from synthecon.strategy.printable import Fact

BOTH = (*outcome.MEASURES, *printable.NEEDED)
"""Ids that the case and its documents may share."""


def trace(model: Model, key: str) -> list[str]:
    """Everything about an id of the case or of its documents, as lines of text.

    Raises:
        Problem: neither the case nor a document has this id.
    """
    found: dict[str, Fact] = {}
    if not _of_the_case(model, key):
        try:
            found = board.collect(model)
        except Problem:  # no board has said what it demands: then there are no documents either
            found = {}
    lines: list[str] = []
    if key in found:  # the case's own number first; what else bears the name comes after it
        where = [name for name, keys in board.printed(model, found).items() if key in keys]
        lines = facts.explain(key, facts.proposed(model, found), found)
        lines += ["", f"Printed in: {', '.join(where) or 'no document'}"]
    try:
        return [*lines, *[""] * bool(lines), *tracing.trace(model, key)]
    except Problem as problem:
        if lines:
            return lines
        near = difflib.get_close_matches(key, found, 5, 0.6)
        more = f"; of the documents' numbers: {', '.join(near)}" if near else ""
        raise Problem(f"{problem}{more}") from None


def _of_the_case(model: Model, key: str) -> bool:
    """Whether this is the id of a row, of an item or of a record, which no fact shares."""
    own = key in model.rows or key in model.derived or key in {item.id for item in model.items}
    return key not in BOTH and (own or "/" in key)


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
