"""One uncertain number, as models read it: a range, how it is spread over it, and its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Distribution = Literal["pert", "triangular", "uniform", "normal", "lognormal", "fixed"]


@dataclass(frozen=True)
class Assumption:
    """low ≤ base ≤ high, in `unit`; distribution: see `uncertain.quantile`.

    group: rows that move together, as "prices:0.6", the correlation behind the colon; or empty.
    """

    id: str
    low: float
    base: float
    high: float
    unit: str
    distribution: Distribution = "pert"
    group: str = ""
