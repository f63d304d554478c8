"""`synthecon ledger`: look at a case's ledger, check its sources, write them anew."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from synthecon import Problem, paths
from synthecon.economics import audit, case, ledger, model, sources, tables


def main(arguments: Sequence[str], also: tables.Check = lambda folder, model: []) -> int:
    """Exit code 0; a case that is wrong is a Problem.  also: as `tables.load`."""
    parser = argparse.ArgumentParser(
        prog="synthecon ledger",
        description="Check a case's ledger and items against records and books, and every file "
        "that names their rows.",
    )
    parser.add_argument("folder", nargs="?", type=Path, help="case folder (case)")
    parser.add_argument(
        "--update", action="store_true", help="write rows that are measured or booked anew"
    )
    options = parser.parse_args(arguments)
    folder = options.folder or paths.root() / "case"
    path = folder / "ledger.csv"
    if options.update:
        try:
            book = ledger.read_book(path)
        except ledger.LedgerError:
            tables.load(folder, fresh=True, also=also)  # tells it, with all that is wrong elsewhere
            raise
        changed = sources.update(path, book, model.books(audit.audit(case.read(folder))))
        print(*changed, f"{path}: {plural(len(changed), 'row')} written anew", sep="\n")
    found = tables.load(folder, fresh=True, also=also)
    kinds = Counter(row.source_type for row in found.rows.values())
    print(f"{path}: {plural(len(found.rows), 'row')}, {len(found.derived)} derived, "
          f"{plural(len(found.items), 'item')}")  # fmt: skip
    print(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    checks = model.reconcile(found)
    if broken := [c for c in checks if not c.holds]:
        lines = [
            f"{c.name}: {c.left:,} in the books, {c.right:,} in the status quo" for c in broken
        ]
        told = f"{folder / 'items.csv'}: the status quo must hold each ML amount of the books once:"
        raise Problem("\n".join([told, *lines]))
    print(f"books, ledger and status quo agree to the cent: {len(checks)} sums of a month")
    unused = [name for name in found.rows if name not in found.used]
    print(f"not in the cash model: {', '.join(unused) or 'none'}")
    return 0


def plural(count: int, word: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{count} {word}{'s' * (count != 1)}"
