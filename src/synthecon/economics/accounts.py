"""From a cost to a line of the accounts: margins, depreciation, capitalise or expense, break-even.

Standard library only.  Amounts in one currency; costs are positive numbers here, and say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def _money(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be finite and not negative, got {value}")


def gross_margin(revenue: float, cogs: float) -> float:
    """(revenue − cost of goods sold) ÷ revenue, a share; negative where COGS exceeds revenue.

    Raises:
        ValueError: negative amounts, or no revenue.
    """
    _money(revenue=revenue, cogs=cogs)
    if not revenue:
        raise ValueError("a margin needs revenue")
    return (revenue - cogs) / revenue


def contribution_margin(price: float, variable_cost: float) -> float:
    """What one unit leaves for fixed cost: price − variable cost, in money a unit."""
    _money(price=price, variable_cost=variable_cost)
    return price - variable_cost


def break_even_units(fixed: float, price: float, variable_cost: float) -> float:
    """Units at which contribution pays the fixed cost of the same period.

    Raises:
        ValueError: a unit that contributes nothing: no volume breaks even.
    """
    _money(fixed=fixed)
    each = contribution_margin(price, variable_cost)
    if each <= 0:
        raise ValueError(f"a unit contributes {each:g}: no volume breaks even")
    return fixed / each


def break_even_utilisation(owned_per_hour: float, rented_per_hour: float) -> float:
    """Share of hours that an owned machine must be busy to cost what renting by the hour costs.

    owned_per_hour: all cost of ownership over all hours; rented_per_hour: paid only when busy.
    Above 1: owning never pays.

    Raises:
        ValueError: negative amounts, or a free rent.
    """
    _money(owned_per_hour=owned_per_hour, rented_per_hour=rented_per_hour)
    if not rented_per_hour:
        raise ValueError("renting is free: owning never pays")
    return owned_per_hour / rented_per_hour


def break_even_requests(machine_per_hour: float, price_per_request: float) -> float:
    """Requests an hour from which one's own machine is cheaper than a price per request."""
    _money(machine_per_hour=machine_per_hour, price_per_request=price_per_request)
    if not price_per_request:
        raise ValueError("requests are free: a machine never pays")
    return machine_per_hour / price_per_request


def straight_line(cost: float, salvage: float, years: int) -> list[float]:
    """Depreciation a year: (cost − salvage) ÷ years.

    Raises:
        ValueError: negative amounts, salvage above cost, no year.
    """
    _depreciable(cost, salvage, years)
    return [(cost - salvage) / years] * years


def declining_balance(cost: float, salvage: float, years: int, factor: float = 2.0) -> list[float]:
    """Depreciation a year: factor ÷ years of the book value, never below salvage (as Excel's DDB).

    factor 2 is the double-declining method.  What is left above salvage at the end stays.

    Raises:
        ValueError: as `straight_line`; a factor that is not positive.
    """
    _depreciable(cost, salvage, years)
    if factor <= 0:
        raise ValueError(f"factor must be positive, got {factor}")
    book, found = cost, []
    for _ in range(years):
        found.append(max(0.0, min(book * min(factor / years, 1.0), book - salvage)))
        book -= found[-1]
    return found


def _depreciable(cost: float, salvage: float, years: int) -> None:
    _money(cost=cost, salvage=salvage)
    if salvage > cost or years < 1:
        raise ValueError(f"salvage {salvage:g} of cost {cost:g} over {years} years cannot be")


@dataclass(frozen=True)
class Year:
    """What one year shows.  ebitda, ebit and cash are changes; an outlay lowers them."""

    ebitda: float
    ebit: float
    cash: float


def expense(spend: Sequence[float], tax: float) -> list[Year]:
    """Spend taken to the profit and loss statement when it is made."""
    _tax(tax)
    return [Year(-s, -s, -s * (1 - tax)) for s in spend]


def capitalise(spend: Sequence[float], life: int, tax: float) -> list[Year]:
    """Spend put on the balance sheet and amortised straight-line over `life` years from its year.

    EBITDA does not see it, EBIT sees the amortisation, cash leaves at once; tax here follows the
    books, which national law may not.  The cash over all years differs from expensing by the time
    of the tax alone: capitalising creates no cash.

    Source: ASC 350-40 as amended by ASU 2025-06, IAS 38.57: whether it *may* be capitalised.
    """
    _tax(tax)
    if life < 1:
        raise ValueError(f"life is at least one year, got {life}")
    charges = [0.0] * (len(spend) + life - 1)
    for year, amount in enumerate(spend):
        for later in range(year, year + life):
            charges[later] += amount / life
    outlays = [*spend, *[0.0] * (life - 1)]
    return [
        Year(0.0, -charge, -outlay + tax * charge)
        for charge, outlay in zip(charges, outlays, strict=True)
    ]


def _tax(tax: float) -> None:
    if not 0 <= tax <= 1:
        raise ValueError(f"tax is a share from 0 to 1, got {tax}")
