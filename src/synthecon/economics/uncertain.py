"""What the ledger's ranges mean for the result: quasi-Monte Carlo, tornado, break-even, Sobol.

Each assumption has a distribution between low and high; rows of one group move together.  The
points are a scrambled Sobol sequence: seeded, and far more even than random ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from synthecon.economics.assumption import Assumption

STEPS, REACH = 2048, 5.0  # table of a quantile function over the normal scores −5 to 5
Z = float(ndtri(0.975))

Law = Callable[[np.ndarray], np.ndarray]
"""Values of a row at normal scores: the score 0 gives its median."""


def law(row: Assumption) -> Law:
    """The distribution of a ledger row, as a function of a standard normal score.

    pert: beta with mean (low + 4 base + high) / 6 on [low, high] (Clark 1962).  triangular: mode at
    base.  uniform: low to high.  normal, lognormal: base is the median, low and high are the 2.5th
    and 97.5th percentiles, each side with a spread of its own (so that the base case is in the
    middle, and an interval of a measurement can be taken over as it is).  fixed: base.

    Raises:
        ValueError: an unknown distribution.
    """
    low, base, high = row.low, row.base, row.high
    width = high - low
    if row.distribution == "fixed" or width == 0:
        return lambda z: np.full(np.shape(z), base)
    if row.distribution == "uniform":
        return lambda z: low + width * ndtr(z)
    if row.distribution == "normal":
        below, above = (base - low) / Z, (high - base) / Z
        return lambda z: base + z * np.where(z < 0, below, above)
    if row.distribution == "lognormal":
        below, above = np.log(base / low) / Z, np.log(high / base) / Z
        return lambda z: base * np.exp(z * np.where(z < 0, below, above))
    if row.distribution not in ("pert", "triangular"):
        raise ValueError(f"{row.id}: unknown distribution {row.distribution!r}")
    table, rise = _table(row.distribution, low, base, high)

    def look_up(z: np.ndarray) -> np.ndarray:
        place = (np.clip(z, -REACH, REACH) + REACH) * (STEPS / (2 * REACH))
        step = place.astype(np.intp)
        return table[step] + rise[step] * (place - step)

    return look_up


@functools.lru_cache(maxsize=1024)
def _table(
    distribution: str, low: float, base: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles at equal steps of the normal score, and their rises.  A beta quantile costs a
    hundred times a lookup, and equal steps need no search."""
    width = high - low
    if distribution == "triangular":
        known = stats.triang((base - low) / width, low, width)
    else:
        known = stats.beta(1 + 4 * (base - low) / width, 1 + 4 * (high - base) / width, low, width)
    table = known.ppf(ndtr(np.linspace(-REACH, REACH, STEPS + 1)))
    return table, np.append(np.diff(table), 0.0)


def quantile(row: Assumption) -> Callable[[np.ndarray], np.ndarray]:
    """Inverse distribution function of a ledger row on (0, 1); see `law`."""
    found = law(row)
    return lambda u: found(ndtri(u))


def copula(rows: Sequence[Assumption]) -> np.ndarray:
    """Correlation matrix of the normal scores: one value within a group, zero across groups."""
    n = len(rows)
    matrix = np.eye(n)
    for i in range(n):
        for j in range(n):
            name, rho = group(rows[i])
            if i != j and name and name == group(rows[j])[0]:
                matrix[i, j] = min(rho, group(rows[j])[1])
    return matrix


def group(row: Assumption) -> tuple[str, float]:
    """ "prices:0.6" is the group prices with correlation 0.6."""
    name, _, rho = row.group.partition(":")
    return name, float(rho or 0)


def draw(rows: Mapping[str, Assumption], count: int, seed: int) -> dict[str, np.ndarray]:
    """`count` scenarios: an array [count] an assumption.  count is best a power of two.

    Rows that are fixed take no dimension, so that adding one does not change the others.
    """
    moving = [r for r in rows.values() if r.distribution != "fixed" and r.high > r.low]
    values = {r.id: np.full(count, r.base) for r in rows.values()}
    if moving:
        points = qmc.Sobol(len(moving), rng=np.random.default_rng(seed)).random_base2(
            max(0, int(np.ceil(np.log2(count))))
        )
        scores = ndtri(np.clip(points[:count], 1e-9, 1 - 1e-9))
        if any(r.group for r in moving):
            scores = scores @ np.linalg.cholesky(copula(moving)).T
        for column, row in enumerate(moving):
            values[row.id] = law(row)(np.ascontiguousarray(scores[:, column]))
    return values


@dataclass(frozen=True)
class Swing:
    """One bar of a tornado: the result with one assumption at low and at high, the rest at base."""

    id: str
    low: float
    high: float

    @property
    def width(self) -> float:
        return abs(self.high - self.low)


Model = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""Values [S] an assumption -> result [S]."""


def base(rows: Mapping[str, Assumption]) -> dict[str, float]:
    return {r.id: r.base for r in rows.values()}


def tornado(model: Model, rows: Mapping[str, Assumption]) -> list[Swing]:
    """Widest first.  All runs are made at once: two scenarios an assumption."""
    names = [r.id for r in rows.values() if r.high > r.low]
    values = {k: np.full(2 * len(names), v) for k, v in base(rows).items()}
    for i, name in enumerate(names):
        values[name][2 * i : 2 * i + 2] = rows[name].low, rows[name].high
    results = model(values).reshape(-1, 2) if names else np.zeros((0, 2))
    swings = [Swing(n, float(a), float(b)) for n, (a, b) in zip(names, results, strict=True)]
    return sorted(swings, key=lambda s: (-s.width, s.id))


def break_even(
    model: Model,
    rows: Mapping[str, Assumption],
    name: str,
    given: Mapping[str, float | np.ndarray] | None = None,
) -> float | None:
    """The value of one assumption, between low and high, at which the result is zero.

    given: values of other assumptions, numbers or scenarios [S]; the rest stays at base.  With
    scenarios it is the mean result that is zero.  None: the result has one sign at both ends.
    """
    start = {**base(rows), **(given or {})}
    count = max(np.size(v) for v in start.values())

    def at(x: float) -> float:
        values = {k: np.broadcast_to(v, count) for k, v in (start | {name: x}).items()}
        return float(np.mean(model(values)))

    low, high = rows[name].low, rows[name].high
    if at(low) * at(high) > 0:
        return None
    return float(optimize.brentq(at, low, high))


def sobol(
    model: Model, rows: Mapping[str, Assumption], *, log2n: int = 12, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """First-order and total Sobol indices (Saltelli's estimators in SciPy), by group.

    Indices need independent inputs: rows of one group are driven by one number here (as if their
    correlation were 1), and their index is the group's.  Keys are ids and group names.
    """
    moving = [r for r in rows.values() if r.distribution != "fixed" and r.high > r.low]
    keys = list(dict.fromkeys(group(r)[0] or r.id for r in moving))
    laws = {r.id: quantile(r) for r in moving}
    start = base(rows)

    def function(u: np.ndarray) -> np.ndarray:
        flat = u.reshape(len(keys), -1)
        values = {k: np.full(flat.shape[1], v) for k, v in start.items()}
        for r in moving:
            values[r.id] = laws[r.id](flat[keys.index(group(r)[0] or r.id)])
        return model(values).reshape(1, *u.shape[1:]) if u.ndim > 2 else model(values)[None]

    found = stats.sobol_indices(
        func=function,
        n=2**log2n,
        dists=[stats.uniform()] * len(keys),
        rng=np.random.default_rng(seed),
    )
    first, total = found.first_order.ravel(), found.total_order.ravel()
    return {k: (float(a), float(b)) for k, a, b in zip(keys, first, total, strict=True)}


@dataclass(frozen=True)
class Probability:
    """A share of scenarios, and how well it is known.  error: half a 95 % interval over repeated
    scramblings: what more scenarios would still change, and nothing about the assumptions."""

    value: float
    error: float


def probability(runs: Sequence[np.ndarray]) -> Probability:
    """How likely a result above zero is.  runs: results [S] of draws with different seeds, each a
    scrambling of its own; Student's t over the runs.

    Raises:
        ValueError: fewer than two runs.

    Source: Owen, Monte Carlo theory, methods and examples, ch. 17 (randomised QMC).
    """
    if len(runs) < 2:
        raise ValueError("an error needs two runs at least, each with a seed of its own")
    shares = np.array([np.mean(run > 0) for run in runs])
    half = stats.t.ppf(0.975, len(runs) - 1) * shares.std(ddof=1) / np.sqrt(len(runs))
    return Probability(float(shares.mean()), float(half))


def perfect_information(results: np.ndarray) -> float:
    """Expected value of perfect information: E[max(result, 0)] − max(E[result], 0).

    What knowing the outcome before deciding between pivot and status quo is worth at most: no study
    that costs more can pay.
    """
    return float(np.maximum(results, 0).mean() - max(results.mean(), 0.0))
