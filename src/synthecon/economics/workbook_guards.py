"""What an override may be: the range of numbers that the model accepts in each row's unit."""

from __future__ import annotations

from synthecon.economics import ledger, units
from synthecon.economics.spreadsheet import ENDLESS

MONTH = 1 / 12  # a life in years: at least a month


def limits(row: ledger.Row, months: int) -> tuple[float, float]:
    """Lowest and highest number for a row; the ledger's own range always lies within.

    Shares 0 to 1, months 0 to the horizon, yearly rates −50 % to 100 %, money and amounts not
    negative; tax is below 1, and capital lives a month at least.
    """
    unit = units.parse(row.unit)
    if row.id == "finance.tax":
        low, high = 0.0, 0.99
    elif row.id == "finance.wacc":
        low, high = 0.0, 1.0
    elif unit == {"year": 1}:
        low, high = MONTH, 100.0
    elif row.unit == "share":
        low, high = 0.0, 1.0
    elif unit == {"month": 1}:
        low, high = 0.0, float(months)
    elif unit == {"year": -1}:
        low, high = -0.5, 1.0
    else:
        low, high = 0.0, ENDLESS
    if row.low < low:
        low = row.low if row.distribution not in ("normal", "lognormal") else -ENDLESS
    if row.high > high:  # the tails of these two reach beyond
        high = row.high if row.distribution not in ("normal", "lognormal") else ENDLESS
    return low, high


def wrong(row: ledger.Row, value: float, months: int) -> bool:
    """Whether a number is out of its limits, as the workbook's own formula finds it."""
    low, high = limits(row, months)
    return not low <= value <= high
