"""What time costs and practice saves: cost of delay, learning curves.  Standard library only."""

from __future__ import annotations

import math
from collections.abc import Sequence


def wright(first: float, units: float, rate: float) -> float:
    """Wright (1936): the *average* cost of all units up to `units`, first × units^log2(rate).

    rate: 0.8 means that each doubling of the number made lowers the average to 80 %.

    Raises:
        ValueError: less than one unit, a rate outside (0, 1], a negative cost.
    """
    return first * units ** _slope(first, units, rate)


def crawford(first: float, unit: float, rate: float) -> float:
    """Crawford (1944): the cost of the *unit* number `unit`, first × unit^log2(rate).

    The same formula for another quantity: with the same rate, Wright's total is lower.
    """
    return first * unit ** _slope(first, unit, rate)


def _slope(first: float, units: float, rate: float) -> float:
    if not (math.isfinite(first) and first >= 0 and units >= 1 and 0 < rate <= 1):
        raise ValueError(f"needs cost ≥ 0, units ≥ 1, 0 < rate ≤ 1; got {first}, {units}, {rate}")
    return math.log2(rate)


def cost_of_delay(value_per_month: float, months: float, lasting: float = 0.0) -> float:
    """Money lost by being late: the months' value, and what is lost for good.

    value_per_month: contribution, not revenue.  lasting: share of one month's value that each
    month of delay takes from all later ones together (a window that closes); 0: all is only late.

    Raises:
        ValueError: a negative argument.
    """
    if min(value_per_month, months, lasting) < 0:
        raise ValueError("value, months and lasting are not negative")
    return value_per_month * months * (1 + lasting)


def cd3(value_per_month: float, months: float) -> float:
    """Cost of delay divided by duration (Reinertsen 2009): do the largest first.

    Raises:
        ValueError: a duration that is not positive.
    """
    if months <= 0:
        raise ValueError(f"a job takes time, got {months} months")
    return value_per_month / months


def delay_cost_of_order(jobs: Sequence[tuple[float, float]]) -> float:
    """Cost of delay of jobs (value a month, months) done one after the other, in this order."""
    done, lost = 0.0, 0.0
    for value, months in jobs:
        done += months
        lost += value * done
    return lost
