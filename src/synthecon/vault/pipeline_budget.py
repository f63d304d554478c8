"""A budget in money, seconds and joules that is reserved before a step and settled after it.

Money is counted: units bought and operations done, times a price, so that it is known to the last
digit before a step begins.  Seconds and joules are measured, so their reserve is an estimate.
Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields

from synthecon import Problem

ROUNDING = 1e-9  # of money: sums of floats, never a price


@dataclass(frozen=True)
class Amount:
    """Money in the case's currency, seconds of wall time, joules.  None is negative."""

    money: float = 0.0
    seconds: float = 0.0
    joules: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:  # NaN too
                raise ValueError(f"{name} must not be negative, got {value}")

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.money + other.money, self.seconds + other.seconds, self.joules + other.joules
        )


UNLIMITED = Amount(math.inf, math.inf, math.inf)
KINDS = tuple(f.name for f in fields(Amount))


def exceeded(spent: Amount, limit: Amount) -> str:
    """The first kind of money, seconds, joules that is over its limit; empty if none is."""
    over = (k for k in KINDS if getattr(spent, k) > getattr(limit, k) + ROUNDING)
    return next(over, "")


@dataclass
class Wallet:
    """What may be spent, what was, and what a step under way may still take."""

    limit: Amount
    spent: Amount = field(default_factory=Amount)
    reserved: Amount | None = None

    def refuses(self, reserve: Amount) -> str:
        """Which kind a step of this reserve would overdraw; empty if it may begin."""
        return exceeded(self.spent + reserve, self.limit)

    def reserve(self, amount: Amount) -> None:
        """Set an amount aside for the one step that begins.

        Raises:
            Problem: it would pass the limit.
            RuntimeError: the last step was never settled.
        """
        if self.reserved is not None:
            raise RuntimeError("the last step was not settled: one step at a time")
        if kind := self.refuses(amount):
            raise Problem(
                f"budget spent ({kind}): {getattr(self.spent, kind):.6g} spent, "
                f"{getattr(amount, kind):.6g} needed, {getattr(self.limit, kind):.6g} allowed"
            )
        self.reserved = amount

    def settle(self, used: Amount) -> None:
        """Book what the step took.  Money may come out below its reserve and never above.

        Raises:
            Problem: a step took more money than it reserved; it is booked all the same.
            RuntimeError: nothing was reserved.
        """
        if self.reserved is None:
            raise RuntimeError("nothing was reserved")
        promised, self.reserved = self.reserved, None
        self.spent = self.spent + used
        if used.money > promised.money + ROUNDING:
            raise Problem(
                f"a step took {used.money:.6g} of money and had reserved {promised.money:.6g}: "
                "its price list and its provider's differ"
            )


@dataclass
class Pace:
    """Seconds and joules an operation took so far: what the next step is expected to take."""

    seconds: float
    joules: float
    done: float = 1.0  # operations that the first guess counts as

    def expects(self, operations: float, margin: float = 1.5) -> tuple[float, float]:
        """Seconds and joules of so many operations, with a margin."""
        share = margin * operations / self.done
        return share * self.seconds, share * self.joules

    def learn(self, operations: float, seconds: float, joules: float) -> None:
        self.seconds += seconds
        self.joules += joules
        self.done += operations


class OverBudgetError(Exception):
    """Raised inside a step whose time or energy ran out; `kind` says which."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


Tick = Callable[[], None]
"""Called by long work at each of its own steps; raises `OverBudgetError` when time is up."""
