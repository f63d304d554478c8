"""CSV files of a case beside its ledger: read whole, and refused as one problem."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synthecon import Problem
from synthecon.economics import ledger


def read(path: Path, columns: Sequence[str]) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """The rows, and what is wrong with single lines: as `ledger.table`.

    Raises:
        Problem: no file, not UTF-8, not CSV, other columns.
    """
    try:
        return ledger.table(path, columns)
    except ledger.LedgerError as error:
        raise Problem(str(error)) from None
