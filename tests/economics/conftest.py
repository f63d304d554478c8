"""A bill of a few rows that a person can add up."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from synthecon.economics import bill

ROW = {
    "BilledCost": "10.50",
    "EffectiveCost": "10.25",
    "BillingCurrency": "USD",
    "ChargePeriodStart": "2026-01-05T00:00:00Z",
    "BillingPeriodStart": "2026-01-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ProviderName": "Nimbus",
    "ServiceCategory": "Compute",
    "ServiceName": "Virtual Machines",
    "ResourceId": "vm-1",
    "CommitmentDiscountStatus": "NULL",
    "Tags": '{"env": "production", "activity": "inference"}',
}


@pytest.fixture
def write(tmp_path):
    """Writes rows (changes of ROW) as a FOCUS CSV file; returns its path."""

    def write(*changes: dict[str, str], name: str = "bill.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(ROW | (changes[0] if changes else {})))
            writer.writeheader()
            writer.writerows(ROW | change for change in changes)
        return path

    return write


@pytest.fixture
def read(write):
    """Reads such rows as cost lines in USD."""
    keys = {name: name for name in bill.TAGS} | {"Environment": "env"}
    spelling = bill.Spelling(keys, {("env", "prod"): "production"})

    def read(*changes: dict[str, str], kind: str = "bill") -> bill.Lines:
        return bill.read(write(*changes), kind, spelling, "USD")

    return read
