"""Rows of a ledger for models of a few items."""

from __future__ import annotations

from datetime import date

from synthecon.economics import ledger


def row(name, low, base=None, high=None, unit="share"):
    base = low if base is None else base
    high = base if high is None else high
    law = "fixed" if low == high else "uniform"
    return ledger.Row(
        name, name, low, base, high, law, unit, "", "", "", "illustrative", "a test",
        date(2026, 1, 31), "finance", "low", "", "",
    )  # fmt: skip
