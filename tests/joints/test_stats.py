"""Intervals against SciPy and by hand; verdicts by their truth table."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps

from synthecon import stats


class Bounds(NamedTuple):
    low: float
    high: float


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_without_a_ratio_it_is_scipys_paired_t(level):
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 8), rng.normal(0, 2, 8)
    found = stats.paired(a - b, level=level)
    oracle = sps.ttest_rel(a, b).confidence_interval(level)
    assert found.value == pytest.approx((a - b).mean())
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert (found.level, found.n, found.method) == (level, 8, "paired t")


def test_nadeau_and_bengio_by_hand():
    # Differences 1, 2, 3: mean 2, variance 1.  n_test/n_train = 597/1000.
    # Variance of the mean: 1 × (1/3 + 0.597) = 0.930333; t(2 degrees, 97.5 %) = 4.302653.
    found = stats.paired([1, 2, 3], ratio=597 / 1000)
    half = 4.302653 * math.sqrt(0.930333)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), rel=1e-6)
    assert found.method == "Nadeau-Bengio corrected t, n_test/n_train = 0.597"
    assert str(found) == "+2.00 [−2.15, +6.15]"


differences = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20)


@settings(deadline=None)
@given(differences, st.floats(0, 2), st.floats(0.01, 1), st.floats(0.5, 0.99))
def test_the_correction_only_widens(d, ratio, more, level):
    narrow = stats.paired(d, ratio=ratio, level=level)
    wide = stats.paired(d, ratio=ratio + more, level=level)
    assert narrow.low <= narrow.value <= narrow.high
    assert wide.value == narrow.value
    if max(d) - min(d) > 1e-6:
        assert wide.high - wide.low > narrow.high - narrow.low


@settings(deadline=None)
@given(differences, st.floats(-1e3, 1e3), st.floats(0.1, 10))
def test_units_and_signs(d, shift, scale):
    one, x = stats.paired(d, ratio=0.3), np.array(d)
    moved, turned = stats.paired(scale * x + shift, ratio=0.3), stats.paired(-x, ratio=0.3)
    assert moved.low == pytest.approx(scale * one.low + shift, rel=1e-6, abs=1e-6)
    assert (turned.low, turned.high) == pytest.approx((-one.high, -one.low), abs=1e-9)


@pytest.mark.parametrize(
    ("d", "settings", "said"),
    [
        ([], {}, "at least two"),
        ([1.0], {}, "at least two"),
        ([[1.0, 2.0]], {}, "at least two"),
        ([1.0, math.nan], {}, "not finite"),
        ([1.0, math.inf], {}, "not finite"),
        ([1.0, 2.0], {"level": 1.0}, "level=1.0"),
        ([1.0, 2.0], {"level": 0.0}, "level=0.0"),
        ([1.0, 2.0], {"ratio": -0.1}, "ratio=-0.1"),
    ],
)
def test_no_interval_of_nonsense(d, settings, said):
    with pytest.raises(ValueError, match=said):
        stats.paired(d, **settings)


def test_a_geometric_mean_is_scipys():
    values = np.random.default_rng(0).lognormal(1, 0.7, 9)
    found = stats.geometric(values, level=0.9)
    oracle = sps.ttest_1samp(np.log(values), 0).confidence_interval(0.9)
    assert found.value == pytest.approx(sps.gmean(values))
    assert (found.low, found.high) == pytest.approx((np.exp(oracle.low), np.exp(oracle.high)))
    assert (found.level, found.n, found.method) == (0.9, 9, "paired t, on logarithms")
    wide, logs = (stats.geometric(values, ratio=0.5), stats.paired(np.log(values), ratio=0.5))
    assert (wide.low, wide.high) == pytest.approx((np.exp(logs.low), np.exp(logs.high)))
    with pytest.raises(ValueError, match="positive"):
        stats.geometric([1.0, 0.0])


def first_mean(rows: np.ndarray) -> float:
    return rows.mean(0)[0]


def ratio_of_means(rows: np.ndarray) -> float:
    return rows.mean(0)[0] / rows.mean(0)[1]


@settings(deadline=None)
@given(differences, st.floats(0, 2), st.floats(0.5, 0.99))
def test_the_jackknife_of_a_mean_is_the_paired_interval(d, ratio, level):
    found = stats.jackknife(first_mean, np.array(d)[:, None], ratio=ratio, level=level)
    oracle = stats.paired(d, ratio=ratio, level=level)
    assert (found.value, found.low, found.high) == pytest.approx(
        (oracle.value, oracle.low, oracle.high), rel=1e-6, abs=1e-6
    )
    assert found.n == len(d) and found.level == level
    assert found.method == f"jackknife over splits, {oracle.method}"


@pytest.mark.parametrize("ratio", [0.0, 0.4])
def test_the_jackknife_by_its_formula(ratio):
    """(n − 1)/n Σ (θ₍₋ᵢ₎ − mean)² is the variance, n·(1/n + ratio) the correction on top."""
    rows = np.random.default_rng(1).normal(3, 1, (9, 2))
    without = [ratio_of_means(rows[[j for j in range(9) if j != i]]) for i in range(9)]
    variance = 8 * np.var(without) * 9 * (1 / 9 + ratio)
    half = sps.t.ppf(0.95, 8) * math.sqrt(variance)
    found = stats.jackknife(ratio_of_means, rows, ratio=ratio, level=0.9)
    assert found.value == pytest.approx(ratio_of_means(rows))
    assert (found.high - found.value, found.value - found.low) == pytest.approx((half, half))
    assert stats.leave_one_out(ratio_of_means, rows) == pytest.approx(without)


def test_the_jackknife_is_about_the_bootstrap_where_rows_are_many():
    rows = np.random.default_rng(2).normal(5, 1, (200, 2))
    found = stats.jackknife(ratio_of_means, rows)
    oracle = sps.bootstrap(
        (rows[:, 0], rows[:, 1]),
        lambda a, b, axis: a.mean(axis) / b.mean(axis),
        paired=True,
        n_resamples=2000,
        rng=np.random.default_rng(3),
        method="basic",
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.006)


def one(better: str, effect: float, low: float, high: float) -> str:
    return stats.judge_one(stats.Test("r", "m", better, effect), Bounds(low, high))


@pytest.mark.parametrize(
    ("better", "low", "high", "verdict"),
    [
        ("above", 1.1, 3, "holds"),
        ("above", 1.0, 3, "undecided"),  # touching the smallest effect is not beyond it
        ("above", 0.9, 1.1, "undecided"),
        ("above", -3, 1.0, "undecided"),
        ("above", -3, 0.9, "fails"),
        ("above", 0.2, 0.9, "fails"),  # an effect, but too small to matter
        ("above", 1.0, 1.0, "undecided"),
        ("below", -3, 0.9, "holds"),
        ("below", -3, 1.0, "undecided"),
        ("below", 0.9, 1.1, "undecided"),
        ("below", 1.0, 3, "undecided"),
        ("below", 1.1, 3, "fails"),
    ],
)
def test_verdict_on_an_effect_of_one(better, low, high, verdict):
    assert one(better, 1.0, low, high) == verdict


finite = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(finite, finite, finite)
def test_below_is_above_in_the_mirror(effect, a, b):
    low, high = sorted((a, b))
    assert one("below", effect, low, high) == one("above", -effect, -high, -low)
    opposite = {"holds": "fails", "fails": "holds", "undecided": "undecided"}
    assert one("below", effect, low, high) == opposite[one("above", effect, low, high)]


@pytest.mark.parametrize(
    ("better", "bounds", "said"),
    [
        ("beside", Bounds(0, 1), "'above' or 'below'"),
        ("above", Bounds(math.nan, 1), "m: no finite interval"),
        ("below", Bounds(0, math.inf), "m: no finite interval"),
        ("above", Bounds(2, 1), "m: no finite interval"),
    ],
)
def test_what_cannot_be_judged(better, bounds, said):
    with pytest.raises(ValueError, match=said):
        stats.judge([stats.Test("r", "m", better, 0.0)], {"m": bounds})


INTERVALS = {"holds": Bounds(2, 3), "fails": Bounds(-1, 0), "undecided": Bounds(0, 3)}


@pytest.mark.parametrize(
    ("regimes", "verdict"),
    [
        (["holds"], "holds"),
        (["fails", "fails"], "fails"),
        (["undecided", "undecided"], "undecided"),
        (["holds", "fails"], "in part"),
        (["undecided", "holds"], "in part"),
        (["holds", "fails", "undecided"], "in part"),
        (["fails", "undecided"], "undecided"),
    ],
)
def test_a_claim_over_several_regimes(regimes, verdict):
    tests = [stats.Test(f"regime {i}", name, "above", 1.0) for i, name in enumerate(regimes)]
    assert stats.judge(tests, INTERVALS) == (verdict, tuple(regimes))


def test_a_claim_needs_tests_that_were_measured():
    with pytest.raises(ValueError, match="at least one test"):
        stats.judge([], INTERVALS)
    with pytest.raises(ValueError, match="no interval was measured for gain, loss"):
        tests = [stats.Test("r", name, "above", 0.0) for name in ("gain", "holds", "loss")]
        stats.judge(tests, INTERVALS)
