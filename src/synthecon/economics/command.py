"""`synthecon ledger`: look at a case's ledger, check its sources, write them anew."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from synthecon import paths
from synthecon.economics import audit, case, checked, ledger, model, sources


def main(arguments: Sequence[str], also: checked.Check = lambda folder, model: []) -> int:
    """Exit code 0; a case that is wrong is a Problem.  also: as `checked.load`."""
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

    def every(folder: Path, found: model.Model) -> list[str]:
        return also(folder, found) + _unbalanced(found)

    path = folder / "ledger.csv"
    if options.update:
        try:
            book = ledger.read_book(path)
        except ledger.LedgerError:
            checked.load(
                folder, fresh=True, also=every
            )  # tells it, with all that is wrong elsewhere
            raise
        changed = sources.update(path, book, model.books(audit.audit(case.read(folder))))
        print(*changed, f"{path}: {plural(len(changed), 'row')} written anew", sep="\n")
    found = checked.load(folder, fresh=True, also=every)
    kinds = Counter(row.source_type for row in found.rows.values())
    print(f"{path}: {plural(len(found.rows), 'row')}, {len(found.derived)} derived, "
          f"{plural(len(found.items), 'item')}")  # fmt: skip
    print(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    checks = model.reconcile(found)
    print(f"books, ledger and status quo agree to the cent: {len(checks)} sums of a month")
    unused = [name for name in found.rows if name not in found.used]
    print(f"not in the cash model: {', '.join(unused) or 'none'}")
    return 0


def _unbalanced(found: model.Model) -> list[str]:
    """Amounts of the books that the status quo holds not at all, or twice; none without items."""
    broken = [c for c in model.reconcile(found) if not c.holds] if found.items else []
    told = (
        f"{found.folder / 'items.csv'}: the status quo must hold each ML amount of the books once:"
    )
    lines = [f"{c.name}: {c.left:,} in the books, {c.right:,} in the status quo" for c in broken]
    return [told, *lines] if broken else []


def plural(count: int, word: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{count} {word}{'s' * (count != 1)}"
