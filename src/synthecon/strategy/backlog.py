"""A backlog simulated: requests that arrive, grow in number, wait and are worked on.

The formulas of `queueing` know the steady state only.  A team whose demand grows never has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Course = Callable[[np.ndarray], np.ndarray]
"""Something at times in months, any shape -> same shape."""


@dataclass(frozen=True)
class Simulated:
    """Runs of one team's queue.  arrive, wait, leave: [runs, requests], in months; month 0 is now.

    work: months that each request took, without its wait.
    """

    arrive: np.ndarray
    wait: np.ndarray
    work: np.ndarray

    @property
    def leave(self) -> np.ndarray:
        return self.arrive + self.wait + self.work

    def waiting(self, times: np.ndarray) -> np.ndarray:
        """Requests that wait at each time: [runs, times]."""
        begun = self.arrive + self.wait
        return np.stack(
            [
                np.searchsorted(a, times, "right") - np.searchsorted(b, times, "right")
                for a, b in zip(self.arrive, np.sort(begun, axis=1), strict=True)
            ]
        )

    def mean_wait(self, since: float, until: float) -> np.ndarray:
        """Mean wait of the requests that arrive in a span of time, in months: [runs]; nan where
        none did."""
        inside = (self.arrive >= since) & (self.arrive < until)
        with np.errstate(invalid="ignore"):
            return np.where(inside, self.wait, 0.0).sum(1) / inside.sum(1)


def waits(arrive: np.ndarray, work: np.ndarray, servers: int = 1) -> np.ndarray:
    """Wait of each request, first come first served: [runs, requests] (Kiefer and Wolfowitz 1955).

    arrive: rising along each row.  Each request takes the server that is free first.

    Raises:
        ValueError: no server, shapes that differ, arrivals that are not in order.
    """
    if servers < 1 or arrive.shape != work.shape:
        raise ValueError(f"needs a server and equal shapes, got {servers}, {work.shape}")
    if np.any(np.diff(arrive, axis=1) < 0):
        raise ValueError("arrivals must be in order of time")
    runs, count = arrive.shape
    free, every = np.full((runs, servers), -np.inf), np.arange(runs)
    found = np.empty_like(arrive)
    for n in range(count):
        first = np.argmin(free, axis=1)
        begin = np.maximum(arrive[:, n], free[every, first])
        found[:, n] = begin - arrive[:, n]
        free[every, first] = begin + work[:, n]
    return found


def simulate(
    requests: float, busy: float, variability: float, *, months: int, runs: int, seed: int,
    growth: float = 0.0, size: Course | None = None, servers: int = 1, before: int = 60,
) -> Simulated:  # fmt: skip
    """Poisson arrivals at `requests` a month; work from a gamma distribution.

    busy: utilisation now.  variability: of the work, variance over squared mean.  growth: of the
    number of requests a year, from month 0 on, while the team stays as it is.  size: what is left
    of the work in a request that arrives at a time, as a share.  before: months before month 0,
    without growth and at full size, that bring the queue to its steady state.

    Raises:
        ValueError: a parameter out of range.
    """
    if not (requests > 0 and 0 < busy < 1 and variability >= 0 and growth > -1):
        raise ValueError("needs requests, a utilisation between 0 and 1, variability of 0 or more")
    rng = np.random.default_rng(seed)
    rate = np.log1p(growth) / 12
    span = float(months) if rate == 0 else float(np.expm1(rate * months) / rate)
    mean = requests * (before + span)
    count = int(mean + 8 * np.sqrt(mean) + 20)  # so many that the last one arrives too late
    # A clock that runs with the demand: on it, arrivals are a Poisson process of rate 1.
    clock = rng.exponential(size=(runs, count)).cumsum(1) / requests - before
    grown = clock if rate == 0 else np.log1p(rate * np.maximum(clock, 0)) / rate
    arrive = np.where(clock < 0, clock, grown)
    unit = rng.gamma(1 / variability, variability, (runs, count)) if variability else 1.0
    left = 1.0 if size is None else np.where(arrive < 0, 1.0, size(arrive))
    work = busy * servers / requests * np.broadcast_to(unit * left, arrive.shape)
    return Simulated(arrive, waits(arrive, work, servers), work)


def wait_factor(
    busy: np.ndarray, requests: np.ndarray | float = 1.0, size: np.ndarray | float = 1.0,
    team: np.ndarray | float = 1.0,
) -> np.ndarray:  # fmt: skip
    """`queueing.wait_factor` for scenarios: [S]."""
    after = busy * requests * size / team
    factor = (1 - after) / (1 - busy) / (requests * (size / team) ** 2)
    return np.where(after < 1, factor, 0.0)


def waiting(busy: np.ndarray, variability: np.ndarray) -> np.ndarray:
    """Mean number of requests that wait for one team (Pollaczek and Khinchine): [S]; infinite
    where there is more work than time."""
    with np.errstate(divide="ignore"):
        return np.where(busy < 1, busy**2 * (1 + variability) / 2 / (1 - busy), np.inf)
