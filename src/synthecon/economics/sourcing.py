"""Build, buy or both, and what stands behind a service level: closed forms.

Standard library only.  Costs are positive money.  A plan whose cost is a straight line of volume
has one break-even with another such plan, and it can be written down.  `outage` simulates what has
no closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


def _finite(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be finite and not negative, got {value}")


@dataclass(frozen=True)
class Line:
    """Present cost of a way to do the work: fixed + each × volume.

    fixed: money, whatever the volume; each: money for one unit of monthly volume over the whole
    horizon.
    """

    name: str
    fixed: float
    each: float

    def at(self, volume: float) -> float:
        """Present cost at a monthly volume."""
        return self.fixed + self.each * volume


def growing_annuity(rate: float, growth: float, periods: int) -> float:
    """Present value of (1 + growth)^t at the end of period t, t = 1 to `periods`.

    With q = (1 + growth) ÷ (1 + rate) it is q (qⁿ − 1) ÷ (q − 1), and n where growth equals rate.

    Args:
        rate, growth: per period, above −1.
        periods: at least one.

    Raises:
        ValueError: an argument out of its range.

    Source: Brealey, Myers, Allen, Principles of Corporate Finance, ch. 2.
    """
    if periods < 1 or not (rate > -1 and growth > -1):
        raise ValueError(f"needs rates above −1 and a period, got {rate}, {growth}, {periods}")
    log_q = math.log1p(growth) - math.log1p(rate)
    if abs(log_q) < 1e-12:
        return float(periods)
    return math.exp(log_q) * math.expm1(periods * log_q) / math.expm1(log_q)


def line(
    name: str, *, outlay: float, fixed: float, unit: float, annuity: float,
    unit_annuity: float, unit_outlay: float = 0.0,
) -> Line:  # fmt: skip
    """A plan as it is pitched: an outlay now, then a steady month.

    Args:
        outlay, unit_outlay: money now, and money now for one unit of monthly volume.
        fixed: money a month, whatever the volume.
        unit: money for one unit of volume, each month.
        annuity, unit_annuity: present value of 1 a month, for `fixed` and for `unit` (their prices
            may grow differently: `growing_annuity`).

    Raises:
        ValueError: negative money.
    """
    _finite(outlay=outlay, fixed=fixed, unit=unit, annuity=annuity)
    _finite(unit_annuity=unit_annuity, unit_outlay=unit_outlay)
    return Line(name, outlay + fixed * annuity, unit_outlay + unit * unit_annuity)


def break_even_volume(a: Line, b: Line) -> float | None:
    """The monthly volume at which two plans cost the same: Δfixed ÷ Δeach.

    None: they never do at a volume above zero, so that one of them is cheaper throughout.
    """
    if a.each == b.each:
        return None
    volume = (b.fixed - a.fixed) / (a.each - b.each)
    return volume if volume > 0 else None


def cheapest(lines: Sequence[Line], volume: float) -> Line:
    """The plan that costs least at a volume; the first of equals."""
    return min(lines, key=lambda plan: plan.at(volume))


def envelope(lines: Sequence[Line], low: float, high: float) -> list[tuple[float, Line]]:
    """The cheapest plan from `low` to `high`: (from this volume on, plan), rising.

    Raises:
        ValueError: no plan, or low not below high.
    """
    if not lines or not low < high:
        raise ValueError(f"needs a plan and a range of volumes, got {low} to {high}")
    turns = {
        v
        for i, a in enumerate(lines)
        for b in lines[i + 1 :]
        if (v := break_even_volume(a, b)) is not None and low < v < high
    }
    places = [low, *sorted(turns), high]
    found: list[tuple[float, Line]] = []
    for start, end in pairwise(places):
        best = cheapest(lines, (start + end) / 2)  # inside, two plans never cost the same for long
        if not found or found[-1][1] != best:
            found.append((start, best))
    return found


def hybrid_cost(
    loads: Sequence[float], own: int, owned_per_hour: float, rented_per_hour: float
) -> float:
    """Mean cost an hour of `own` machines that run always, and rented ones for the rest.

    Args:
        loads: machines needed in each hour of a typical day or week; parts of one are allowed.
        own: machines owned.
        owned_per_hour: all cost of one, busy or not.
        rented_per_hour: paid for what is used.

    Raises:
        ValueError: no hour, or a negative argument.
    """
    _finite(own=own, owned_per_hour=owned_per_hour, rented_per_hour=rented_per_hour)
    if not loads or min(loads) < 0:
        raise ValueError("needs the load of at least one hour, none of them negative")
    rented = sum(max(load - own, 0.0) for load in loads) / len(loads)
    return own * owned_per_hour + rented * rented_per_hour


def own_machines(
    loads: Sequence[float], owned_per_hour: float, rented_per_hour: float
) -> tuple[int, float]:
    """How many machines to own, and the share of the work that they do.

    Own the k-th machine as long as it is busy for more than owned ÷ rented of the hours
    (`accounts.break_even_utilisation`); each further machine is less busy than the one before, so
    the first that fails the test ends the search.

    Raises:
        ValueError: as `hybrid_cost`; renting is free.

    Source: Weinman, Cloudonomics (2012): own the base, rent the spike.
    """
    hybrid_cost(loads, 0, owned_per_hour, rented_per_hour)
    if not rented_per_hour:
        raise ValueError("renting is free: owning never pays")
    own, done = 0, 0.0
    while own < max(loads):
        busy = sum(min(max(load - own, 0.0), 1.0) for load in loads) / len(loads)
        if busy <= owned_per_hour / rented_per_hour:
            break
        own, done = own + 1, done + busy
    work = sum(loads) / len(loads)
    return own, done / work if work else 0.0


def day(peak: float) -> list[float]:
    """A smooth day with one peak: the load of each of 24 hours over the mean of the day.

    The curve is exp(s cos(2πh/24)) over its mean: positive, and as steep as `peak` says.  The hour
    of the peak is the first; for costs only the heights matter.

    Args:
        peak: busiest hour over mean hour, from 1 (flat) to 12 (two hours do it all).

    Raises:
        ValueError: another peak.
    """
    if not 1 <= peak <= 12:
        raise ValueError(f"the busiest hour is 1 to 12 times the mean of a smooth day, got {peak}")

    def shape(steepness: float) -> list[float]:
        hours = [math.exp(steepness * (math.cos(math.tau * h / 24) - 1)) for h in range(24)]
        mean = sum(hours) / 24
        return [hour / mean for hour in hours]

    low, high = 0.0, 100.0  # the peak rises with the steepness; at 100 it is above 12
    for _ in range(60):
        middle = (low + high) / 2
        if shape(middle)[0] < peak:
            low = middle
        else:
            high = middle
    return shape((low + high) / 2)


def lock_in_price(alternative: float, exit_cost: float, volume: float, annuity: float) -> float:
    """The price a unit at which leaving a vendor begins to pay.

    Up to there, a vendor who knows your exit cost can raise the price: alternative + exit cost
    spread over what is left, per unit.

    Args:
        alternative: money a month that the next best way costs at this volume.
        exit_cost: money once.
        volume: units a month, above zero.
        annuity: present value of 1 a month over the months that are left, above zero.

    Raises:
        ValueError: an argument out of its range.

    Source: Klemperer (1995), switching costs.
    """
    _finite(alternative=alternative, exit_cost=exit_cost, volume=volume, annuity=annuity)
    if not volume or not annuity:
        raise ValueError("needs a volume and months that are left")
    return (alternative + exit_cost / annuity) / volume


@dataclass(frozen=True)
class System:
    """Replicas of which one must work, and causes that stop all of them at once.

    mtbf, mttr: hours from a repair to the next failure, and of a repair, means for one replica.
    common: share of a replica's failures that hit all replicas together (the beta factor).
    """

    mtbf: float
    mttr: float
    replicas: int = 1
    common: float = 0.0

    def __post_init__(self) -> None:
        if not (min(self.mtbf, self.mttr) > 0 and math.isfinite(self.mtbf + self.mttr)):
            raise ValueError(f"mtbf and mttr must be positive hours, got {self.mtbf}, {self.mttr}")
        if self.replicas < 1 or not 0 <= self.common <= 1:
            raise ValueError(
                f"needs a replica and a share from 0 to 1, got {self.replicas}, {self.common}"
            )

    @property
    def alone(self) -> float:
        """Hours between those failures of one replica that hit it alone."""
        return self.mtbf / (1 - self.common) if self.common < 1 else math.inf

    @property
    def together(self) -> float:
        """Hours between the failures that hit all replicas."""
        return self.mtbf / self.common if self.common else math.inf


def steady(mtbf: float, mttr: float) -> float:
    """Long-run availability of one part: MTBF ÷ (MTBF + MTTR), whatever the repair's distribution.

    Raises:
        ValueError: no time between failures, or a negative repair.

    Source: alternating renewal process, Barlow and Proschan (1975).
    """
    if not (mtbf > 0 and mttr >= 0):
        raise ValueError(f"needs mtbf > 0 and mttr >= 0, got {mtbf} and {mttr}")
    return 1.0 if math.isinf(mtbf) else mtbf / (mtbf + mttr)


def availability(system: System) -> float:
    """Long-run availability: (replicas in parallel) in series with the common cause."""
    parallel = 1 - (1 - steady(system.alone, system.mttr)) ** system.replicas
    return parallel * steady(system.together, system.mttr)


def outages_per_hour(system: System) -> float:
    """How often the service goes down, an hour, in the long run.

    A replica's failure stops the service when all others are down already, and the common cause
    does when the service is up: Σ frequency of a part × probability that it is critical.

    Source: Birnbaum importance, Barlow and Proschan (1975).
    """
    down = 1 - steady(system.alone, system.mttr)
    often = 0.0 if math.isinf(system.alone) else 1 / (system.alone + system.mttr)
    last = system.replicas * often * down ** (system.replicas - 1)
    common = 0.0 if math.isinf(system.together) else 1 / (system.together + system.mttr)
    return last * steady(system.together, system.mttr) + common * (1 - down**system.replicas)


def zone(worth: float, cost: float) -> tuple[float, float] | None:
    """Prices on which both sides gain: from the seller's cost to the buyer's worth.

    None: there is none.  The middle splits the gain evenly, Nash's (1950) solution where both sides
    are alike.

    Raises:
        ValueError: an amount that is negative or not finite.
    """
    _finite(worth=worth, cost=cost)
    return (cost, worth) if worth > cost else None
