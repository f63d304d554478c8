"""What a part costs: an hour of a machine, a million answers, a label, a detector's year.

Standard library only.  Every formula takes numbers or arrays of them, one value a scenario, and
checks each value.  Money is in one currency, and cost is positive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Amount = Any
"""A float, or a NumPy array of them: only + − × ÷ are used."""
JOULES_A_KWH = 3.6e6
WATTS_A_KW = 1000
HOURS_A_YEAR = 8760


def _check(low: float, high: float = math.inf, *, above: bool = False, **values: Amount) -> None:
    """Every value is finite and from low (above it, where `above`) to high.

    Raises:
        ValueError: names the argument and the value.
    """
    for name, value in values.items():
        for x in value if isinstance(value, Iterable) else (value,):
            if not (math.isfinite(x) and low <= x <= high) or (above and x == low):
                limits = f"{'above' if above else 'at least'} {low:g}"
                limits += f" and at most {high:g}" if math.isfinite(high) else ""
                raise ValueError(f"{name} must be {limits}, got {x:g}")


def energy(joules: Amount, pue: Amount, price_per_kwh: Amount) -> Amount:
    """Price of the electricity behind measured joules.

        joules ÷ 3.6 MJ/kWh × PUE × price of a kWh

    pue: power usage effectiveness, energy of the whole data centre over that of its computers, at
    least 1 (ISO/IEC 30134-2).

    Raises:
        ValueError: negative joules or price, a PUE below 1.
    """
    _check(0, joules=joules, price_per_kwh=price_per_kwh)
    _check(1, pue=pue)
    return joules / JOULES_A_KWH * pue * price_per_kwh


def tokens_cost(tokens_per_second: Amount, price_per_hour: Amount, busy: Amount) -> Amount:
    """Price of a million tokens: 10⁶ ÷ tokens a second ÷ 3600 × price of an hour ÷ busy share.

    tokens_per_second: of what the hour is the price of (a core, a GPU, a machine), while it works.

    Raises:
        ValueError: no tokens, a negative price, a share outside (0, 1].
    """
    _check(0, above=True, tokens_per_second=tokens_per_second)
    _check(0, price_per_hour=price_per_hour)
    _check(0, 1, above=True, busy=busy)
    return 1e6 / tokens_per_second / 3600 * price_per_hour / busy


@dataclass(frozen=True)
class Machine:
    """A machine of one's own.

    price: money once.  salvage: share of it that a buyer pays at the end of `life`, in years.
    watts, watts_idle: electric power busy and idle.  pue, price_per_kwh: see `energy`.
    month: staff, place and network, money a month; electricity not among them.
    """

    price: Amount
    salvage: Amount
    life: Amount
    watts: Amount
    watts_idle: Amount
    pue: Amount
    price_per_kwh: Amount
    month: Amount

    def __post_init__(self) -> None:
        _check(
            0, price=self.price, watts_idle=self.watts_idle, month=self.month,
            price_per_kwh=self.price_per_kwh, extra_watts=self.watts - self.watts_idle,
        )  # fmt: skip
        _check(0, 1, salvage=self.salvage)
        _check(0, above=True, life=self.life)
        _check(1, pue=self.pue)

    def depreciation(self) -> Amount:
        """Straight-line, money an hour of the calendar, busy or not."""
        return self.price * (1 - self.salvage) / self.life / HOURS_A_YEAR

    def upkeep(self) -> Amount:
        """Staff, place and network, money an hour of the calendar."""
        return self.month * 12 / HOURS_A_YEAR

    def power(self, watts: Amount) -> Amount:
        """Electricity at so many watts, money an hour."""
        return watts / WATTS_A_KW * self.pue * self.price_per_kwh

    def busy_hour(self, busy: Amount) -> dict[str, Amount]:
        """What one *busy* hour costs, by part: the idle hours have to be paid by the busy ones.

        busy: share of all hours, above 0 and at most 1.
        """
        _check(0, 1, above=True, busy=busy)
        idle = (1 - busy) / busy
        return {
            "depreciation": self.depreciation() / busy,
            "energy": self.power(self.watts) + idle * self.power(self.watts_idle),
            "staff and place": self.upkeep() / busy,
        }

    def break_even(self, rent: Amount) -> Amount:
        """Share of hours from which owning costs less than renting by the busy hour.

            (depreciation + upkeep + idle power) ÷ (rent − what being busy adds in power)

        It extends `accounts.break_even_utilisation`: here an owned machine costs more while it is
        busy.  Above 1: owning never pays.

        Raises:
            ValueError: a rent that does not even cover the electricity of being busy.
        """
        idle = self.power(self.watts_idle)
        gain = rent - (self.power(self.watts) - idle)
        _check(0, above=True, rent_above_power=gain)
        return (self.depreciation() + self.upkeep() + idle) / gain


def label_equivalent(hours: float, wage: float, compute: float, labels: float) -> float:
    """Price of making one human label unnecessary.

        (hours × wage + compute) ÷ labels replaced; infinite where none is replaced

    Raises:
        ValueError: negative hours, wage or compute.
    """
    _check(0, hours=hours, wage=wage, compute=compute)
    return (hours * wage + compute) / labels if labels > 0 else math.inf


def label_return(spend: Amount, labels: Amount, human: Amount) -> Amount:
    """Human labels bought by one unit of money spent on replacing them, at the price of a human
    one: labels × price ÷ spend.  Above 1 the replacement is cheaper.

    Unlike the price of a label-equivalent it stays finite where a measurement says that no label,
    or less than none, is replaced.

    Raises:
        ValueError: spend not positive, a negative price.
    """
    _check(0, above=True, spend=spend)
    _check(0, human=human)
    return labels * human / spend


def false_alarms(quiet_years: float) -> float:
    """Mean false alarms a year, from the share of quiet years that had at least one.

        −ln(1 − share)

    if alarms come independently of each other (a Poisson process).  Alarms that come in bursts
    make the share smaller for the same mean: then this is too low.

    Raises:
        ValueError: a share outside [0, 1): where every year rings, the share bounds nothing.
    """
    _check(0, 1, quiet_years=quiet_years)
    if quiet_years == 1:
        raise ValueError("every quiet year had an alarm: the mean cannot be told from the share")
    return -math.log1p(-quiet_years)


def detector_year(
    trainings: Amount, training: Amount, alarms: Amount, look: Amount, points: Amount,
    point: Amount, upkeep: Amount = 0.0,
) -> Amount:  # fmt: skip
    """What a policy of retraining costs a year.

        upkeep + trainings × price of one + alarms × price of looking
        + points lost × value of one for a year

    points: accuracy lost to late reaction, in percentage points, averaged over the year; less than
    none where training anew happened to help.  point: what one point lower for a whole year costs.
    upkeep: of what watches.

    Raises:
        ValueError: any argument but the points negative.
    """
    _check(
        0, trainings=trainings, training=training, alarms=alarms, look=look, point=point,
        upkeep=upkeep,
    )  # fmt: skip
    return upkeep + trainings * training + alarms * look + points * point


@dataclass(frozen=True)
class Policy:
    """A way to decide when to train: money a year whatever errors cost, and points lost."""

    name: str
    fixed: float
    points: float

    def cost(self, point: float) -> float:
        """Money a year where one point lower for a year costs `point`."""
        return self.fixed + self.points * point


def cheapest(policies: Sequence[Policy]) -> list[tuple[float, str]]:
    """Which policy is the cheapest, from which value of a point on: (value, name), rising from 0.

    The lower envelope of straight lines: each one leaves it once, for a line that loses fewer
    points.  Equal cost goes to fewer points.

    Raises:
        ValueError: no policy.
    """
    if not policies:
        raise ValueError("no policy to choose from")
    now = min(policies, key=lambda p: (p.fixed, p.points))
    found = [(0.0, now.name)]
    while steps := [
        ((p.fixed - now.fixed) / (now.points - p.points), p.points, p)
        for p in policies
        if p.points < now.points
    ]:
        at, _, now = min(steps, key=lambda step: step[:2])
        found.append((at, now.name))
    return found


@dataclass(frozen=True)
class Answer:
    """What one answer of the student costs, by part, in money."""

    compute: Amount
    pipeline: Amount
    errors: Amount

    @property
    def total(self) -> Amount:
        return self.compute + self.pipeline + self.errors


def answer(
    teacher: Amount, ratio: Amount, busy: Amount, pipeline: Amount, answers: Amount, points: Amount,
    error: Amount,
) -> Answer:  # fmt: skip
    """A student's answer, all in.

    teacher: what an answer of the teacher costs in machine time, idle time in it.
    ratio: measured cost of the teacher over the student, both busy.
    busy: busy share of the student's machines over that of the teacher's; a smaller fleet idles
        more, because two machines are the least.
    pipeline: upkeep of distillation, money a month; over `answers` a month of the student.
    points: accuracy lost in percentage points; error: what one wrong answer costs on average.

    Raises:
        ValueError: a negative price, a ratio, share or number of answers that is not positive.
    """
    _check(0, teacher=teacher, pipeline=pipeline, error=error)
    _check(0, above=True, ratio=ratio, busy=busy, answers=answers)
    return Answer(teacher / ratio / busy, pipeline / answers, points / 100 * error)


def teacher_break_even(limit: float, ratio: float, busy: float, rest: float) -> float:
    """Cost of the teacher's answer from which the student's, all in, costs `limit` of it or less.

        rest ÷ (limit − 1 ÷ ratio ÷ busy)

    ratio, busy: as in `answer`.  rest: of the student's answer, all that is no machine time.
    Infinite where machine time alone is above the limit: no volume helps then.

    Raises:
        ValueError: a ratio, share or limit that is not positive, a negative rest.
    """
    _check(0, above=True, limit=limit, ratio=ratio, busy=busy)
    _check(0, rest=rest)
    left = limit - 1 / ratio / busy
    return rest / left if left > 0 else math.inf
