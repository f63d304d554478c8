"""Learning curves as power laws with a floor: error(n) = floor + scale × n^(−power).

Fitted to measured errors by weighted least squares, with intervals by simulation.  A law fitted to
six points is a description of them; what it says far beyond the last is a guess with a formula.

Source of the shape: Cortes, Jackel, Solla, Vapnik, Denker (1993); Hestness and others (2017).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy import stats

from synthecon.record import RunRecord

POWERS = np.geomspace(0.05, 4.0, 400)  # tried one by one: for each, the best line is known exactly


@dataclass(frozen=True)
class Curve:
    """Measured errors of one way to learn.

    labels: rising, positive.  error: in points (100 × share).  sd: standard error of each, points.
    freedom: degrees of freedom behind each standard error.
    """

    name: str
    labels: np.ndarray
    error: np.ndarray
    sd: np.ndarray
    freedom: int

    def first(self, count: int) -> Curve:
        """Only its first `count` points."""
        cut = slice(count)
        return Curve(self.name, self.labels[cut], self.error[cut], self.sd[cut], self.freedom)


@dataclass(frozen=True)
class Law:
    """floor, scale, power: numbers, or arrays [S] of fits to simulated curves.

    scale is the error above the floor at `start` labels, in points.
    """

    start: float
    floor: np.ndarray
    scale: np.ndarray
    power: np.ndarray

    def error(self, labels: float | np.ndarray) -> np.ndarray:
        """Error at so many labels, in points: [...] or, for an array of labels, [..., K]."""
        n = np.asarray(labels, dtype=float) / self.start
        if n.ndim == 0:
            return self.floor + self.scale * n**-self.power
        return self.floor[..., None] + self.scale[..., None] * n ** -self.power[..., None]

    def labels(self, error: float | np.ndarray) -> np.ndarray:
        """Labels at which the error is reached; infinite at the floor and below it."""
        above = np.asarray(error - self.floor, dtype=float)
        with np.errstate(divide="ignore"):
            n = self.start * (self.scale / np.maximum(above, 0.0)) ** (1 / self.power)
        return np.where(above > 0, n, np.inf)

    def factor(self, labels: float, points: float = 1.0) -> np.ndarray:
        """How many times `labels` it takes to be `points` better than at `labels`."""
        return self.labels(self.error(labels) - points) / labels


def from_record(record: RunRecord, pattern: str, name: str) -> Curve:
    """The curve of all measurements whose whole name matches `pattern`, whose group is the labels.

    Accuracies in %, with an interval of Student's t.  Raises ValueError: fewer than four of them.
    """
    found = []
    for m in record.measurements:
        if hit := re.fullmatch(pattern, m.name):
            if m.low is None or m.high is None or m.level is None or m.n is None or m.unit != "%":
                raise ValueError(f"{record.id}#{m.name}: no accuracy in % with an interval")
            quantile = stats.t.ppf((1 + m.level) / 2, m.n - 1)
            sd = (m.high - m.low) / 2 / quantile
            found.append((float(hit[1]), 100 - m.value, sd, m.n - 1))
    if len(found) < 4:
        raise ValueError(f"{record.id}: {len(found)} points match {pattern}, a law wants four")
    labels, error, sd, freedom = map(np.array, zip(*sorted(found), strict=True))
    return Curve(name, labels, error, sd, int(freedom.min()))


def fit(labels: np.ndarray, error: np.ndarray, sd: np.ndarray, *, floored: bool = True) -> Law:
    """Weighted least squares with floor ≥ 0 and scale ≥ 0.

    labels, sd: [K].  error: [K] or [S, K], one curve a row.  For a given power the law is a line in
    n^(−power), whose best floor and scale have a closed form; the powers are tried one by one.
    floored=False fits the rival law that goes down to zero for ever.

    Raises:
        ValueError: fewer than three points, or labels or errors that are not positive and finite.
    """
    labels, error, sd = (np.asarray(x, dtype=float) for x in (labels, error, sd))
    if len(labels) < 3 or not (min(labels) > 0 and min(sd) > 0 and np.isfinite(error).all()):
        raise ValueError("a law wants three points or more, each with labels and sd above zero")
    rows = np.atleast_2d(error)
    tried = (_line(labels, rows, sd, np.full(len(rows), p), floored)[2] for p in POWERS)
    loss = np.stack(list(tried), -1)
    best = loss.argmin(-1).clip(1, len(POWERS) - 2)
    # A parabola through the best power and its neighbours finds the place between them.
    every = np.arange(len(rows))
    left, middle, right = (loss[every, best + i] for i in (-1, 0, 1))
    bend = left - 2 * middle + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend > 0, (left - right) / (2 * bend), 0.0).clip(-1, 1)
    step = np.log(POWERS[1] / POWERS[0])
    power = POWERS[best] * np.exp(step * shift)
    floor, scale, _ = _line(labels, rows, sd, power, floored)
    shape = error.shape[:-1]
    return Law(float(labels[0]), *(x.reshape(shape) for x in (floor, scale, power)))


def _line(
    labels: np.ndarray, error: np.ndarray, sd: np.ndarray, power: np.ndarray, floored: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best floor and scale for given powers, and the weighted sum of squares: each [S]."""
    w = sd**-2
    x = (labels / labels[0]) ** -power[:, None]
    mean_x, mean_y = (x @ w) / w.sum(), (error @ w) / w.sum()
    dx, dy = x - mean_x[:, None], error - mean_y[:, None]
    scale = np.maximum(((dx * dy) @ w) / ((dx * dx) @ w), 0.0)
    floor = mean_y - scale * mean_x
    without = (floor < 0) | (not floored)  # then the best allowed line goes through zero
    scale = np.where(without, np.maximum(((x * error) @ w) / ((x * x) @ w), 0.0), scale)
    floor = np.where(without, 0.0, floor)
    rest = error - floor[:, None] - scale[:, None] * x
    return floor, scale, (rest * rest) @ w


def misfit(curve: Curve, law: Law) -> float:
    """Chance of a weighted sum of squares as large as this one, were the law true (chi-squared).

    Near 0: the law is wrong.  Near 1: the errors are larger than the scatter about the curve, as
    they are where all points share their test images.
    """
    squares = float((((curve.error - law.error(curve.labels)) / curve.sd) ** 2).sum())
    return float(stats.chi2.sf(squares, max(1, len(curve.labels) - 3)))


def simulate(curve: Curve, law: Law, count: int, seed: int, common: float = 0.0) -> Law:
    """Parametric bootstrap: the law fitted to `count` curves that are drawn about `law`.

    Errors are Student's t, as the intervals they came from.  common: correlation of the points of
    one curve, 0 to 1; points that share test images move together.
    """
    rng = np.random.default_rng(seed)
    shape = (count, len(curve.labels))
    z = np.sqrt(1 - common) * rng.standard_normal(shape)
    z += np.sqrt(common) * rng.standard_normal((count, 1))
    z /= np.sqrt(rng.chisquare(curve.freedom, shape) / curve.freedom)
    return fit(curve.labels, np.maximum(law.error(curve.labels) + curve.sd * z, 0.0), curve.sd)


@dataclass(frozen=True)
class Backtest:
    """What the law of all points but the last says about the last, in points."""

    labels: float
    measured: float
    predicted: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.low <= self.measured <= self.high


def backtest(curve: Curve, count: int, seed: int, level: float = 0.95) -> Backtest:
    """Hide the last point, fit the others, and predict it with an interval for a measurement."""
    known, n = curve.first(len(curve.labels) - 1), float(curve.labels[-1])
    law = fit(known.labels, known.error, known.sd)
    rng = np.random.default_rng(seed + 1)
    noise = curve.sd[-1] * rng.standard_t(curve.freedom, count)
    low, high = quantiles(simulate(known, law, count, seed).error(n) + noise, level)
    return Backtest(n, float(curve.error[-1]), float(law.error(n)), low, high)


def quantiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """The middle `level` of some values; infinite ones count."""
    # "inverted_cdf" picks a value and never averages two of them: infinity minus infinity is none.
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)
