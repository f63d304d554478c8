"""Real options: what it is worth to decide later.  Standard library only.

A project is an asset whose value moves; its outlay is a strike.  Volatility is the hard input: that
of the project's value, not of a share price.  It belongs in the ledger, with a range.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal


def _inputs(value: float, strike: float, years: float, volatility: float, rate: float) -> None:
    if not (min(value, strike, years, volatility) > 0 and math.isfinite(rate)):
        raise ValueError(
            "value, strike, years and volatility must be positive, got "
            f"{value}, {strike}, {years}, {volatility}"
        )


def black_scholes(
    value: float, strike: float, years: float, volatility: float, rate: float, leak: float = 0.0
) -> float:
    """Value of an option to invest at the end only (European call), Black and Scholes (1973).

    Args:
        value: present value of the project's flows, without its outlay.
        strike: the outlay.
        years: until the decision.
        volatility: of the value, a year (0.4 is 40 %).
        rate: risk-free, continuously compounded.
        leak: share of the value lost a year by waiting (Merton's dividend yield).

    Raises:
        ValueError: an input that is not positive.
    """
    _inputs(value, strike, years, volatility, rate)
    spread = volatility * math.sqrt(years)
    d1 = (math.log(value / strike) + (rate - leak + volatility**2 / 2) * years) / spread
    normal = NormalDist().cdf
    return value * math.exp(-leak * years) * normal(d1) - strike * math.exp(-rate * years) * normal(
        d1 - spread
    )


def binomial(
    value: float, strike: float, years: float, volatility: float, rate: float, *,
    leak: float = 0.0, steps: int = 500, kind: Literal["defer", "abandon"] = "defer",
) -> float:  # fmt: skip
    """Value of an option that can be used at any step (American), Cox, Ross, Rubinstein (1979).

    defer: the right to invest `strike` and get the project (a call).  abandon: the right to give
    the project up for `strike` (a put).

    Raises:
        ValueError: as `black_scholes`; too few steps for the rate.
    """
    _inputs(value, strike, years, volatility, rate)
    if steps < 1:
        raise ValueError(f"needs at least one step, got {steps}")
    step = years / steps
    up = math.exp(volatility * math.sqrt(step))
    p = (math.exp((rate - leak) * step) - 1 / up) / (up - 1 / up)
    if not 0 < p < 1:
        raise ValueError(f"{steps} steps are too few: the risk-neutral probability is {p:.3f}")
    sign = 1 if kind == "defer" else -1

    def now(n: int) -> list[float]:
        return [max(sign * (value * up ** (2 * j - n) - strike), 0.0) for j in range(n + 1)]

    discount, worth = math.exp(-rate * step), now(steps)
    for n in range(steps - 1, -1, -1):
        waiting = (discount * (p * worth[j + 1] + (1 - p) * worth[j]) for j in range(n + 1))
        worth = [max(w, x) for w, x in zip(waiting, now(n), strict=True)]
    return worth[0]
