"""What a change of cost is worth to the owners: EBITDA, free cash flow, enterprise value.

Standard library only.  Amounts in one currency; costs are positive numbers here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def _finite(**values: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")


def ebitda(revenue: float, *costs: float) -> float:
    """Earnings before interest, tax, depreciation and amortisation: revenue less operating cost.

    What was capitalised is in none of the costs, and comes back as depreciation below this line.
    """
    _finite(revenue=revenue, **{f"cost {i}": c for i, c in enumerate(costs)})
    return revenue - math.fsum(costs)


def free_cash_flow(ebitda: float, depreciation: float, capital: float, tax: float) -> float:
    """EBITDA − tax on (EBITDA − depreciation) − capital spent.

    Working capital is taken as unchanged.  tax: share of the profit; a loss lowers the tax of a
    company that is profitable as a whole.

    Raises:
        ValueError: a tax rate outside 0 to 1.
    """
    _finite(ebitda=ebitda, depreciation=depreciation, capital=capital)
    if not 0 <= tax <= 1:
        raise ValueError(f"tax is a share from 0 to 1, got {tax}")
    return ebitda - tax * (ebitda - depreciation) - capital


def by_multiple(recurring: float, multiple: float) -> float:
    """Enterprise value of a recurring EBITDA, at the end of the year in which it was earned.

    recurring: without anything that happens once, and with nothing capitalised in it.

    Raises:
        ValueError: a multiple that is not positive.
    """
    _finite(recurring=recurring, multiple=multiple)
    if multiple <= 0:
        raise ValueError(f"a multiple is above 0, got {multiple}")
    return recurring * multiple


@dataclass(frozen=True)
class Discounted:
    """A value by discounted cash flow.  explicit: of the flows that were planned.  tail: of all
    that comes after them."""

    explicit: float
    tail: float

    @property
    def value(self) -> float:
        return self.explicit + self.tail

    @property
    def tail_share(self) -> float:
        """Share of the tail in |explicit| + |tail|; 0 where both are nothing."""
        whole = abs(self.explicit) + abs(self.tail)
        return abs(self.tail) / whole if whole else 0.0


def by_dcf(
    flows: Sequence[float], rate: float, steady: float | None = None, growth: float = 0.0
) -> Discounted:
    """Value now of yearly flows at the ends of years 1 to n, and of a tail that follows them.

    steady: the flow of year n that goes on for ever, from year n + 1 on grown by `growth` a year
    (Gordon); None: nothing is counted after year n.

    Raises:
        ValueError: growth at or above the rate, a rate of −1 or less, a value that is not finite.

    Source: Koller, Goedhart, Wessels, Valuation, chapters on discounted cash flow and continuing
    value.
    """
    _finite(rate=rate, growth=growth, **{f"flow {i}": f for i, f in enumerate(flows)})
    if rate <= -1:
        raise ValueError(f"rate is a share above −1, got {rate}")
    explicit = math.fsum(f / (1 + rate) ** t for t, f in enumerate(flows, 1))
    if steady is None:
        return Discounted(explicit, 0.0)
    _finite(steady=steady)
    if growth >= rate:
        raise ValueError(f"growth {growth} must be below the rate {rate}")
    tail = steady * (1 + growth) / (rate - growth) / (1 + rate) ** len(flows)
    return Discounted(explicit, tail)


def steady_flow(recurring: float, capital: float, life: float, tax: float) -> float:
    """Free cash flow of a year in which nothing starts and nothing ends: (EBITDA − C) × (1 − tax).

    C = capital ÷ life is what equipment costs a year when it is replaced as often as it wears out;
    its depreciation is then as large.

    Raises:
        ValueError: a life that is not positive, a tax rate outside 0 to 1.
    """
    if life <= 0:
        raise ValueError(f"a life is above 0 years, got {life}")
    renewed = capital / life
    return free_cash_flow(recurring, renewed, renewed, tax)
