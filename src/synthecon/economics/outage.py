"""Outages simulated: an alternating renewal process, its losses and its credits, month by month.

`sourcing` has what can be written down: availability and frequency.  A tiered credit depends on
how the hours fall into months, and a bad year on the tail: for these you draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from synthecon import stats
from synthecon.economics.service import Tier
from synthecon.economics.service import credit as credit_of
from synthecon.economics.sourcing import System, steady

HOURS = 730.0  # in a month: 365 days × 24 / 12


@dataclass(frozen=True)
class Outages:
    """hours: down in each month, [paths, months]; begun: outages that began in it, as many."""

    hours: np.ndarray
    begun: np.ndarray

    @property
    def availability(self) -> np.ndarray:
        """Share of each month in which the service was up."""
        return 1 - self.hours / HOURS


def repairs(
    mttr: float, spread: float, size: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Repair times in hours with mean `mttr`.

    spread: 0 draws exponential ones; above, lognormal ones with this standard deviation of the
    logarithm.  From about 1 on, most repairs are short and a few take days.

    Raises:
        ValueError: a negative spread.
    """
    if spread < 0:
        raise ValueError(f"spread is not negative, got {spread}")
    if spread == 0:
        return rng.exponential(mttr, size)
    return mttr * rng.lognormal(-(spread**2) / 2, spread, size)


def residual(mttr: float, spread: float, paths: int, rng: np.random.Generator) -> np.ndarray:
    """What is left of a repair that one finds under way: a share of a length-biased one.

    A long repair is more likely to be met.  Biased by its length, an exponential time is a gamma
    time of shape two, a lognormal one is lognormal with its median raised by exp(spread²).
    """
    if spread == 0:
        whole = rng.gamma(2.0, mttr, paths)
    else:
        whole = mttr * rng.lognormal(spread**2 / 2, spread, paths)
    return whole * rng.random(paths)


def down_times(
    mtbf: float, mttr: float, spread: float, hours: float, paths: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Begin and end of each failure of one part, cut to [0, hours]: two arrays [paths, failures].

    Times between failures are exponential.  The process is stationary: it has been running for
    long when the contract begins, and may begin down.  Unused places are empty failures at the end.
    """
    if np.isinf(mtbf):
        return np.full((paths, 1), hours), np.full((paths, 1), hours)
    mean = hours / mtbf  # no fewer than the failures to come: repairs only delay them
    count = int(np.ceil(mean + 6 * np.sqrt(mean) + 6))
    under_way = rng.random(paths) > steady(mtbf, mttr)
    first = np.where(under_way, residual(mttr, spread, paths, rng), 0.0)[:, None]
    up = rng.exponential(mtbf, (paths, count))
    repair = repairs(mttr, spread, (paths, count), rng)
    begin = first + np.cumsum(up + repair, 1) - repair
    begin, end = np.hstack([np.zeros_like(first), begin]), np.hstack([first, begin + repair])
    return np.minimum(begin, hours), np.minimum(end, hours)


def simulate(
    system: System, spread: float, months: int, paths: int, rng: np.random.Generator
) -> Outages:
    """Months of a service: down when all replicas are, or when a common cause stops them.

    Every begin and end of a failure, and every end of a month, is an event; between two events
    nothing changes.  A replica counts one, the common cause as many as there are replicas, and the
    service is down where the count reaches that number.

    Args:
        system: its parts.
        spread: of the repair times, see `repairs`; the same for all parts.
        months, paths: how long, and how many times.
        rng: the draws.

    Raises:
        ValueError: no month or no path.
    """
    if months < 1 or paths < 1:
        raise ValueError(f"needs a month and a path, got {months} and {paths}")
    end = months * HOURS
    parts = [(system.alone, 1)] * system.replicas + [(system.together, system.replicas)]
    edges = np.broadcast_to(HOURS * np.arange(months + 1), (paths, months + 1))
    when, change = [edges], [np.zeros(edges.shape, int)]
    for mtbf, weight in parts:
        for times, sign in zip(
            down_times(mtbf, system.mttr, spread, end, paths, rng), (1, -1), strict=True
        ):
            when.append(times)
            change.append(np.full(times.shape, sign * weight))
    time, step = np.hstack(when), np.hstack(change)
    order = np.argsort(time, 1, kind="stable")
    time, step = np.take_along_axis(time, order, 1), np.take_along_axis(step, order, 1)
    down = np.cumsum(step, 1) >= system.replicas
    month = np.minimum((time // HOURS).astype(int), months - 1)
    place = (month + months * np.arange(paths)[:, None])[:, :-1].ravel()
    lasted = (down[:, :-1] * np.diff(time, axis=1)).ravel()
    begins = down[:, 1:] & ~down[:, :-1] & (time[:, 1:] > 0) & (time[:, 1:] < end)
    began = (month + months * np.arange(paths)[:, None])[:, 1:][begins]
    size = paths * months
    hours = np.bincount(place, weights=lasted, minlength=size)
    begun = np.bincount(began, minlength=size)
    return Outages(np.minimum(hours.reshape(paths, months), HOURS), begun.reshape(paths, months))


def credit_share(
    availability: np.ndarray, tiers: Sequence[Tier], *, multiple: float = 1.0, cap: float = 1.0
) -> np.ndarray:
    """Share of the month's fee that falls due, as `service.credit`, for arrays.

    multiple: of every tier's credit; cap: the most a month pays, as a share of its fee.

    Raises:
        ValueError: as `service.credit`.
    """
    credit_of(1.0, tiers)  # its checks
    share = np.zeros(np.shape(availability))
    for threshold, credit in sorted(tiers, reverse=True):  # the lowest that is missed writes last
        share = np.where(availability < threshold, credit, share)
    return np.minimum(multiple * share, cap)


@dataclass(frozen=True)
class Stake:
    """What an outage costs you.

    per_hour: contribution lost for good in an hour, money; per_outage: work of recovery, money an
    outage; sales: monthly revenue under your own service level, of which customers get back what
    `tiers` say, as far as they claim it.
    """

    per_hour: float
    per_outage: float
    sales: float
    tiers: Sequence[Tier]

    def parts(self, outages: Outages) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lost contribution, work of recovery and own penalties: three arrays as `hours`."""
        return (
            self.per_hour * outages.hours,
            self.per_outage * outages.begun,
            self.sales * credit_share(outages.availability, self.tiers),
        )

    def loss(self, outages: Outages) -> np.ndarray:
        """All of it, [paths, months]."""
        return sum(self.parts(outages), np.zeros(()))


def value_at_risk(losses: np.ndarray, level: float = 0.95) -> float:
    """The loss that is not exceeded with probability `level`: the empirical quantile."""
    return float(np.quantile(losses, level, method="inverted_cdf"))


def shortfall(losses: np.ndarray, level: float = 0.95) -> stats.Interval:
    """Expected shortfall: the mean of the worst 1 − level of all outcomes, with its 95 % Monte
    Carlo interval.

    Unlike the value at risk it says how bad the bad cases are, and two risks together never have
    more of it than both apart.  The interval is the asymptotic one: the spread within the tail, and
    that of its border.

    Raises:
        ValueError: fewer than 20 outcomes in the tail.

    Source: Acerbi and Tasche (2002); Rockafellar and Uryasev (2000) for the estimator.
    """
    worst = 1 - level
    n = losses.size
    if n * worst < 20:
        raise ValueError(f"{n} outcomes leave {n * worst:.0f} in the tail: draw more")
    border = value_at_risk(losses, level)
    excess = np.maximum(losses - border, 0.0)
    value = border + float(excess.mean()) / worst
    error = float(excess.std(ddof=1)) / worst / np.sqrt(n)
    half = float(ndtri(0.975)) * error
    return stats.Interval(
        value, value - half, value + half, 0.95, n, "Monte Carlo, asymptotic error of a shortfall"
    )


def smallest(measure: Callable[[float], float], target: float, high: float) -> float | None:
    """The smallest x from 0 to `high` with measure(x) ≥ target, for a measure that never falls; to
    a millionth of `high`.

    None: not even `high` reaches it.
    """
    if measure(high) < target:
        return None
    low = 0.0
    if measure(low) >= target:
        return low
    for _ in range(20):
        middle = (low + high) / 2
        if measure(middle) >= target:
            high = middle
        else:
            low = middle
    return high


def trigger(breach: np.ndarray, needed: int, window: int) -> np.ndarray:
    """The first month, for each path, that ends `window` months with `needed` breaches; −1: never.

    breach: [paths, months] of bool.

    Raises:
        ValueError: needed above window, or one of them below 1.
    """
    if not 1 <= needed <= window:
        raise ValueError(f"needs 1 ≤ needed ≤ window, got {needed} of {window}")
    total = np.cumsum(np.pad(breach.astype(int), ((0, 0), (window, 0))), 1)
    recent = total[:, window:] - total[:, :-window]
    hit = recent >= needed
    return np.where(hit.any(1), hit.argmax(1), -1)


def termination_value(
    net: np.ndarray, breach: np.ndarray, *, alternative: float, switch: float,
    needed: int, window: int, notice: int,
) -> float:  # fmt: skip
    """What a right to leave after repeated breaches is worth, a contract: money.

    Who leaves in month t saves what the rest of the contract would have lost here, pays what it
    loses elsewhere, and the switch.  You know only that the right was triggered, and when: so you
    use it in those months in which leaving pays on average over all paths triggered then.

    Args:
        net: loss less credit, [paths, months]; parameters may differ by path, and then a breach
            teaches something about the vendor.
        breach: months that count, [paths, months].
        alternative: money a month lost with another vendor.
        switch: money once.
        needed, window, notice: breaches, months they fall into, months until you are gone.
    """
    paths, months = net.shape
    at = trigger(breach, needed, window)
    ahead = np.hstack([np.cumsum(net[:, ::-1], 1)[:, ::-1], np.zeros((paths, 1))])
    worth = 0.0
    for month in range(months):
        gone = min(month + 1 + notice, months)
        who = at == month
        gain = ahead[who, gone].sum() - who.sum() * (alternative * (months - gone) + switch)
        worth += max(float(gain), 0.0)
    return worth / paths


@dataclass(frozen=True)
class Scenario:
    """One row of the ledger's possible worlds.

    fee: money a month; claimed: the share of due credits that somebody claims.
    """

    system: System
    spread: float
    stake: Stake
    fee: float
    claimed: float


@dataclass(frozen=True)
class Contracts:
    """Simulated contracts of many scenarios, [scenarios, paths, months].

    hours, begun: see `Outages`; loss: money; made: whether a credit that fell due was claimed;
    fee: money a month, [scenarios].
    """

    hours: np.ndarray
    begun: np.ndarray
    loss: np.ndarray
    made: np.ndarray
    fee: np.ndarray

    @property
    def availability(self) -> np.ndarray:
        return 1 - self.hours / HOURS

    def credit(
        self, tiers: Sequence[Tier], *, multiple: float = 1.0, cap: float = 1.0
    ) -> np.ndarray:
        """Money that comes back, [scenarios, paths, months]."""
        due = credit_share(self.availability, tiers, multiple=multiple, cap=cap)
        return due * self.made * self.fee[:, None, None]


def contracts(scenarios: Sequence[Scenario], months: int, paths: int, seed: int) -> Contracts:
    """Each scenario's contract, `paths` times.  A scenario has its own stream of random numbers."""
    found: list[tuple[np.ndarray, ...]] = []
    for world, child in zip(
        scenarios, np.random.SeedSequence(seed).spawn(len(scenarios)), strict=True
    ):
        rng = np.random.default_rng(child)
        outages = simulate(world.system, world.spread, months, paths, rng)
        made = rng.random((paths, months)) < world.claimed
        found.append((outages.hours, outages.begun, world.stake.loss(outages), made))
    stacked = (np.stack(part) for part in zip(*found, strict=True))
    return Contracts(*stacked, np.array([world.fee for world in scenarios]))
