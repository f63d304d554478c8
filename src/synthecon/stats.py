"""Intervals over paired seeds, and verdicts on claims.

A claim is never decided by one number.  Every comparison here is *paired*: both arms share the
split, the initial weights and the batches, so that only the method differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.special import stdtrit

Verdict = Literal["holds", "fails", "undecided", "in part"]


@dataclass(frozen=True)
class Interval:
    """A point estimate and its two-sided confidence interval."""

    value: float
    low: float
    high: float
    level: float
    n: int
    method: str

    def __str__(self) -> str:
        text = f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"
        return text.replace("-", "−")  # a minus, not a hyphen


def paired(differences: Sequence[float], *, ratio: float = 0.0, level: float = 0.95) -> Interval:
    """Student-t interval of a mean difference over n repeated random splits.

    Splits drawn from one pool share images, so their results are not independent and the ordinary
    t interval is too narrow.  Nadeau and Bengio (2003, Machine Learning 52, eq. 9) widen the
    variance of the mean from s²/n to s²·(1/n + n_test/n_train).

    Args:
        differences: one difference a split, in any unit; at least two.
        ratio: n_test / n_train of the splits; 0 gives the ordinary interval, for runs whose
            randomness is independent (seeds on one fixed test set).
        level: coverage, between 0 and 1.

    Raises:
        ValueError: fewer than two differences, a value that is not finite, or a bad level/ratio.
    """
    d = np.asarray(differences, dtype=float)
    if d.ndim != 1 or d.size < 2:
        raise ValueError(f"an interval needs at least two differences in one row, got {d.shape}")
    if not np.isfinite(d).all():
        raise ValueError("a difference is not finite: look at the run that produced it")
    if not 0 < level < 1 or ratio < 0:
        raise ValueError(f"need 0 < level < 1 and ratio >= 0, got level={level}, ratio={ratio}")
    mean = float(d.mean())
    error = float(d.std(ddof=1)) * math.sqrt(1 / d.size + ratio)
    half = float(stdtrit(d.size - 1, (1 + level) / 2)) * error
    method = f"Nadeau-Bengio corrected t, n_test/n_train = {ratio:.3g}" if ratio else "paired t"
    return Interval(mean, mean - half, mean + half, level, int(d.size), method)


def geometric(values: Sequence[float], *, ratio: float = 0.0, level: float = 0.95) -> Interval:
    """Geometric mean of positive numbers with an interval that stays positive.

    `paired` of the logarithms, mapped back: for ratios and counts, whose errors are factors.

    Raises:
        ValueError: a value that is not positive, or what `paired` refuses.
    """
    if not all(value > 0 for value in values):
        raise ValueError("a geometric mean needs positive numbers")
    logs = paired([math.log(value) for value in values], ratio=ratio, level=level)
    value, low, high = (math.exp(x) for x in (logs.value, logs.low, logs.high))
    return Interval(value, low, high, level, logs.n, f"{logs.method}, on logarithms")


def leave_one_out(statistic: Callable[[np.ndarray], float], rows: np.ndarray) -> np.ndarray:
    """The statistic without each row in turn, [n]; rows [n, ...], at least two of them."""
    return np.array([statistic(np.delete(rows, i, axis=0)) for i in range(len(rows))])


def jackknife(
    statistic: Callable[[np.ndarray], float],
    rows: np.ndarray,
    *,
    ratio: float = 0.0,
    level: float = 0.95,
) -> Interval:
    """Interval of a number that is computed from all splits at once, and not one a split.

    Tukey's pseudo-values n·θ − (n − 1)·θ₍₋ᵢ₎ stand in for the splits' own values, and their spread
    is corrected as `paired` corrects it (Efron and Stein 1981, Annals of Statistics 9).  For a mean
    it *is* `paired`.  The statistic must be smooth: a mean or an interpolation, never a median.

    Args:
        statistic: rows [m, ...] -> a number, for any m of n − 1 or n.
        rows: what was measured, one row a split; whatever belongs to a split stays together.
        ratio, level: as in `paired`.

    Raises:
        ValueError: what `paired` refuses.
    """
    n, whole = len(rows), float(statistic(rows))
    pseudo = n * whole - (n - 1) * leave_one_out(statistic, rows)
    spread = paired(pseudo, ratio=ratio, level=level)
    half = spread.high - spread.value
    method = f"jackknife over splits, {spread.method}"
    return Interval(whole, whole - half, whole + half, level, n, method)


@dataclass(frozen=True)
class Test:
    """What must be true of one measurement for a claim to hold in one regime.

    `better` says on which side of `smallest_effect` the claim lives; the effect is the smallest
    one that would change a decision, in the measurement's own unit, named before the run.
    """

    __test__ = False  # not a pytest class

    regime: str
    measurement: str
    better: Literal["above", "below"]
    smallest_effect: float


class HasBounds(Protocol):
    low: float
    high: float


def judge_one(test: Test, interval: HasBounds) -> Verdict:
    """`holds` when the interval lies wholly on the claim's side, `fails` when wholly beyond."""
    low, high, effect = interval.low, interval.high, test.smallest_effect
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"{test.measurement}: no finite interval to judge ([{low}, {high}])")
    if test.better == "below":
        low, high, effect = -high, -low, -effect
    elif test.better != "above":
        raise ValueError(f"better must be 'above' or 'below', got {test.better!r}")
    return "holds" if low > effect else "fails" if high < effect else "undecided"


def judge(
    tests: Sequence[Test], intervals: Mapping[str, HasBounds]
) -> tuple[Verdict, tuple[Verdict, ...]]:
    """The verdict on a claim and on each of its regimes, in their order.

    All regimes alike: that verdict.  Some hold and others do not: *in part*.  Anything else:
    *undecided*.

    Raises:
        ValueError: no tests, or a test of a measurement that has no interval.
    """
    if not tests:
        raise ValueError("a claim needs at least one test")
    missing = [t.measurement for t in tests if t.measurement not in intervals]
    if missing:
        raise ValueError(f"no interval was measured for {', '.join(missing)}")
    each = tuple(judge_one(t, intervals[t.measurement]) for t in tests)
    if len(set(each)) == 1:
        return each[0], each
    return ("in part" if "holds" in each else "undecided"), each
