"""Cash flows over time: present value, rates of return, payback.  Standard library only.

Flows are money at equally spaced points, the first one now; outflows are negative.  Rates are per
period, as shares: 0.1 is ten per cent.  Real flows go with real rates, nominal ones with nominal
rates: `real_rate` converts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise


def _finite(**values: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")


def _rate(rate: float, name: str = "rate") -> float:
    if not (math.isfinite(rate) and rate > -1):
        raise ValueError(f"{name} is a share above −1 (10 % is 0.1), got {rate}")
    return rate


def _flows(flows: Sequence[float]) -> list[float]:
    values = [float(f) for f in flows]
    if not values:
        raise ValueError("no cash flow at all")
    _finite(**{f"flow {i}": f for i, f in enumerate(values)})
    return values


def npv(rate: float, flows: Sequence[float], *, excel: bool = False) -> float:
    """Net present value: Σ flow_t ÷ (1 + rate)^t, t = 0 for the first flow.

    Excel's NPV() discounts the first flow by one period too: `excel=True` does as it does.  To
    value a project with an outlay now, leave it False.

    Args:
        rate: per period, above −1.
        flows: money, one a period.

    Raises:
        ValueError: no flows, a flow or rate that is not finite, a rate of −1 or less.

    Source: Brealey, Myers, Allen, Principles of Corporate Finance, ch. 2.
    """
    factor, total = 1.0 / (1.0 + _rate(rate)), 0.0
    for flow in reversed(_flows(flows)):  # Horner: no power is formed
        total = total * factor + flow
    return total * factor if excel else total


def irr(flows: Sequence[float]) -> list[float]:
    """Every internal rate of return above −1, rising: the rates at which `npv` is zero.

    Flows that change sign more than once may have several, and some have none; Descartes' rule
    bounds their number by the changes of sign.  Look at the NPV before you rank by a rate.

    Raises:
        ValueError: as `npv`; flows that are all zero, for which every rate is one.
    """
    values = _flows(flows)
    if not any(values):
        raise ValueError("flows that are all zero have every rate as an internal rate of return")
    # With x = 1/(1 + r) the NPV is a polynomial in x; its positive roots are the rates.
    scale = max(abs(v) for v in values)
    roots = _positive_roots([v / scale for v in values])
    return sorted(1 / x - 1 for x in roots)


def _positive_roots(coefficients: Sequence[float]) -> list[float]:
    """Positive real roots of Σ c_i x^i: one at most between two roots of the derivative."""
    c = list(coefficients)
    while c and c[-1] == 0:
        c.pop()
    while c and c[0] == 0:  # x = 0 is no rate
        c.pop(0)
    if len(c) < 2:
        return []

    def value(x: float) -> float:
        total = 0.0
        for k in reversed(c):
            total = total * x + k
        return total

    def size(x: float) -> float:
        return math.fsum(abs(k) * x**i for i, k in enumerate(c))

    bound = 1 + max(abs(k / c[-1]) for k in c[:-1])  # Cauchy: every root lies below
    turns = _positive_roots([i * k for i, k in enumerate(c)][1:])
    places = [0.0, *turns, bound]
    found = [x for x in turns if abs(value(x)) <= 1e-13 * size(x)]  # it only touches zero
    for low, high in pairwise(places):
        if value(low) * value(high) < 0 and not any(x in found for x in (low, high)):
            found.append(_bisect(value, low, high))
    return sorted(set(found))


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """A root between two points of different sign, to the last bit that bisection can give."""
    sign = function(low) > 0
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if (function(middle) > 0) == sign:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _years(days: Sequence[date]) -> list[float]:
    return [(day - days[0]).days / 365 for day in days]


def xnpv(rate: float, flows: Sequence[float], days: Sequence[date]) -> float:
    """Net present value on the first day of flows on any days, a year having 365 days (as XNPV).

    rate: per year.

    Raises:
        ValueError: as `npv`; another number of days than of flows.
    """
    values = _flows(flows)
    if len(days) != len(values):
        raise ValueError(f"{len(values)} flows, but {len(days)} days")
    base = 1 + _rate(rate)
    return math.fsum(f / base**t for f, t in zip(values, _years(days), strict=True))


def xirr(flows: Sequence[float], days: Sequence[date]) -> float:
    """The yearly rate at which `xnpv` is zero; flows must change sign exactly once in time.

    Raises:
        ValueError: as `xnpv`; no change of sign, or more than one: then it need not be unique.
    """
    order = sorted(zip(days, _flows(flows), strict=True))
    signs = [f > 0 for _, f in order if f]
    if sum(a != b for a, b in pairwise(signs)) != 1:
        raise ValueError("the flows must change sign once: else there is no rate, or several")
    when, values = [d for d, _ in order], [f for _, f in order]

    def value(rate: float) -> float:
        return xnpv(rate, values, when)

    low, high = -0.999999, 1.0
    while value(low) * value(high) > 0 and high < 1e9:
        high *= 4
    if value(low) * value(high) > 0:
        raise ValueError("no rate between −99.9999 % and a billion")
    return _bisect(value, low, high)


def mirr(flows: Sequence[float], finance_rate: float, reinvest_rate: float) -> float:
    """Modified internal rate of return: outflows discounted to now, inflows carried to the end.

    Raises:
        ValueError: as `npv`; fewer than two flows, or none of one sign.
    """
    values = _flows(flows)
    n = len(values) - 1
    out = -npv(finance_rate, [min(f, 0.0) for f in values])
    back = npv(reinvest_rate, [max(f, 0.0) for f in values]) * (1 + _rate(reinvest_rate)) ** n
    if n < 1 or out <= 0 or back <= 0:
        raise ValueError("needs at least two flows, one of them negative and one positive")
    return (back / out) ** (1 / n) - 1


def payback(flows: Sequence[float], rate: float = 0.0) -> float | None:
    """Periods until the cumulated flow stays at zero or above; with a rate, the discounted one.

    Within the period in which it turns, the flow is taken as even.  None: it never does.  A
    cumulated flow that falls below zero again has not paid back.

    Raises:
        ValueError: as `npv`.
    """
    factor, total, sums = 1.0 / (1.0 + _rate(rate)), 0.0, []
    for t, flow in enumerate(_flows(flows)):
        total += flow * factor**t
        sums.append(total)
    below = [t for t, s in enumerate(sums) if s < 0]
    if not below:
        return 0.0
    last = below[-1]
    if last + 1 == len(sums):
        return None
    return last + -sums[last] / (sums[last + 1] - sums[last])


def annuity_factor(rate: float, periods: int) -> float:
    """Present value of 1 at the end of each of `periods` periods: (1 − (1 + r)^−n) ÷ r.

    Raises:
        ValueError: a rate of −1 or less, no period.
    """
    if periods < 1:
        raise ValueError(f"an annuity has at least one period, got {periods}")
    if abs(_rate(rate)) < 1e-12:
        return float(periods)
    return -math.expm1(-periods * math.log1p(rate)) / rate


def annuity_payment(amount: float, rate: float, periods: int) -> float:
    """The level payment at the end of each period that pays back `amount` now."""
    return amount / annuity_factor(rate, periods)


def real_rate(nominal: float, inflation: float) -> float:
    """Fisher: (1 + nominal) ÷ (1 + inflation) − 1, and not their difference."""
    return (1 + _rate(nominal, "nominal")) / (1 + _rate(inflation, "inflation")) - 1


def nominal_rate(real: float, inflation: float) -> float:
    """Fisher the other way: (1 + real) × (1 + inflation) − 1."""
    return (1 + _rate(real, "real")) * (1 + _rate(inflation, "inflation")) - 1


def per_period(yearly: float, periods: int) -> float:
    """The rate of one of `periods` equal periods of a year that compounds to the yearly rate."""
    if periods < 1:
        raise ValueError(f"a year has at least one period, got {periods}")
    return math.expm1(math.log1p(_rate(yearly, "yearly")) / periods)


def wacc(
    equity: float, debt: float, cost_of_equity: float, cost_of_debt: float, tax: float
) -> float:
    """Weighted average cost of capital: E/V × k_e + D/V × k_d × (1 − tax), at market values.

    Raises:
        ValueError: negative or no capital, a tax rate outside 0 to 1.

    Source: Brealey, Myers, Allen, ch. 19.
    """
    _finite(equity=equity, debt=debt, cost_of_equity=cost_of_equity, cost_of_debt=cost_of_debt)
    if equity < 0 or debt < 0 or equity + debt <= 0:
        raise ValueError(f"equity and debt must be positive together, got {equity} and {debt}")
    if not 0 <= tax <= 1:
        raise ValueError(f"tax is a share from 0 to 1, got {tax}")
    value = equity + debt
    return equity / value * cost_of_equity + debt / value * cost_of_debt * (1 - tax)


def terminal_value(next_flow: float, rate: float, growth: float) -> float:
    """Gordon: value, one period before `next_flow`, of a flow that grows for ever.

    Raises:
        ValueError: growth at or above the rate: then the sum has no end.
    """
    _finite(next_flow=next_flow)
    if _rate(growth, "growth") >= _rate(rate):
        raise ValueError(f"growth {growth} must be below the rate {rate}")
    return next_flow / (rate - growth)


def roi(gain: float, cost: float) -> float:
    """Return on investment: (gain − cost) ÷ cost.  It knows nothing of time: give the horizon.

    Raises:
        ValueError: a cost that is not positive.
    """
    _finite(gain=gain, cost=cost)
    if cost <= 0:
        raise ValueError(f"a return needs a positive cost, got {cost}")
    return (gain - cost) / cost
